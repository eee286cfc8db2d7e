"""Masks and colours as they come over the wire, into ours."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.annotate.messages import PackedMask, Pixel
    from ivos.types import BoolArray
    from ivos.volume.labels import Colour


def unpacked(mask: PackedMask, shape: tuple[int, int]) -> BoolArray:
    """The mask (H, W) of a whole slice.

    Args:
        mask: a box of it.
        shape: of the slice.

    Raises:
        InputError: the box reaches out of the slice, or its bits are no base64 or too few or many.
    """
    (height, width), whole = mask.shape, np.zeros(shape, bool)
    if mask.top + height > shape[0] or mask.left + width > shape[1]:
        box = f"{height} x {width} at ({mask.top}, {mask.left})"
        raise InputError(f"mask of {box}: reaches out of the slice of {shape[0]} x {shape[1]} pixels")
    try:
        packed = base64.b64decode(mask.bits, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("mask: its bits are no base64") from error
    if len(packed) != -(-height * width // 8):
        raise InputError(
            f"mask: {len(packed)} bytes of bits, but {height} x {width} pixels take {-(-height * width // 8)}"
        )
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=height * width)
    whole[mask.top : mask.top + height, mask.left : mask.left + width] = bits.reshape(height, width)
    return whole


def inside(outline: Sequence[Pixel], shape: tuple[int, int]) -> BoolArray:
    """The pixels (H, W) in an outline of points (row, column), its edge included."""
    pixels = np.zeros(shape, np.uint8)
    cv2.fillPoly(pixels, [np.array([(column, row) for row, column in outline], np.int32)], 1)
    return pixels > 0


def lines(strokes: Sequence[Sequence[Pixel]], shape: tuple[int, int], radius: int) -> BoolArray:
    """The pixels (H, W) of scribbles of so many pixels about their points."""
    from ivos.prompts.prompts import scribble

    pixels = np.zeros(shape, bool)
    for points in strokes:
        pixels |= scribble(shape, points, width=2 * radius + 1)
    return pixels


def colour_of(text: str) -> Colour:
    """Red, green and blue of ``#rrggbb``."""
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def hexadecimal(colour: Colour) -> str:
    """``#rrggbb`` of red, green and blue."""
    return f"#{bytes(colour).hex()}"
