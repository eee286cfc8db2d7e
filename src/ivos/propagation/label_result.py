"""What comes of a scan, whichever way: labels, how sure they are, and the slices that they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivos.types import Axis
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class LabelResult:
    """A labelled scan.

    Attributes:
        labels: label ids on every slice.
        confidence: probability of each voxel's label, 0..255.
        axis: along which it was propagated.
        sources: numbers of the slices that the others were propagated from, in canonical order.
    """

    labels: Volume
    confidence: Volume
    axis: Axis
    sources: tuple[int, ...]

    @property
    def source_slices(self) -> list[int]:
        """The sources by their numbers in the scan's file, ascending."""
        return sorted(self.labels.source_index(self.axis, number) for number in self.sources)
