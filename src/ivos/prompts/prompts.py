"""Prompts on one slice (clicks, scribbles, boxes), and the protocol of what converts them to masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.types import BoolArray, FloatArray

Box = tuple[int, int, int, int]
"""Top, left, bottom, right; the last two excluded, as in slices."""


@dataclass(frozen=True, eq=False)
class Strokes:
    """Scribbles, clicks and a box on one slice, all about one structure.

    Attributes:
        positive: (H, W) pixels that are said to be of the structure; where they are negative too, these count.
        negative: (H, W) pixels that are said not to be.
        box: what the structure fits into; None where none is drawn.

    Raises:
        InputError: the two are not of one shape (H, W), or the box is empty or reaches out of the slice.
    """

    positive: BoolArray
    negative: BoolArray
    box: Box | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.positive.ndim != 2 or self.positive.shape != self.negative.shape:
            shapes = f"{self.positive.shape} and {self.negative.shape}"
            raise InputError(f"strokes: positive and negative masks must have the same shape (H, W), not {shapes}")
        if self.box is not None:
            (top, left, bottom, right), (height, width) = self.box, self.shape
            if not (0 <= top < bottom <= height and 0 <= left < right <= width):
                raise InputError(
                    f"box {self.box}: top, left, bottom, right must be within a slice of {height} x {width}"
                )

    @staticmethod
    def none(shape: tuple[int, int]) -> Strokes:
        """Nothing drawn yet on a slice of that shape (H, W)."""
        return Strokes(np.zeros(shape, bool), np.zeros(shape, bool))

    @property
    def shape(self) -> tuple[int, int]:
        """Of the slice, (H, W)."""
        height, width = self.positive.shape
        return height, width

    @property
    def empty(self) -> bool:
        """Whether nothing is drawn."""
        return self.box is None and not self.positive.any() and not self.negative.any()

    def with_stroke(self, pixels: BoolArray, *, positive: bool) -> Strokes:
        """A copy with one more stroke, which overrides earlier strokes of the other sign."""
        if positive:
            return replace(self, positive=self.positive | pixels, negative=self.negative & ~pixels)
        return replace(self, positive=self.positive & ~pixels, negative=self.negative | pixels)


class StrokeSegmenter(Protocol):
    """Makes a mask of strokes."""

    def __call__(self, image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
        """Probabilities (H, W) of the structure.

        Args:
            image: the slice in three intensity windows (3, H, W), in [0, 1].
            strokes: all that are drawn on it.
            mask: (H, W) what is there already; empty for nothing.
        """


def click(shape: tuple[int, int], row: int, column: int, radius: int = 1) -> BoolArray:
    """The pixels (H, W) of a click: a disc, cut off at the slice's edge.

    Args:
        shape: of the slice.
        row: of the centre.
        column: of the centre.
        radius: in pixels; 0 is the one pixel.
    """
    pixels = np.zeros(shape, np.uint8)
    cv2.circle(pixels, (column, row), radius, 1, thickness=cv2.FILLED)
    return pixels > 0


def scribble(shape: tuple[int, int], points: Sequence[tuple[int, int]], width: int = 3) -> BoolArray:
    """The pixels (H, W) of a line through points (row, column), cut off at the slice's edge.

    Args:
        shape: of the slice.
        points: in the order in which they are drawn; one alone is a dot.
        width: of the line in pixels.
    """
    pixels = np.zeros(shape, np.uint8)
    if len(points) == 1:  # OpenCV draws no line to nowhere
        points = [*points, *points]
    path = np.array([(column, row) for row, column in points], np.int32).reshape(-1, 1, 2)
    cv2.polylines(pixels, [path], isClosed=False, color=1, thickness=width)
    return pixels > 0
