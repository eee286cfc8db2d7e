"""Videos through a scan: the scan, predictions, truth and uncertainty side by side, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ivos.errors import InputError
from ivos.files import replacing, suffix_of
from ivos.report.pictures import Painter, draw_outlines, save_film, tiled
from ivos.volume.labels import LabelScheme, scheme_from_names
from ivos.volume.windows import Windows, channels, windows_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ivos.report.pictures import Picture
    from ivos.types import Array, Axis, Progress
    from ivos.volume.volume import Volume

FORMATS = (".gif", ".mp4")

_WIDTH, _WIDTH_IN_GIF = 448, 320  # pixels of a column
_GIF_FRAMES = 90  # a GIF holds every frame nearly whole: it grows fast
_FRAMES_PER_S = 10
_BEYOND = 3  # slices shown beyond what is labelled
_ENCODER: Final = "libx264"
_BT601 = 6  # how the encoder makes brightness and colour of red, green and blue; code of H.264
_IN_A_ROW = 4  # columns: more make a band too wide for screens and for decoders
_BAR, _LINE = 26, 22
_LEGEND_LINES = 4
_DARK, _BRIGHT = (16, 16, 16), (225, 225, 225)
_HEAT = cv2.COLORMAP_INFERNO  # brightness and hue rise together with the value
_HEAT_SHARE = 0.85  # of the colour where uncertainty is highest; where there is none the scan shows


@dataclass(frozen=True)
class Column:
    """What is shown over the scan in one column; the scan alone if nothing is.

    Attributes:
        title: what stands above it.
        labels: label ids on the scan's grid.
        uncertainty: uint8 on the scan's grid, 0..255, see :func:`uncertainty_of`.
    """

    title: str
    labels: Volume | None = None
    uncertainty: Volume | None = None


@dataclass(frozen=True)
class Video:
    """The frames of a video: one slice in all columns, through the same window and with the same crop.

    Attributes:
        scan: the scan.
        columns: what is shown of it, from left to right; more than four take a second row.
        axis: the array axis along which slices are taken.
        width: pixels of a column.
    """

    scan: Volume
    columns: Sequence[Column]
    axis: Axis
    width: int

    @cached_property
    def indices(self) -> list[int]:
        """The slices towards the head, those with labels and a few beyond; all where nothing is labelled."""
        count = self.scan.array.shape[self.axis]
        others = tuple(axis for axis in range(3) if axis != self.axis)
        labelled = np.flatnonzero(self._labelled.any(axis=others))
        if not labelled.size:
            return list(range(count))
        return list(range(max(0, int(labelled[0]) - _BEYOND), min(count, int(labelled[-1]) + 1 + _BEYOND)))

    def frame(self, index: int) -> Picture:
        """One slice: pictures under their titles, in rows of the same length, and the names of the colours."""
        grey = channels(self._plane(self.scan.array, index), self._windows)[0]
        size = self._painter.size(grey.shape)
        smooth = np.clip(cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC), 0, 1)
        base = cv2.cvtColor(np.rint(smooth * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        where = f"{self.axis} {self.scan.source_index(self.axis, index)}"
        pictures = []
        for number, column in enumerate(self.columns):
            bar = self._bar(column, where if number == 0 else "")
            pictures.append(np.vstack([bar, self._painted(base, column, index)]))
        sheet = tiled(pictures, self._in_a_row)
        return np.vstack([sheet, self._legend(sheet.shape[1])])

    def _painted(self, base: Picture, column: Column, index: int) -> Picture:
        if column.labels is not None:
            return draw_outlines(base.copy(), self._plane(column.labels.array, index), self._colours)
        if column.uncertainty is not None:
            return _heat_colours(base, self._plane(column.uncertainty.array, index))
        return base

    def _plane(self, array: Array, index: int) -> Array:
        """The part of a slice that is shown, head up."""
        rows, columns = self._painter.view
        plane = np.moveaxis(array, self.axis, 0)[index][rows, columns]
        return np.ascontiguousarray(plane if self.axis == 0 else plane[::-1])

    def _bar(self, column: Column, right: str) -> Picture:
        """The title, and at the right end the slice's number or the scale of the uncertainty."""
        image = Image.new("RGB", (self.width, _BAR), _DARK)
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
        space = self.width - 16
        if right:
            space -= round(draw.textlength(right, font)) + 8
            draw.text((self.width - 6, _BAR // 2), right, fill=_BRIGHT, font=font, anchor="rm")
        if column.uncertainty is not None:
            space -= 124
            scale = cv2.applyColorMap(np.tile(np.arange(0, 256, 3, dtype=np.uint8), (10, 1)), _HEAT)
            image.paste(Image.fromarray(cv2.cvtColor(scale, cv2.COLOR_BGR2RGB)), (self.width - 104, _BAR // 2 - 5))
            draw.text((self.width - 108, _BAR // 2), "0", fill=_BRIGHT, font=font, anchor="rm")
            draw.text((self.width - 6, _BAR // 2), "1", fill=_BRIGHT, font=font, anchor="rm")
        draw.text((8, _BAR // 2), _shorten(column.title, space, font), fill=_BRIGHT, font=font, anchor="lm")
        return np.asarray(image)

    @property
    def _in_a_row(self) -> int:
        rows = -(-len(self.columns) // _IN_A_ROW)
        return -(-len(self.columns) // rows)

    @cached_property
    def _labelled(self) -> Array:
        """Where any of the columns has a label."""
        labelled = np.zeros(self.scan.array.shape, bool)
        for column in self.columns:
            if column.labels is not None:
                labelled |= column.labels.array > 0
        return labelled

    @cached_property
    def _painter(self) -> Painter:
        return Painter(self.scan, self.scan.with_array(self._labelled), self.axis, self.width)

    @cached_property
    def _windows(self) -> Windows:
        return windows_for(self.scan)

    @cached_property
    def _scheme(self) -> LabelScheme:
        """Every structure in any column, with its name and colour."""
        names: dict[int, str] = {}
        for column in self.columns:
            if column.labels is not None:
                present = [int(label) for label in np.unique(column.labels.array) if label]
                for label in present:
                    called = column.labels.names.get(label)
                    if called or label not in names:
                        names[label] = called or f"label {label}"
        return scheme_from_names(names)

    @cached_property
    def _colours(self) -> dict[int, tuple[int, int, int]]:
        return {label.id: label.colour for label in self._scheme.labels}

    def _legend(self, width: int) -> Picture:
        """The structures' names with their colours, in a few lines."""
        font, lines = ImageFont.load_default(14), [Image.new("RGB", (width, _LINE), _DARK)]
        left = 8
        for label in self._scheme.labels:
            text = label.name.replace("_", " ")
            needed = round(font.getlength(text)) + 36
            if left > 8 and left + needed > width:
                if len(lines) == _LEGEND_LINES:
                    break
                lines.append(Image.new("RGB", (width, _LINE), _DARK))
                left = 8
            draw = ImageDraw.Draw(lines[-1])
            draw.rectangle((left, _LINE // 2 - 6, left + 11, _LINE // 2 + 5), fill=label.colour)
            draw.text((left + 18, _LINE // 2), text, fill=_BRIGHT, font=font, anchor="lm")
            left += needed
        return np.vstack([np.asarray(line) for line in lines]) if left > 8 else np.zeros((0, width, 3), np.uint8)


def uncertainty_of(volume: Volume, what: str) -> Volume:
    """Uncertainty as uint8, 255 for 1, from a file's voxels.

    Args:
        volume: whole numbers of 0..255, or fractions of 0..1.
        what: how to call it in an error, a path for example.

    Raises:
        InputError: voxels beyond.
    """
    array, whole = volume.array, np.issubdtype(volume.array.dtype, np.integer)
    lowest, highest, limit = float(array.min()), float(array.max()), 255 if whole else 1
    if lowest < 0 or highest > limit:
        raise InputError(
            f"{what}: voxels of {lowest:g} to {highest:g}; uncertainty is 0 to 255 in whole numbers or 0 to 1"
        )
    return volume.with_array(array.astype(np.uint8) if whole else np.rint(array * 255).astype(np.uint8))


def check_video(path: Path) -> None:
    """Refuse a path that :func:`write_video` could not write, before the work is done.

    Raises:
        InputError: another format, a folder, or PyAV is not installed.
    """
    if suffix_of(path) not in FORMATS:
        raise InputError(f"{path}: a video is a {' or '.join(FORMATS)} file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    if suffix_of(path) == ".mp4":
        try:
            import av
        except ModuleNotFoundError as error:
            raise InputError(f"{path}: .mp4 needs PyAV: pip install 'ivos[video]'; .gif goes without it") from error
        if _ENCODER not in av.codecs_available:
            raise InputError(f"{path}: this PyAV comes without {_ENCODER}; take the one of PyPI, or .gif")


def write_video(
    path: Path,
    scan: Volume,
    columns: Sequence[Column],
    *,
    axis: Axis,
    progress: Progress | None = None,
) -> None:
    """Write a video through the labelled part of a scan, towards the head.

    Args:
        path: .gif, with at most 90 slices evenly spread; or .mp4 (H.264), with every slice, written as they come.
        scan: the scan.
        columns: what is shown of it, from left to right; more than four take a second row.
        axis: the array axis along which slices are taken.
        progress: called with frames done and frames to do.

    Raises:
        InputError: as :func:`check_video`, and for a folder that cannot be written to.
    """
    check_video(path)
    gif = suffix_of(path) == ".gif"
    video = Video(scan, columns, axis, _WIDTH_IN_GIF if gif else _WIDTH)
    indices = video.indices[:: -(-len(video.indices) // _GIF_FRAMES)] if gif else video.indices

    def frames() -> Iterator[Picture]:
        for done, index in enumerate(indices, start=1):
            yield video.frame(index)
            if progress is not None:
                progress(done, len(indices))

    with replacing(path) as temporary:
        (_write_gif if gif else _write_mp4)(temporary, frames())


def _write_gif(path: Path, frames: Iterator[Picture]) -> None:
    octree, plain = Image.Quantize.FASTOCTREE, Image.Dither.NONE  # the default palette loses small structures' colours
    save_film([Image.fromarray(frame).quantize(128, method=octree, dither=plain) for frame in frames], str(path))


def _write_mp4(path: Path, frames: Iterator[Picture]) -> None:
    """What browsers play: H.264 with colours at half resolution, so even sides, and the index at the file's head."""
    import av

    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(_ENCODER, rate=_FRAMES_PER_S, options={"crf": "23", "g": str(2 * _FRAMES_PER_S)})
        stream.pix_fmt = "yuv420p"
        colours = stream.codec_context  # said in the file, or players guess by the size of the picture
        colours.colorspace = colours.color_primaries = colours.color_trc = _BT601
        for number, picture in enumerate(frames):
            even = np.pad(picture, [(0, len(picture) % 2), (0, 0), (0, 0)], mode="edge")  # widths are even
            if number == 0:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())


def _heat_colours(base: Picture, values: Array) -> Picture:
    """The scan, covered by the colour of the uncertainty the more, the higher that is."""
    size = (base.shape[1], base.shape[0])
    smooth = cv2.resize(np.asarray(values, np.uint8), size, interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap(smooth, _HEAT), cv2.COLOR_BGR2RGB)
    share = np.sqrt(smooth[..., None] / np.float32(255)) * np.float32(_HEAT_SHARE)
    mixed: Picture = np.rint((1 - share) * base + share * colours).astype(np.uint8)
    return mixed


def _shorten(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut short to so many pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
