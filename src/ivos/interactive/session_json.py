"""The part of a saved session that is not arrays, as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveInt, model_validator

from ivos.interactive.annotation_state import AnnotatedSlice, AnnotationState
from ivos.interactive.history import ArrayName, Patch, Step
from ivos.interactive.state import FIGURES
from ivos.types import Axis
from ivos.volume.geometry import Geometry
from ivos.volume.labels import Label
from ivos.volume.nifti_forms import NiftiForms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivos.interactive.history import History
    from ivos.volume.volume import Volume

_MOST_VOXELS = 2**33  # of a scan: beyond any, and small enough for all sums

StructureId = Annotated[int, Field(ge=1, le=255)]
Triple = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Level = Annotated[int, Field(ge=0, le=255)]
Range = tuple[NonNegativeInt, NonNegativeInt]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GeometryJson(_Part):
    """Of :class:`~ivos.volume.geometry.Geometry`."""

    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    spacing_mm: Triple
    origin_mm: Triple
    axes: tuple[Triple, Triple, Triple]

    @staticmethod
    def of(geometry: Geometry) -> GeometryJson:
        """From a grid."""
        return GeometryJson(
            shape=geometry.shape,
            spacing_mm=geometry.spacing_mm,
            origin_mm=geometry.origin_mm,
            axes=geometry.axes,
        )

    def plain(self) -> Geometry:
        """The grid."""
        return Geometry(self.shape, self.spacing_mm, self.origin_mm, self.axes)


class StructureJson(_Part):
    """Of :class:`~ivos.volume.labels.Label`."""

    id: StructureId
    name: Annotated[str, Field(min_length=1)]
    colour: tuple[Level, Level, Level]


class FactsJson(_Part):
    """Of :class:`~ivos.interactive.annotation_state.AnnotationState`."""

    structures: list[StructureJson]
    committed: list[StructureId]
    drawn: list[tuple[Annotated[int, Field(ge=0, le=2)], NonNegativeInt, StructureId]]

    @staticmethod
    def of(facts: AnnotationState) -> FactsJson:
        """From facts or a difference of them."""
        return FactsJson(
            structures=[
                StructureJson(id=label.id, name=label.name, colour=label.colour)
                for label in sorted(facts.structures, key=lambda label: (label.id, label.name, label.colour))
            ],
            committed=sorted(facts.committed),
            drawn=sorted(facts.drawn),
        )

    def plain(self) -> AnnotationState:
        """The facts."""
        return AnnotationState(
            frozenset(Label(entry.id, entry.name, entry.colour) for entry in self.structures),
            frozenset(self.committed),
            frozenset(AnnotatedSlice(Axis(axis), index, structure) for axis, index, structure in self.drawn),
        )


class PatchJson(_Part):
    """Of :class:`~ivos.interactive.history.Patch`, whose data stand elsewhere in the file."""

    array: ArrayName
    place: tuple[Range, Range, Range]
    size_bytes: NonNegativeInt


class StepJson(_Part):
    """Of :class:`~ivos.interactive.history.Step`."""

    patches: list[PatchJson]
    facts: FactsJson


class SessionJson(_Part):
    """What a saved session says of itself.

    Attributes:
        version: of the file's form.
        geometry: the scan's grid.
        source: the grid of the scan's file.
        nifti: what the header of a NIfTI file says of that grid.
        modality: of the scan.
        checksum: of the scan.
        facts: names, committed structures, drawn slices.
        done: steps that can be undone, the oldest first.
        undone: steps that can be done again, the next one last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    version: Literal[1] = 1
    geometry: GeometryJson
    source: GeometryJson
    nifti: NiftiForms | None = None
    modality: str | None
    checksum: str
    facts: FactsJson
    done: list[StepJson]
    undone: list[StepJson]

    @staticmethod
    def of(grid: Volume, checksum: str, facts: AnnotationState, history: History) -> SessionJson:
        """From a session."""
        return SessionJson(
            geometry=GeometryJson.of(grid.geometry),
            source=GeometryJson.of(grid.source),
            nifti=grid.nifti,
            modality=grid.modality,
            checksum=checksum,
            facts=FactsJson.of(facts),
            done=[_step_json(step) for step in history.done],
            undone=[_step_json(step) for step in history.undone],
        )

    def steps(self, data: bytes) -> tuple[list[Step], list[Step]]:
        """The steps that can be undone, and done again.

        Args:
            data: of all patches, one after the other.

        Raises:
            ValueError: more or less of them.
        """
        view, start = memoryview(data), 0
        made: list[Step] = []
        for step in (*self.done, *self.undone):
            patches = []
            for patch in step.patches:
                patches.append(Patch(patch.array, patch.place, bytes(view[start : start + patch.size_bytes])))
                start += patch.size_bytes
            made.append(Step(tuple(patches), step.facts.plain()))
        if start != len(data):
            raise ValueError(f"{len(data)} bytes of patches instead of {start}")
        return made[: len(self.done)], made[len(self.done) :]

    @model_validator(mode="after")
    def _fits(self) -> SessionJson:
        """Refuse what does not fit together."""
        shape = self.geometry.shape
        if math.prod(shape) > _MOST_VOXELS or sorted(shape) != sorted(self.source.shape):
            raise ValueError("a scan of impossible size")
        ids = [entry.id for entry in self.facts.structures]
        if len(set(ids)) < len(ids) or not {*self.facts.committed, *(k for _, _, k in self.facts.drawn)} <= set(ids):
            raise ValueError("structures that are not there, or twice")
        steps = (*self.done, *self.undone)
        if any(
            index >= shape[axis] for facts in (self.facts, *(s.facts for s in steps)) for axis, index, _ in facts.drawn
        ):
            raise ValueError("drawn slices outside the scan")
        if not all(_within(patch, shape) for step in steps for patch in step.patches):
            raise ValueError("patches outside their arrays")
        return self


def _step_json(step: Step) -> StepJson:
    patches = [
        PatchJson(array=patch.array, place=_three(patch.place), size_bytes=len(patch.data)) for patch in step.patches
    ]
    return StepJson(patches=patches, facts=FactsJson.of(step.facts))


def _three(place: Iterable[Range]) -> tuple[Range, Range, Range]:
    first, second, third = place
    return first, second, third


def _within(patch: PatchJson, shape: tuple[int, int, int]) -> bool:
    """Whether a patch lies in its array."""
    z, y, x = shape
    slices = {"axial": z, "coronal": y, "sagittal": x}
    whole = (slices[patch.array], FIGURES, 256) if patch.array in slices else shape
    return all(first < last <= length for (first, last), length in zip(patch.place, whole, strict=True))
