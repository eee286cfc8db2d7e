"""A scan in, the labelled volume out: the reference network finds structures, propagation makes them whole.

References:
    IVOS (FLARE22): the two stages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import SliceStack, steps, walk
from ivos.propagation.fusion import PackedMasks, decide, fuse
from ivos.propagation.label_result import LabelResult
from ivos.propagation.masks import Masks
from ivos.segmentation.reference_slices import Candidates, largest_area
from ivos.types import Axis
from ivos.uncertainty.features import QualityFeatures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from ivos.propagation.engines.protocol import Engine
    from ivos.propagation.fusion import Fusion
    from ivos.segmentation.reference_networks import ReferenceNetworks
    from ivos.segmentation.reference_slices import Choice
    from ivos.types import Array, FloatArray, Progress
    from ivos.volume.volume import Volume
    from ivos.volume.windows import Modality

_NOTHING = 0.5 / 255  # probabilities below it are none
_SUSPECTED = 0.25  # a pixel may be of a structure: what counts for how unsure a slice is


@dataclass(frozen=True)
class Sampling:
    """Which slices the reference network looks at first.

    Attributes:
        every: one in so many, evenly over the scan; the last ones too where the scan is not a multiple.
        at_most: so many in all.
    """

    every: int = 3
    at_most: int | None = None

    def numbers(self, count: int) -> list[int]:
        """The slices of a scan of ``count``: at least one, whatever the rate."""
        wanted = min(-(-count // self.every), self.at_most or count)
        return [int((n + 0.5) * count / wanted) for n in range(wanted)]


@dataclass(frozen=True)
class Segmentation(LabelResult):
    """A segmented scan.

    Attributes:
        structures: label ids that the networks look for.
        evidence: for and against it.
        probabilities: of the structures that were asked for, (Z, Y, X), 0..255, by label id.
    """

    structures: tuple[int, ...]
    evidence: QualityFeatures
    probabilities: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def references(self) -> tuple[int, ...]:
        """Numbers of the reference slices, in canonical order; none after the first stage alone, or without a find."""
        return self.sources

    @property
    def figures(self) -> dict[int, dict[str, float]]:
        """Of the evidence, by label id, for structures that were found."""
        figures = self.evidence.figures(self.labels.geometry.voxel_volume_ml)
        present = np.unique(self.labels.array)
        return {label: figures[k] for k, label in enumerate(self.structures) if label in present}


def segment(
    scan: Volume,
    networks: ReferenceNetworks,
    engine: Engine,
    *,
    sampling: Sampling,
    choose: Choice = largest_area,
    fusion: Fusion | None = None,
    agreement: bool = False,
    modality: Modality = "auto",
    probabilities: Sequence[int] = (),
    progress: Progress | None = None,
) -> Segmentation:
    """Segment a scan in two stages.

    Args:
        scan: the scan; axial slices are walked.
        networks: find structures on single slices.
        engine: carries them on.
        sampling: the slices that the networks look at for references.
        choose: takes reference slices from those.
        fusion: of the two passes, see :func:`ivos.propagation.bidirectional.walk`.
        agreement: the networks look at every slice, and what they say there counts as much as what propagation says,
            each by how decided it is.
        modality: which windows show the scan.
        probabilities: label ids whose probabilities are kept.
        progress: called with slices visited and slices to visit.

    Returns:
        Without references, and every slice by itself, where the networks found nothing on the sampled ones.
    """
    answer = _Answer(scan, networks, probabilities)
    stack, count = SliceStack.of(scan, Axis.AXIAL, modality), len(scan.array)
    sampled = sampling.numbers(count)
    looked_at = range(count) if agreement else sampled
    report = _Reporter(progress, len(looked_at) + 2 * count)
    evidence = QualityFeatures.of(count, len(networks.structures))
    seen: dict[int, PackedMasks] = {}
    for number, masks in _predict_masks(networks, stack, looked_at, evidence):
        seen[number] = PackedMasks.pack(masks)
        report()
    references = choose(_candidates(seen, sampled, len(networks.structures)))
    if not references:  # what there is lies between the slices looked at, or there is nothing
        return segment_slices(scan, networks, modality=modality, probabilities=probabilities, progress=progress)
    annotations = _annotations(scan, seen, references, len(networks.structures))
    report.total = len(looked_at) + steps(annotations)
    for finished in walk(stack, annotations, engine, fusion):
        report()
        if finished is None:
            continue
        masks = _of_all(finished.masks, annotations.structures, len(networks.structures))
        if finished.passes is not None:
            passes = (_of_all(one, annotations.structures, len(networks.structures)) for one in finished.passes)
            evidence.compare("passes", finished.index, *passes)
        if finished.index in seen and finished.index not in references:
            evidence.compare("stages", finished.index, masks, seen[finished.index].unpack())
        if agreement:
            carried = np.isin(np.arange(1, len(networks.structures) + 1), annotations.structures)
            near, away = np.ones(len(carried), np.float32), np.where(carried, 1, np.inf).astype(np.float32)
            masks = fuse(masks, seen.pop(finished.index).unpack(), away, near)
        answer.put(finished.index, masks)
        evidence.add(finished.index, masks)
    return answer.segmentation(references, evidence)


def segment_slices(
    scan: Volume,
    networks: ReferenceNetworks,
    *,
    modality: Modality = "auto",
    probabilities: Sequence[int] = (),
    progress: Progress | None = None,
) -> Segmentation:
    """Segment every slice by itself: the first stage alone.

    Args:
        scan: the scan.
        networks: segment single axial slices.
        modality: which windows show the scan.
        probabilities: label ids whose probabilities are kept.
        progress: called with slices done and slices to do.
    """
    answer, count = _Answer(scan, networks, probabilities), len(scan.array)
    report, evidence = _Reporter(progress, count), QualityFeatures.of(count, len(networks.structures))
    for number, masks in _predict_masks(networks, SliceStack.of(scan, Axis.AXIAL, modality), range(count), evidence):
        answer.put(number, masks)
        evidence.add(number, masks)
        report()
    return answer.segmentation((), evidence)


def _predict_masks(
    networks: ReferenceNetworks, stack: SliceStack, numbers: Sequence[int], evidence: QualityFeatures
) -> Iterator[tuple[int, Masks]]:
    """What the networks say of slices; how far the first two agree is evidence."""

    def windows(number: int) -> FloatArray:
        return stack[number].image

    for number, answers in zip(numbers, networks.answers(windows, numbers, len(stack)), strict=True):
        if len(answers) > 1:
            evidence.compare("networks", number, *(_masks(answer) for answer in answers[:2]))
        yield number, _masks(networks.combined(answers))


def _masks(probabilities: FloatArray) -> Masks:
    """Of the structures, from the probabilities (K + 1, H, W) of background and structures."""
    of_structures = probabilities[1:]
    return Masks.of(np.where(of_structures < _NOTHING, np.float32(0), of_structures))


def _candidates(seen: dict[int, PackedMasks], numbers: Sequence[int], structures: int) -> Candidates:
    areas, doubt = np.zeros((len(numbers), structures), np.intp), np.ones(len(numbers))
    for place, number in enumerate(numbers):
        masks = seen[number].unpack()
        classes, confidence = decide(masks)
        areas[place] = np.bincount(classes.ravel(), minlength=structures + 1)[1:]
        suspected = masks.total() > _SUSPECTED
        if areas[place].any():
            doubt[place] = 1 - confidence[suspected].mean() / 255
    return Candidates(np.asarray(numbers, np.intp), areas, doubt)


def _annotations(scan: Volume, seen: dict[int, PackedMasks], references: Sequence[int], structures: int) -> Annotations:
    """The reference slices, on which what the networks did not find is absent; class numbers for label ids."""
    drawn = np.zeros(scan.array.shape, np.min_scalar_type(structures))
    for number in references:
        drawn[number] = decide(seen[number].unpack())[0]
    found = tuple(int(k) for k in np.unique(drawn[list(references)]) if k)
    return Annotations(drawn, found, frozenset(references))


def _of_all(masks: Masks, classes: Sequence[int], structures: int) -> Masks:
    """Masks of some classes as masks of all."""
    patches = dict(zip(classes, masks.patches, strict=True))
    return Masks(masks.shape, tuple(patches.get(k) for k in range(1, structures + 1)))


class _Answer:
    """The labelled volume, as slices of it come in."""

    def __init__(self, scan: Volume, networks: ReferenceNetworks, kept: Sequence[int]) -> None:
        self._scan, self._networks = scan, networks
        shape, ids = scan.array.shape, [0, *networks.structures]
        self._ids: Array = np.array(ids, np.min_scalar_type(max(ids)))
        self._labels, self._confidence = np.zeros(shape, self._ids.dtype), np.zeros(shape, np.uint8)
        self._probabilities = {structure: np.zeros(shape, np.uint8) for structure in kept}

    def put(self, number: int, masks: Masks) -> None:
        """Take a slice."""
        classes, self._confidence[number] = decide(masks)
        self._labels[number] = self._ids[classes]
        for structure, volume in self._probabilities.items():
            patch = masks.patches[self._networks.structures.index(structure)]
            if patch is not None:
                volume[number][patch.place] = np.rint(255 * patch.values)

    def segmentation(self, references: Sequence[int], evidence: QualityFeatures) -> Segmentation:
        """All of it."""
        return Segmentation(
            self._scan.with_array(self._labels, self._networks.names),
            self._scan.with_array(self._confidence),
            Axis.AXIAL,
            tuple(references),
            self._networks.structures,
            evidence,
            self._probabilities,
        )


class _Reporter:
    """Counts slices for whoever shows progress."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self.total = progress, 0, total

    def __call__(self) -> None:
        """One more."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self.total)
