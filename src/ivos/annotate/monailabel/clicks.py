"""Points in a structure and outside of it: what plug-ins call a model of type deepgrow, on one slice at a time."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ivos.annotate.messages import Click
from ivos.annotate.monailabel.vocabulary import with_ids
from ivos.errors import InputError
from ivos.types import Axis
from ivos.volume.geometry import reorientation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.annotate.messages import Pixel
    from ivos.annotate.monailabel.given import Given
    from ivos.annotate.monailabel.messages import Parameters, Voxel
    from ivos.annotate.session.scan_session import ScanSession
    from ivos.types import BoolArray
    from ivos.volume.volume import Volume


def click(opened: ScanSession, asked: Parameters, usual: Mapping[str, int], given: Given, who: str) -> BoolArray:
    """Refine a structure on the slices of the points, which are those of the scan's file.

    Args:
        opened: the scan.
        asked: the structure and the points.
        usual: ids of structures; see :func:`~ivos.annotate.monailabel.vocabulary.with_ids`.
        given: what was answered before.
        who: asked for it.

    Returns:
        Where it is on these slices (Z, Y, X); nothing on the others.

    Raises:
        InputError: no structure, no point, a point outside of the scan, or the structure is locked.
    """
    if asked.label is None or not (asked.foreground or asked.background):
        raise InputError("a click needs the name of a segment (label) and a point (foreground or background)")
    scan = opened.volume
    along = Axis(reorientation(scan.source).order.index(0))
    places: dict[int, tuple[list[Pixel], list[Pixel]]] = defaultdict(lambda: ([], []))
    for number, points in enumerate((asked.foreground, asked.background)):
        for point in points:
            index, pixel = _place(point, scan, along)
            places[index][number].append(pixel)
    structure = with_ids(opened, [asked.label], usual, who)[asked.label]
    axis = along.plane
    for index, (positive, negative) in places.items():
        action = Click(do="click", structure=structure, axis=axis, index=index, positive=positive, negative=negative)
        opened.act(action, who)
    now: BoolArray = opened.named_labels().array == structure
    last = given.mask(opened.id, structure)
    answered, known = np.zeros_like(now), np.zeros_like(now) if last is None else last
    for part in (answered, known):
        np.moveaxis(part, along, 0)[list(places)] = np.moveaxis(now, along, 0)[list(places)]
    given.keep(opened.id, structure, known)
    return answered


def _place(point: Voxel, scan: Volume, along: int) -> tuple[int, Pixel]:
    """A voxel of the file as the number of a canonical slice, and a pixel in it."""
    in_file = point[::-1]
    if any(n >= length for n, length in zip(in_file, scan.source.shape, strict=True)):
        raise InputError(f"point {list(point)}: outside of the scan of {scan.source.describe()}")
    order = reorientation(scan.source).order
    canonical = [scan.source_index(axis, in_file[old]) for axis, old in zip(Axis, order, strict=True)]
    index = canonical.pop(along)
    row, column = canonical
    return index, (row, column)
