"""Masks of slices into a session, as a person's word."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from ivos.annotate.messages import Draw, PackedMask, Scribble

if TYPE_CHECKING:
    from ivos.annotate.session.scan_session import ScanSession
    from ivos.types import AxisName, BoolArray

_LINES_AT_ONCE = 1_000


def draw(opened: ScanSession, structure: int, axis: AxisName, index: int, mask: BoolArray, who: str) -> None:
    """Say where a structure is on a slice.

    Args:
        opened: the scan.
        structure: its id.
        axis: along which slices are numbered.
        index: of the slice.
        mask: (H, W); an empty one says that it is absent.
        who: says so.

    Raises:
        InputError: the structure is locked.
    """
    opened.act(Draw(do="draw", structure=structure, axis=axis, index=index, mask=packed(mask)), who)


def scribble(
    opened: ScanSession, structure: int, axis: AxisName, index: int, inside: BoolArray, outside: BoolArray, who: str
) -> None:
    """Refine a structure on a slice by pixels (H, W) that are in it, and others that are not.

    Raises:
        InputError: the structure is locked.
    """
    positive, negative = _rows(inside), _rows(outside)
    for first in range(0, max(len(positive), len(negative)), _LINES_AT_ONCE):
        part = slice(first, first + _LINES_AT_ONCE)
        lines = {"positive": positive[part], "negative": negative[part]}
        opened.act(Scribble(do="scribble", structure=structure, axis=axis, index=index, radius=0, **lines), who)


def packed(mask: BoolArray) -> PackedMask:
    """A mask as it goes over the wire."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return PackedMask(top=0, left=0, shape=(0, 0), bits="")
    top, left = int(rows[0]), int(columns[0])
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    height, width = box.shape
    bits = base64.b64encode(np.packbits(box).tobytes()).decode()
    return PackedMask(top=top, left=left, shape=(height, width), bits=bits)


def _rows(mask: BoolArray) -> list[list[tuple[int, int]]]:
    """A mask as horizontal lines of one pixel's width, each from its first pixel to its last."""
    changes = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    first, last = np.argwhere(changes == 1), np.argwhere(changes == -1)  # both row by row
    return [
        [(int(row), int(begin)), (int(row), int(end) - 1)] for (row, begin), (_, end) in zip(first, last, strict=True)
    ]
