"""What is annotated, and how what was propagated from it is scored."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cases import largest_slice, measurable
from benchmarks.panel.reliability import Reliability, regions_of_interest
from ivos.errors import InputError

if TYPE_CHECKING:
    from benchmarks.cases import Case
    from benchmarks.panel.propagators import Found, Propagator
    from ivos.types import Array, BoolArray
    from ivos.volume.volume import Volume

DISTANCES = ((1, 3), (4, 10), (11, 25), (26, 50), (51, 100), (101, 10**6))
"""First and last distance, in slices, of each bin."""


@dataclass(frozen=True)
class Protocol:
    """One slice of each structure (``every`` is None), or every n-th slice fully."""

    every: int | None = None

    @staticmethod
    def parse(text: str) -> Protocol:
        """``one-slice`` or ``every:N``.

        Raises:
            InputError: neither.
        """
        if text == "one-slice":
            return Protocol()
        match = re.fullmatch(r"every:([1-9]\d*)", text)
        if match is None:
            raise InputError(f"--protocol {text}: one-slice or every:N is wanted, for example every:10")
        return Protocol(int(match.group(1)))

    def annotations(self, labels: Volume) -> tuple[Array, list[int]]:
        """Labels (Z, Y, X) with the annotated slices alone, and the numbers of those that are fully annotated."""
        annotated = np.zeros_like(labels.array)
        if self.every is None:
            for structure in measurable(labels):
                index = largest_slice(labels, structure)
                annotated[index][labels.array[index] == structure] = structure
            return annotated, []
        slices = list(range(self.every // 2, len(annotated), self.every))
        annotated[slices] = labels.array[slices]
        return annotated, slices


@dataclass(frozen=True)
class Counts:
    """Voxels shared with the truth, false ones and missed ones."""

    shared: int
    false: int
    missed: int

    @staticmethod
    def of(found: BoolArray, truth: BoolArray) -> Counts:
        """Those of a mask and the true one."""
        shared = int(np.count_nonzero(found & truth))
        return Counts(shared, int(np.count_nonzero(found)) - shared, int(np.count_nonzero(truth)) - shared)

    @property
    def truth(self) -> int:
        """Voxels of the truth."""
        return self.shared + self.missed

    @property
    def dsc(self) -> float:
        """DSC; NaN where there is nothing."""
        both = 2 * self.shared + self.false + self.missed
        return 2 * self.shared / both if both else float("nan")


@dataclass(frozen=True)
class StructureScore:
    """How one structure of a scan came out, over the slices on which it was not annotated.

    Attributes:
        structure: label id.
        name: its name.
        counts: over all of those slices.
        beyond: false voxels below the structure's first true slice or above its last one.
        by_distance: counts by the distance to the nearest slice on which it was annotated: see :data:`DISTANCES`.
        annotated: a slice on which it was annotated.
    """

    structure: int
    name: str
    counts: Counts
    beyond: int
    by_distance: tuple[Counts, ...]
    annotated: int


@dataclass(frozen=True)
class CaseScore:
    """How the propagation of a scan came out.

    Attributes:
        case: the scan's name.
        structures: those that were measured.
        seconds: the propagation took.
        reliability: of the probabilities within regions of interest; None where there are none.
        of_structures: of those voxels the ones that were given to a structure, without the much background.
    """

    case: str
    structures: tuple[StructureScore, ...]
    seconds: float
    reliability: Reliability | None = None
    of_structures: Reliability | None = None


def found_labels(
    scan: Volume, labels: Volume, protocol: Protocol, propagator: Propagator
) -> tuple[Found, Array, float]:
    """What was propagated, the annotated labels (Z, Y, X), and seconds."""
    annotated, full = protocol.annotations(labels)
    started = time.perf_counter()
    found = propagator(scan, labels.with_array(annotated, labels.names), full)
    return found, annotated, time.perf_counter() - started


def score_case(case: Case, protocol: Protocol, propagator: Propagator) -> CaseScore:
    """All measurable structures of a scan that are annotated somewhere."""
    scan, labels = case.load()
    found, annotated, seconds = found_labels(scan, labels, protocol, propagator)
    full = [] if protocol.every is None else list(range(protocol.every // 2, len(annotated), protocol.every))
    scores, regions = [], np.zeros(annotated.shape, bool)
    for structure in measurable(labels):
        shown = np.flatnonzero((annotated == structure).any(axis=(1, 2)))
        if shown.size:
            known = np.union1d(shown, full).astype(int)
            name = labels.names.get(structure, f"label {structure}")
            masks = found.labels == structure, labels.array == structure
            scores.append(_score(*masks, known, structure, name))
            regions |= regions_of_interest(*masks, ~np.isin(np.arange(len(annotated)), known))
    regions &= annotated == 0
    reliability = [
        _reliability(found, labels.array, annotated, part) for part in (regions, regions & (found.labels > 0))
    ]
    return CaseScore(case.name, tuple(scores), seconds, *reliability)


def _reliability(found: Found, truth: Array, annotated: Array, where: BoolArray) -> Reliability | None:
    """Of some voxels; what nobody annotated counts as background."""
    if found.confidence is None:
        return None
    meant = np.where(np.isin(truth[where], np.unique(annotated)), truth[where], 0)
    return Reliability.of(found.confidence[where], found.labels[where] == meant)


def _score(found: BoolArray, truth: BoolArray, known: Array, structure: int, name: str) -> StructureScore:
    away = np.abs(np.arange(len(truth))[:, None] - known).min(axis=1)
    asked = away > 0
    there = np.flatnonzero(truth.any(axis=(1, 2)))
    outside = asked.copy()
    outside[there[0] : there[-1] + 1] = False
    bins = [(away >= low) & (away <= high) for low, high in DISTANCES]
    return StructureScore(
        structure,
        name,
        Counts.of(found[asked], truth[asked]),
        int(np.count_nonzero(found[outside])),
        tuple(Counts.of(found[there], truth[there]) for there in bins),
        int(known[0]),
    )
