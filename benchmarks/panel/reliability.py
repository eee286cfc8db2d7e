"""Whether probabilities mean what they say: of voxels at 90 %, nine of ten are right.

What is looked at is the probability of each voxel's label, which is what propagation returns, where anybody would look
at it: in the regions of interest, on slices that were not annotated. The background far from every structure is left
out: there is much of it, and it is always right. There is much within the regions too, so that the voxels that were
given to a structure are looked at by themselves also.

References:
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017 (expected calibration error).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.plot import line_plot
from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.panel.protocol import CaseScore
    from ivos.types import Array, BoolArray

BINS = 20
_LEVELS = 255
_ROI = 2.5  # side of a region of interest in extents of the structure, as the network sees one


@dataclass(frozen=True)
class Reliability:
    """Voxels by :data:`BINS` equal bins of the probability of their label.

    Attributes:
        voxels: how many.
        probability: the sum of their probabilities.
        right: how many have the right label.
    """

    voxels: tuple[int, ...] = (0,) * BINS
    probability: tuple[float, ...] = (0.0,) * BINS
    right: tuple[int, ...] = (0,) * BINS

    @staticmethod
    def of(confidence: Array, right: BoolArray) -> Reliability:
        """Of some voxels' probabilities, 0..255, and whether their labels are right."""
        bins = np.minimum(confidence.astype(np.intp) * BINS // _LEVELS, BINS - 1)
        voxels = np.bincount(bins, minlength=BINS)
        probability = np.bincount(bins, confidence / _LEVELS, BINS)
        return Reliability(
            tuple(voxels.tolist()),
            tuple(probability.tolist()),
            tuple(np.bincount(bins[right], minlength=BINS).tolist()),
        )

    def __add__(self, other: Reliability) -> Reliability:
        """Both sets of voxels together."""
        return Reliability(
            tuple(a + b for a, b in zip(self.voxels, other.voxels, strict=True)),
            tuple(a + b for a, b in zip(self.probability, other.probability, strict=True)),
            tuple(a + b for a, b in zip(self.right, other.right, strict=True)),
        )

    @property
    def expected_error(self) -> float:
        """Expected calibration error: how far bins are off, weighted by their voxels; NaN without any."""
        off = sum(abs(right - probability) for right, probability in zip(self.right, self.probability, strict=True))
        return off / sum(self.voxels) if any(self.voxels) else float("nan")

    @property
    def overconfidence(self) -> float:
        """Mean probability less the share that is right; NaN without any voxels."""
        return (sum(self.probability) - sum(self.right)) / sum(self.voxels) if any(self.voxels) else float("nan")

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The share of each bin that is right; NaN for an empty one."""
        return tuple(
            right / count if count else float("nan") for right, count in zip(self.right, self.voxels, strict=True)
        )


def pooled(parts: Iterable[Reliability | None]) -> Reliability:
    """All voxels together."""
    return reduce(Reliability.__add__, (part for part in parts if part is not None), Reliability())


def reliability_plot(found: Mapping[tuple[str, str, str], Sequence[CaseScore]]) -> str:
    """An SVG of accuracy by probability, of voxels given to structures: protocols and engines over all cohorts."""
    middles = [(number + 0.5) / BINS for number in range(BINS)]
    together: dict[str, Reliability] = {}
    for (_, protocol, engine), cases in found.items():
        name = f"{engine}, {protocol}"
        together[name] = together.get(name, Reliability()) + pooled(case.of_structures for case in cases)
    curves = {name: part.accuracies for name, part in together.items() if any(part.voxels)}
    return line_plot(middles, {"as it should be": middles, **curves}, "probability of the label", "share that is right")


def regions_of_interest(found: BoolArray, truth: BoolArray, asked: BoolArray) -> BoolArray:
    """The voxels (Z, Y, X) about a structure: on each slice a rectangle 2.5 times as large as it is.

    Args:
        found: (Z, Y, X) the structure as it was found.
        truth: as it is; both count for its extent.
        asked: (Z,) the slices that are looked at.
    """
    inside = np.zeros(truth.shape, bool)
    for index in np.flatnonzero(asked):
        place = bounding_box(found[index] | truth[index])
        if place is not None:
            inside[index][tuple(_grown(span, length) for span, length in zip(place, truth.shape[1:], strict=True))] = (
                True
            )
    return inside


def _grown(span: slice, length: int) -> slice:
    more = round((_ROI - 1) / 2 * (span.stop - span.start))
    return slice(max(0, span.start - more), min(length, span.stop + more))
