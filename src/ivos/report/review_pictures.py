"""Pictures for reviewing predictions: the slice on which they differ most, the consensus beside them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.report.pictures import Painter, draw_outlines, draw_rings, tiled
from ivos.types import Axis
from ivos.volume.labels import scheme_from_names
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ivos.report.pictures import Picture
    from ivos.types import Array
    from ivos.volume.volume import Volume

PICTURED = 40
"""As many cases have a picture."""

_TILE_PIXELS, _BESIDE = 260, 3  # width of a tile; how many predictions are shown beside the consensus
_JPEG_QUALITY = 85
_AIR_HU = -1000


@dataclass(frozen=True)
class ReviewPicture:
    """A picture in a page.

    Attributes:
        address: the picture itself, as the address of an image.
        caption: which slice it is, and what stands side by side.
    """

    address: str
    caption: str


@dataclass
class WorstPictures:
    """The pictures of the cases that rank first so far; the others are not painted, or let go.

    Attributes:
        kept: by case.
    """

    kept: dict[str, ReviewPicture] = field(default_factory=dict)
    _ranks: dict[str, tuple[float, str]] = field(default_factory=dict)

    def add(self, case: str, rank: tuple[float, str], paint: Callable[[], ReviewPicture]) -> None:
        """Have a case painted if it ranks among them.

        Args:
            case: its name.
            rank: lower ranks are kept.
            paint: makes the picture.
        """
        if len(self.kept) >= PICTURED:
            last = max(self._ranks, key=lambda kept: self._ranks[kept])
            if rank >= self._ranks[last]:
                return
            del self.kept[last], self._ranks[last]
        self.kept[case], self._ranks[case] = paint(), rank


@dataclass(frozen=True)
class Doubtful:
    """The structure that a picture is to show.

    Attributes:
        structure: label id.
        name: its name.
    """

    structure: int
    name: str


def review_picture(
    scan: Volume | None, consensus: Volume, others: Mapping[str, Volume], doubtful: Doubtful | None = None
) -> ReviewPicture:
    """The slice on which label volumes differ most from the consensus: that, and those which differ most there.

    Args:
        scan: what lies below; None for a dark ground.
        consensus: label ids.
        others: by name, on the same grid.
        doubtful: the structure in which they are compared, outlined in white; by default all of them.
    """
    seen = [_compared_ids(volume, doubtful) for volume in (consensus, *others.values())]
    differing = [np.count_nonzero(array != seen[0], axis=(1, 2)) for array in seen[1:]]
    total = np.sum(differing, axis=0)
    if not total.any():
        total = np.count_nonzero(consensus.array, axis=(1, 2))
    index = int(total.argmax())
    most = sorted(range(len(differing)), key=lambda n: -int(differing[n][index]))[:_BESIDE]
    shown = [(name, volume) for n, (name, volume) in enumerate(others.items()) if n in most]
    ground = scan or replace(consensus, array=np.full(consensus.array.shape, _AIR_HU, np.int16), modality="CT")
    sheet = _painted(ground, index, [consensus, *(volume for _, volume in shown)], doubtful)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    ringed_one = "" if doubtful is None else f", {doubtful.name} outlined in white"
    names = ", ".join(["consensus", *(name for name, _ in shown)])
    return ReviewPicture(
        f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}",
        f"Slice {consensus.source_index(Axis.AXIAL, index)}{ringed_one}, from left to right: {names}",
    )


def _compared_ids(labels: Volume, doubtful: Doubtful | None) -> Array:
    """What is compared of label ids (Z, Y, X)."""
    return labels.array if doubtful is None else labels.array == doubtful.structure


def _painted(ground: Volume, index: int, labels: Sequence[Volume], doubtful: Doubtful | None) -> Picture:
    """The same part of a slice with each of some labels, side by side."""
    anywhere = ground.with_array(np.any([volume.array > 0 for volume in labels], axis=0))
    painter = Painter(ground, anywhere, Axis.AXIAL, _TILE_PIXELS)
    rows, columns = painter.view
    grey = channels(ground.array[index, rows, columns], windows_for(ground))[0]
    smooth = np.clip(cv2.resize(grey, painter.size(grey.shape), interpolation=cv2.INTER_CUBIC), 0, 1)
    base = cv2.cvtColor(np.rint(smooth * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    scheme = scheme_from_names(labels[0].names)

    def over(plane: Array) -> Picture:
        colours = {int(label): scheme.colour(int(label)) for label in np.unique(plane)}
        painted = draw_outlines(base.copy(), np.ascontiguousarray(plane), colours)
        if doubtful is None:
            return painted
        return draw_rings(painted, plane == doubtful.structure, scheme.colour(doubtful.structure))

    return tiled([over(volume.array[index, rows, columns]) for volume in labels], len(labels))
