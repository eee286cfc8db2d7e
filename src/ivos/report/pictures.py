"""Slices as pictures: grey scan, coloured outlines, right proportions, head up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ivos.volume.labels import scheme_from_names
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.types import Axis
    from ivos.volume.volume import Volume

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) RGB."""

_FILL = 0.28
_DRAWN_COLOUR = (255, 214, 10)
_FILM_FRAMES = 90
_FILM_MS = 90


@dataclass(frozen=True)
class Painter:
    """Paints slices of one scan with its labels.

    Attributes:
        scan: the scan.
        labels: labels on its grid.
        axis: the array axis along which slices are taken.
        width: width in pixels of a painted slice.
        mark: what the framed slices are.
    """

    scan: Volume
    labels: Volume
    axis: Axis
    width: int
    mark: str = "drawn"

    def paint(self, index: int, *, drawn: bool) -> Picture:
        """One slice, with its number in the file and a mark if a person drew it."""
        intensities = np.moveaxis(self.scan.array, self.axis, 0)[index]
        ids = np.moveaxis(self.labels.array, self.axis, 0)[index]
        rows, columns = self.view
        grey = channels(intensities[rows, columns], windows_for(self.scan))[0]
        ids = np.ascontiguousarray(ids[rows, columns])
        if self.axis != 0:  # the first remaining axis points to the head: up
            grey, ids = grey[::-1], np.ascontiguousarray(ids[::-1])
        size = self.size(grey.shape)
        picture = cv2.cvtColor(cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        painted = draw_outlines(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), ids, self.colours)
        number = self.labels.source_index(self.axis, index)
        return _captioned(painted, f"slice {number}" + (f" - {self.mark}" if drawn else ""), drawn=drawn)

    @cached_property
    def colours(self) -> dict[int, tuple[int, int, int]]:
        """Of the labels that are there."""
        scheme = scheme_from_names(self.labels.names)
        return {int(label): scheme.colour(int(label)) for label in np.unique(self.labels.array) if label}

    @cached_property
    def view(self) -> tuple[slice, slice]:
        """The part of a slice that holds the patient: the same for all slices."""
        stack = np.moveaxis(self.scan.array, self.axis, 0)
        step = max(1, len(stack) // 24)
        seen = channels(stack[::step].max(axis=0), windows_for(self.scan))[0] > 0.2
        seen |= np.moveaxis(self.labels.array, self.axis, 0).any(axis=0)
        spans = []
        for axis, length in enumerate(seen.shape):
            inside = np.flatnonzero(seen.mean(axis=1 - axis) > 0.02)
            first, last = (int(inside[0]), int(inside[-1])) if inside.size else (0, length - 1)
            spans.append(slice(max(0, first - 3), min(length, last + 4)))
        return spans[0], spans[1]

    def size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Width and height of a picture of part of a slice (rows, columns), in its true proportions."""
        rows_mm, columns_mm = (s for n, s in enumerate(self.scan.geometry.spacing_mm) if n != self.axis)
        return self.width, max(1, round(self.width * shape[0] * rows_mm / (shape[1] * columns_mm)))


def montage(painter: Painter, annotated: Sequence[int], *, tiles: int = 12, columns: int = 4) -> Picture:
    """Slices spread over the labelled part of the scan, the annotated ones among them."""
    shown = _spread(_labelled(painter), annotated, tiles)
    return tiled([painter.paint(index, drawn=index in annotated) for index in shown], columns)


def tiled(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures of one width on one sheet, row by row; lower ones are filled up."""
    height, width = max(len(picture) for picture in pictures), pictures[0].shape[1]
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + 4) - 4, columns * (width + 4) - 4, 3), 16, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * (height + 4), (number % columns) * (width + 4)
        sheet[top : top + len(picture), left : left + width] = picture
    return sheet


def film(painter: Painter, annotated: Sequence[int]) -> list[Image.Image]:
    """The frames of a film through the labelled part of the scan, towards the head."""
    labelled = _labelled(painter)
    step = max(1, -(-len(labelled) // _FILM_FRAMES))
    frames = [painter.paint(index, drawn=index in annotated) for index in labelled[::step]]
    octree, plain = Image.Quantize.FASTOCTREE, Image.Dither.NONE  # the default palette loses small structures' colours
    return [Image.fromarray(frame).quantize(128, method=octree, dither=plain) for frame in frames]


def save_film(frames: list[Image.Image], path: str) -> None:
    """Write frames as an endless GIF."""
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=_FILM_MS, loop=0, optimize=False)


def _labelled(painter: Painter) -> list[int]:
    others = tuple(axis for axis in range(3) if axis != painter.axis)
    found = np.flatnonzero(painter.labels.array.any(axis=others))
    if not found.size:
        return list(range(painter.labels.array.shape[painter.axis]))
    return list(range(int(found[0]), int(found[-1]) + 1))


def _spread(labelled: list[int], annotated: Sequence[int], tiles: int) -> list[int]:
    """``tiles`` slice numbers, evenly spread; the nearest to each annotated slice gives way to it."""
    count = min(tiles, len(labelled))
    shown = [labelled[n] for n in np.linspace(0, len(labelled) - 1, count).round().astype(int)]
    for index in annotated[:: max(1, -(-len(annotated) // max(1, count // 2)))]:
        free = [n for n in shown if n not in annotated]
        if index not in shown and free:
            shown[shown.index(min(free, key=lambda n: abs(n - index)))] = index
    return sorted(shown)


def draw_outlines(picture: Picture, ids: npt.NDArray[np.integer], colours: dict[int, tuple[int, int, int]]) -> Picture:
    """Translucent fill and a thin outline for every structure."""
    size = (picture.shape[1], picture.shape[0])
    for label in (int(n) for n in np.unique(ids) if n):
        mask = _enlarged(ids == label, size)
        colour = np.array(colours[label], np.float32)
        inside = mask.astype(bool)
        picture[inside] = ((1 - _FILL) * picture[inside] + _FILL * colour).astype(np.uint8)
        cv2.drawContours(picture, _contours(mask), -1, colours[label], 1, cv2.LINE_AA)
    return picture


def draw_rings(picture: Picture, mask: npt.NDArray[np.bool_], colour: tuple[int, int, int]) -> Picture:
    """A structure's outline on a white line, to be found among others."""
    contours = _contours(_enlarged(mask, (picture.shape[1], picture.shape[0])))
    cv2.drawContours(picture, contours, -1, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.drawContours(picture, contours, -1, colour, 1, cv2.LINE_AA)
    return picture


def _enlarged(mask: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A mask at another width and height, without the steps of its pixels."""
    smooth = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR))
    return (smooth >= 0.5).astype(np.uint8)


def _contours(mask: npt.NDArray[np.uint8]) -> Sequence[npt.NDArray[np.integer]]:
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return contours


def _captioned(picture: Picture, text: str, *, drawn: bool) -> Picture:
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    colour = _DRAWN_COLOUR if drawn else (225, 225, 225)
    font = ImageFont.load_default(max(11, picture.shape[1] // 26))
    draw.text((8, 5), text, fill=colour, font=font, stroke_width=1, stroke_fill=(0, 0, 0))
    if drawn:
        draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=colour, width=3)
    return np.asarray(image)
