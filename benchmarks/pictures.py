"""Pictures of failures: truth and prediction outlined on the drawn slice and on the slices that went most wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.cases import largest_slice
from benchmarks.scores import propagate_slices
from ivos.files import replacing
from ivos.types import Axis
from ivos.volume.boxes import bounding_box
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from benchmarks.cases import Case
    from benchmarks.engines import Contender
    from benchmarks.scores import Score
    from ivos.prompts.prompts import Strokes
    from ivos.report.pictures import Picture
    from ivos.volume.volume import Volume

    Mask = npt.NDArray[np.bool_]

_TRUTH, _FOUND, _PLAIN = (64, 220, 96), (255, 80, 200), (235, 235, 235)
_WANTED, _UNWANTED = (80, 170, 255), (255, 170, 40)  # positive and negative prompts
_SIDE, _HEAD = 300, 30  # pixels: the larger side of a tile; the line with the title
_MARGIN_MM = 25.0
_WRONG_SLICES = 4


def save_worst(folder: Path, found: list[tuple[Case, Score]], engine: Contender, worst: int) -> list[Path]:
    """One PNG for each of the structures of lowest DSC, each walked once more; where they are."""
    paths = []
    for rank, (case, score) in enumerate(sorted(found, key=lambda item: item[1].dsc)[:worst], start=1):
        scan, labels = case.load()
        drawn = largest_slice(labels, score.structure)
        result = propagate_slices(scan, labels, [drawn], [score.structure], engine.load()) == score.structure
        title = f"{case.name}: {score.name}, {engine.name}, DSC {score.dsc:.3f}"
        name = f"{rank} {case.name} {score.name} {engine.name}"
        paths.append(save_sheet(folder, name, title, scan, labels.array == score.structure, result, drawn))
    return paths


def save_sheet(folder: Path, name: str, title: str, scan: Volume, truth: Mask, found: Mask, drawn: int) -> Path:
    """A PNG of the annotated slice and the most wrong ones of a structure; where it is."""
    return save_tiles(folder, name, title, _tiles(scan, truth, found, drawn))


def save_tiles(folder: Path, name: str, title: str, tiles: Sequence[Picture]) -> Path:
    """A PNG of tiles of one height beside each other; where it is."""
    between = np.full((len(tiles[0]), 4, 3), 16, np.uint8)
    sheet = np.hstack([part for tile in tiles for part in (tile, between)][:-1])
    place = folder / (re.sub(r"\W+", "_", name) + ".png")
    with replacing(place) as path:
        _add_title(sheet, title).save(path)
    return place


def prompt_tile(scan: Volume, index: int, truth: Mask, found: Mask, strokes: Strokes, text: str) -> Picture:
    """The surroundings of a structure (H, W) on a slice: it, the mask that was found, and what prompted that."""
    box = bounding_box(truth, margin=round(_MARGIN_MM / scan.geometry.spacing_mm[2])) or (slice(None), slice(None))
    tile = _enlarge(scan, index, box)
    inside = np.zeros(truth.shape, bool)
    if strokes.box is not None:
        top, left, bottom, right = strokes.box
        inside[top:bottom, left:right] = True
    shown = (strokes.positive, _WANTED, -1), (strokes.negative, _UNWANTED, -1), (inside, _WANTED, 1)
    for mask, colour, thickness in (*shown, (truth, _TRUTH, 2), (found, _FOUND, 1)):
        _outline(tile, mask[box], colour, thickness)
    return _write_text(tile, text)


def _tiles(scan: Volume, truth: Mask, found: Mask, drawn: int) -> list[Picture]:
    """The drawn slice, then the most wrong ones in their order, all of the same part of the slice."""
    shown = [drawn, *_most_wrong(truth, found)]
    seen: Mask = np.any(truth[shown] | found[shown], axis=0)
    box = bounding_box(seen, margin=round(_MARGIN_MM / scan.geometry.spacing_mm[2])) or (slice(None), slice(None))
    tiles = []
    for index in shown:
        tile = _enlarge(scan, index, box)
        _outline(tile, truth[index][box], _TRUTH, 2)
        _outline(tile, found[index][box], _FOUND, 1)
        away = "drawn" if index == drawn else f"{index - drawn:+d}"
        tiles.append(_write_text(tile, f"slice {scan.source_index(Axis.AXIAL, index)}, {away}"))
    return tiles


def _most_wrong(truth: Mask, found: Mask) -> list[int]:
    """The slices with most wrong voxels; none close to another, so that they show different things."""
    wrong = np.count_nonzero(truth ^ found, axis=(1, 2))
    apart = max(1, int(np.count_nonzero(wrong)) // (2 * _WRONG_SLICES))
    chosen: list[int] = []
    for index in (int(n) for n in np.argsort(-wrong, kind="stable") if wrong[n]):
        if len(chosen) < _WRONG_SLICES and all(abs(index - other) >= apart for other in chosen):
            chosen.append(index)
    return sorted(chosen)


def _enlarge(scan: Volume, index: int, box: tuple[slice, ...]) -> Picture:
    """Part of a slice in grey, in its right proportions."""
    grey = channels(scan.array[index][box], windows_for(scan))[0]
    sides_mm = [count * mm for count, mm in zip(grey.shape, scan.geometry.spacing_mm[1:], strict=True)]
    height, width = (max(1, round(_SIDE * side / max(sides_mm))) for side in sides_mm)
    large = np.clip(cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    picture: Picture = cv2.cvtColor(np.rint(large * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    return picture


def _outline(tile: Picture, mask: Mask, colour: tuple[int, int, int], thickness: int) -> None:
    size = (tile.shape[1], tile.shape[0])
    smooth = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    contours, _ = cv2.findContours((smooth >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, contours, -1, colour, thickness, cv2.LINE_AA)


def _write_text(tile: Picture, text: str) -> Picture:
    image = Image.fromarray(tile)
    font = ImageFont.load_default(14)
    ImageDraw.Draw(image).text((6, 4), text, fill=_PLAIN, font=font, stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(image)


def _add_title(sheet: Picture, title: str) -> Image.Image:
    """The sheet under its title and the meaning of the colours."""
    image = Image.new("RGB", (sheet.shape[1], sheet.shape[0] + _HEAD), (16, 16, 16))
    image.paste(Image.fromarray(sheet), (0, _HEAD))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    at = 8.0
    for text, colour in ((title, _PLAIN), ("truth", _TRUTH), ("prediction", _FOUND)):
        draw.text((at, 6), text, fill=colour, font=font)
        at += draw.textlength(text, font=font) + 24
    return image
