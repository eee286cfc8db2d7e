"""Suggest the slice to annotate next: the one with the largest expected gain.

References:
    Settles: Active Learning Literature Survey, 2009: expected error reduction.
    Nemhauser, Wolsey, Fisher: An analysis of approximations for maximizing submodular set functions, 1978: one after
    the other, each for what those before it leave.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ivos.propagation.annotated_planes import along_one_axis
from ivos.propagation.annotations import annotations_along
from ivos.propagation.bidirectional import SliceStack, steps, walk
from ivos.propagation.engines.registry import create_engine
from ivos.types import Axis
from ivos.uncertainty.expected_errors import expected_errors, expected_unseen_structures, remoteness
from ivos.uncertainty.features import QualityFeatures
from ivos.volume.checks import check_scan, checked_labels
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from ivos.propagation.annotations import Annotations
    from ivos.propagation.bidirectional import Propagated
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import BoolArray, Progress
    from ivos.uncertainty.expected_errors import ExpectedErrors
    from ivos.uncertainty.features import PerSlice
    from ivos.volume.volume import Volume
    from ivos.volume.windows import Modality

_log = logging.getLogger(__name__)

_MIN_GAIN = 1e-4  # of DSC: nothing that anyone would draw a slice for
_ENDING = 0.5  # of its area on the nearest slice that shows it: there a structure may be ending

Reason = Literal["uncertain", "passes disagree", "far", "end", "not drawn yet"]
"""What a slice is suggested for: probabilities are undecided; both passes do not agree; it is far from what
is drawn; a structure ends near it, nobody knows where; there may be structures that no drawn slice shows."""


@dataclass(frozen=True)
class Suggestion:
    """A slice to draw.

    Attributes:
        index: its number along the walked axis, in canonical order.
        gain: by how much drawing it is expected to raise the mean DSC of the structures, 0..1, once those before it in
            the list are drawn.
        structure: label id of the one that profits most; None where that is one that no drawn slice shows yet.
        why: what speaks for it most.
    """

    index: int
    gain: float
    structure: int | None
    why: Reason


@dataclass(frozen=True)
class Suggestions:
    """The slices to draw.

    Attributes:
        slices: the best first, each for what those before it leave.
        by_structure: for each structure that any slice would help the one that helps it most, with the gain of its own
            DSC.
        axis: the array axis along which slices are numbered.
    """

    slices: tuple[Suggestion, ...]
    by_structure: tuple[Suggestion, ...]
    axis: Axis


def suggest(
    scan: Volume,
    drawn: Volume,
    *,
    count: int = 5,
    engine: Engine | None = None,
    axis: Axis | str | None = None,
    structures: Sequence[int] | None = None,
    complete: Iterable[int] | bool = (),
    modality: Modality = "auto",
    progress: Progress | None = None,
) -> Suggestions:
    """Propagate drawn slices, and say which to draw next.

    To suggest slices after a propagation without repeating it, pass each finished slice to :func:`collect_features`,
    then call :func:`rank`.

    Args:
        scan: the scan.
        drawn: label volume on the scan's grid, 0 but on the drawn slices.
        count: of slices to suggest, at most.
        engine: how masks get from a slice to the next; the bundled network, ``fast``, by default.
        axis: ``"axial"``, ``"coronal"`` or ``"sagittal"``; by default the one along which the slices are drawn.
        structures: label ids to care for; by default all that are drawn, and those that no slice shows yet.
        complete: numbers of the slices (canonical order) on which everything present is drawn; True for every slice
            with something drawn.
        modality: ``"ct"`` for the CT windows in HU, ``"mr"`` for windows by percentiles, ``"auto"`` to go by the scan.
        progress: called with slices visited and slices to visit.

    Raises:
        InputError: as :func:`ivos.propagate`.
    """
    check_scan(scan)
    drawn = on_grid_of(checked_labels(drawn, "annotations"), scan, "annotations")
    taken = along_one_axis(drawn, axis, structures=structures)
    along, drawn = taken.axis, taken.labels
    if taken.note:
        _log.warning("%s", taken.note)
    annotations = annotations_along(drawn, along, structures=structures, complete=complete)
    stack = SliceStack.of(scan, along, modality)
    evidence, total = QualityFeatures.of(len(stack), len(annotations.structures)), steps(annotations)
    for done, finished in enumerate(walk(stack, annotations, engine or create_engine("fast")), start=1):
        if finished is not None:
            collect_features(evidence, finished)
        if progress is not None:
            progress(done, total)
    return rank(evidence, annotations, count=count, axis=along, exploring=structures is None)


def collect_features(evidence: QualityFeatures, finished: Propagated) -> None:
    """Take a slice that the walk has finished into the evidence that :func:`rank` goes by."""
    evidence.add(finished.index, finished.masks)
    if finished.passes is not None:
        evidence.compare("passes", finished.index, *finished.passes)


def rank(
    evidence: QualityFeatures,
    annotations: Annotations,
    *,
    count: int = 5,
    axis: Axis = Axis.AXIAL,
    exploring: bool = True,
) -> Suggestions:
    """Which slices to draw next, by what a propagation has left.

    A drawn slice mends what is wrong on it, and of what is wrong on others the less, the farther they are; and it may
    show structures that no drawn slice shows. The best slice is taken, what it mends is taken off, and so on.

    Args:
        evidence: of N slices and K structures.
        annotations: that were propagated.
        count: of slices to suggest, at most.
        axis: that was walked.
        exploring: whether structures that no drawn slice shows are looked for. They are only if some slices are
            complete: on the others a person may have left out whatever they do not want.
    """
    errors, known = expected_errors(evidence, annotations), annotations.known.copy()
    losses = errors.total
    sound = 1 - losses.sum() / losses.shape[1]  # what one slice makes of a structure that it is the first to show
    exploring = exploring and bool(annotations.complete)
    reasons = _Reasons(evidence, annotations, errors)
    by_structure: tuple[Suggestion, ...] = ()
    chosen: list[Suggestion] = []
    while len(chosen) < count:
        mended = _mended_errors(losses, known)
        unseen = np.zeros(len(known))
        if exploring:
            unseen = sound * expected_unseen_structures(evidence.voxels > 0, np.asarray(known.any(axis=1)))
        if not chosen:
            by_structure = _best_for_each(mended, reasons)
        gains = (mended.sum(axis=1) + unseen) / known.shape[1]
        best = int(gains.argmax())
        if gains[best] < _MIN_GAIN:
            break
        k = None if unseen[best] > mended[best].sum() else int(mended[best].argmax())
        chosen.append(reasons.suggestion(best, float(gains[best]), k))
        losses = losses * _remaining_share(known, best)
        known[best] = True
    return Suggestions(tuple(chosen), by_structure, axis)


def _mended_errors(losses: PerSlice, known: BoolArray) -> PerSlice:
    """(N, K) what drawing each slice mends of each structure."""
    return np.array([(losses * (1 - _remaining_share(known, number))).sum(axis=0) for number in range(len(known))])


def _remaining_share(known: BoolArray, number: int) -> PerSlice:
    """(N, K) which share of what is wrong is left once a slice is drawn."""
    then = known.copy()
    then[number] = True
    now = remoteness(known)
    return np.divide(remoteness(then), now, out=np.zeros_like(now), where=now > 0)


def _best_for_each(mended: PerSlice, reasons: _Reasons) -> tuple[Suggestion, ...]:
    best = mended.argmax(axis=0)
    return tuple(
        reasons.suggestion(int(n), float(mended[n, k]), k) for k, n in enumerate(best) if mended[n, k] >= _MIN_GAIN
    )


@dataclass(frozen=True)
class _Reasons:
    """Puts in a word why a slice would help a structure."""

    evidence: QualityFeatures
    annotations: Annotations
    errors: ExpectedErrors

    def suggestion(self, index: int, gain: float, k: int | None) -> Suggestion:
        """With what speaks for it; without a structure for those that no slice shows yet."""
        if k is None:
            return Suggestion(index, gain, None, "not drawn yet")
        return Suggestion(index, gain, self.annotations.structures[k], self._why(index, k))

    def _why(self, index: int, k: int) -> Reason:
        areas = self.evidence.voxels[:, k]
        shown = np.flatnonzero(self.annotations.known[:, k] & (areas > 0))
        if shown.size and not shown[0] <= index <= shown[-1]:
            nearest = shown[0] if index < shown[0] else shown[-1]
            if areas[index] < _ENDING * areas[nearest]:
                return "end"
        mends = 1 - _remaining_share(self.annotations.known, index)[:, k]
        parts: dict[Reason, PerSlice] = {
            "far": self.errors.far + self.errors.end,
            "uncertain": self.errors.doubt,
            "passes disagree": self.errors.passes,
        }
        return max(parts, key=lambda why: _weight_of_reason(parts[why][:, k], mends))


def _weight_of_reason(losses: npt.NDArray[np.float64], mends: npt.NDArray[np.float64]) -> float:
    """How much (N,) losses are mended, times how unusual so much of them is."""
    mended, usual = float(mends @ losses), float(mends.sum() * losses.mean())
    return mended**2 / usual if usual else 0.0
