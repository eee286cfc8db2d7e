"""DICOM series into volumes: find the series, order its slices, refuse what is not an upright stack."""

from __future__ import annotations

import logging
import shutil
import tempfile
import zipfile
import zlib
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom

from ivos.errors import InputError
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Array, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from pydicom.dataset import Dataset

logger = logging.getLogger(__name__)

_PLACED_SLICE = ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
_DAMAGED = "{}: {}: damaged DICOM header; copy it again or take it away"
_TILT_TOLERANCE_DEGREES = 0.2
_SPACING_TOLERANCE = 0.05  # as a share of the slice spacing
_ZIP_LIMIT_BYTES = 32 << 30


@dataclass(frozen=True)
class _Image:
    """What the header of one slice says."""

    path: Path
    series: str
    description: str
    modality: str | None
    frame_of_reference: str | None
    size: tuple[int, int]
    pixel_spacing_mm: tuple[float, float]
    position_mm: npt.NDArray[np.float64]
    row: npt.NDArray[np.float64]  # direction of growing column index
    column: npt.NDArray[np.float64]  # direction of growing row index

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        return np.cross(self.row, self.column)

    @property
    def stack(self) -> tuple[object, ...]:
        """Equal for the slices of one stack: a series may hold localizers or several orientations beside it."""
        directions = tuple(np.round(np.concatenate([self.row, self.column]), 3) + 0.0)
        return self.series, self.size, tuple(np.round(self.pixel_spacing_mm, 4)), directions


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM preamble."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_series(folder: Path, series: str | None = None, *, named: Path | None = None) -> Volume:
    """Read the DICOM series in a folder and the folders below it; other files are passed over.

    Args:
        folder: where to look.
        series: the SeriesInstanceUID, or its last characters; by default the stack with most slices.
        named: what to call the folder in messages, where it is not what the user gave.

    Raises:
        InputError: no series, no such series, two series of the same length to choose from, gantry tilt, missing or
            doubled slices, damaged files.
    """
    named = named or folder
    images = _slices(folder, series, named)
    geometry = _geometry(images, named)
    array = np.stack([_pixels(image, named) for image in images])
    first = images[0]
    return Volume.from_array(
        array, geometry, modality=first.modality, frame_of_reference=first.frame_of_reference, what=str(named)
    )


def series_files(folder: Path, series: str | None = None, *, named: Path | None = None) -> tuple[list[Path], Geometry]:
    """The files of the series that :func:`read_series` reads, and the grid on which it lies.

    Args:
        folder: where to look.
        series: as there.
        named: as there.

    Returns:
        One file for each slice along the grid's first axis, in that order.

    Raises:
        InputError: as :func:`read_series`.
    """
    images = _slices(folder, series, named or folder)
    return [image.path for image in images], _geometry(images, named or folder)


def read_zip(path: Path, series: str | None = None) -> Volume:
    """Read the DICOM series in a zip file.

    Raises:
        InputError: as :func:`read_series`, and for a file that is not a whole zip.
    """
    with dicom_folder(path) as folder:
        return read_series(folder, series, named=path)


@contextmanager
def dicom_folder(path: Path) -> Iterator[Path]:
    """A folder of DICOM files as it is; a zip file unpacked for as long as the block lasts.

    Raises:
        InputError: not a whole zip file, or one that unpacks to too much.
    """
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="ivos-") as folder:
        _unpack(path, Path(folder))
        yield Path(folder)


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a zip file."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            total = sum(m.file_size for m in members)
            if total > _ZIP_LIMIT_BYTES:
                raise InputError(f"{path}: unpacks to {total / 2**30:.0f} GiB; unpack it and give the folder")
            for number, member in enumerate(members):  # numbered: names in an archive are not to be trusted
                with archive.open(member) as packed, (folder / f"{number:06d}").open("wb") as out:
                    shutil.copyfileobj(packed, out)  # in pieces: one member may be larger than the memory
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be unpacked: not a whole, unencrypted zip file") from error


def _slices(folder: Path, series: str | None, named: Path) -> list[_Image]:
    """The slices of a series, ascending along its normal."""
    stacks: dict[tuple[object, ...], list[_Image]] = defaultdict(list)
    multi_frame = 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and is_dicom(p)):
        data = _header(path, named)
        if all(tag in data for tag in _PLACED_SLICE):
            image = _image(data, path, named)
            stacks[image.stack].append(image)
        else:
            multi_frame += "SharedFunctionalGroupsSequence" in data
    if not stacks and multi_frame:
        raise InputError(f"{named}: multi-frame DICOM, which ivos does not read; convert it to NIfTI first")
    chosen = _choose(list(stacks.values()), series, named)
    return sorted(chosen, key=lambda image: float(image.position_mm @ image.normal))


def _header(path: Path, named: Path) -> Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except Exception as error:  # a damaged header makes pydicom raise nearly anything
        raise InputError(_DAMAGED.format(named, path.name)) from error


def _image(data: Dataset, path: Path, named: Path) -> _Image:
    try:
        a, b, c, d, e, f = (float(v) for v in data.ImageOrientationPatient)
        x, y, z = (float(v) for v in data.ImagePositionPatient)
        if not np.isfinite([a, b, c, d, e, f, x, y, z]).all():
            raise ValueError("a position or direction is not a number")
        return _Image(
            path=path,
            series=str(data.get("SeriesInstanceUID", "")),
            description=str(data.get("SeriesDescription", "")),
            modality=str(data.Modality) if data.get("Modality") else None,
            frame_of_reference=str(data.FrameOfReferenceUID) if data.get("FrameOfReferenceUID") else None,
            size=(int(data.Rows), int(data.Columns)),
            pixel_spacing_mm=(float(data.PixelSpacing[0]), float(data.PixelSpacing[1])),
            position_mm=np.array([x, y, z]),
            row=np.array([a, b, c]),
            column=np.array([d, e, f]),
        )
    except Exception as error:  # values are parsed when they are first used, with the same variety
        raise InputError(_DAMAGED.format(named, path.name)) from error


def _choose(stacks: list[list[_Image]], series: str | None, named: Path) -> list[_Image]:
    if not stacks:
        raise InputError(f"{named}: no DICOM image series found; give the folder that holds the slices")
    if series is not None:
        found = [s for s in stacks if s[0].series.endswith(series)]
        if not found:
            raise InputError(f"{named}: no series ends in '{series}'; there are {_listed(stacks)}")
        stacks = found
    stacks = sorted(stacks, key=len, reverse=True)
    if len(stacks) > 1:
        if len(stacks[0]) == len(stacks[1]):
            raise InputError(f"{named}: several series of one length; choose one with --series: {_listed(stacks)}")
        logger.warning("%s: several series; taking the longest. Choose with --series: %s", named, _listed(stacks))
    return stacks[0]


def _listed(stacks: list[list[_Image]]) -> str:
    parts = [f"...{s[0].series[-12:]} '{s[0].description}' ({len(s)} slices)" for s in stacks]
    return ", ".join(parts[:6]) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")


def _geometry(images: list[_Image], named: Path) -> Geometry:
    first = images[0]
    if len(images) < 2:
        raise InputError(f"{named}: two-dimensional: the series has one slice; ivos needs a volume of several slices")
    if min(first.pixel_spacing_mm) <= 0 or not np.isclose(np.linalg.norm(first.normal), 1, atol=1e-3):
        raise InputError(f"{named}: {first.path.name}: impossible pixel spacing or orientation in its header")
    positions = np.array([image.position_mm for image in images])
    along = positions @ first.normal
    steps = np.diff(along)
    spacing = float(along[-1] - along[0]) / (len(images) - 1)
    _check_tilt(positions, along, first, named)
    _check_steps(steps, float(np.median(steps)), named)
    rows = [tuple(float(v) for v in axis) for axis in (first.normal, first.column, first.row)]
    x, y, z = (float(v) for v in first.position_mm)
    return Geometry(
        shape=(len(images), *first.size),
        spacing_mm=(spacing, *first.pixel_spacing_mm),
        origin_mm=(x, y, z),
        axes=(rows[0], rows[1], rows[2]),  # type: ignore[arg-type]
    )


def _check_tilt(positions: npt.NDArray[np.float64], along: npt.NDArray[np.float64], first: _Image, named: Path) -> None:
    length = float(along[-1] - along[0])
    shift = positions[-1] - positions[0] - length * first.normal
    angle = float(np.degrees(np.arctan2(np.linalg.norm(shift), length)))
    if length > 0 and angle > _TILT_TOLERANCE_DEGREES:
        raise InputError(
            f"{named}: gantry tilt of {angle:.1f} degrees: slices are not stacked upright; resample the series first"
        )


def _check_steps(steps: npt.NDArray[np.float64], usual: float, named: Path) -> None:
    if usual <= 1e-3 or float(steps.min()) <= 1e-3:
        doubled = int((steps <= 1e-3).sum())
        raise InputError(
            f"{named}: {doubled} slices lie where another one lies: several time points or copies in one series; "
            "give one of them"
        )
    off = np.abs(steps - usual) > _SPACING_TOLERANCE * usual
    if off.any():
        where = int(np.argmax(off))
        raise InputError(
            f"{named}: slices are {usual:.3g} mm apart, but {steps[where]:.3g} mm after slice {where + 1} of "
            f"{len(steps) + 1}: slices are missing or unevenly spaced"
        )


def _pixels(image: _Image, named: Path) -> Array:
    """The slice (rows, columns), rescaled: HU for CT."""
    try:
        data = pydicom.dcmread(image.path)
        if int(data.get("SamplesPerPixel", 1)) != 1:
            raise InputError(f"{named}: {image.path.name}: a colour image; ivos needs one value per pixel")
        values = _rescaled(data, image.path)
    except InputError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged pixel data
        raise InputError(f"{named}: {image.path.name}: truncated or damaged pixel data; copy it again") from error
    if values.shape != image.size:
        raise InputError(f"{named}: {image.path.name}: {values.shape} pixels, its header says {image.size}")
    return values


def _rescaled(data: Dataset, path: Path) -> Array:
    if data.file_meta.TransferSyntaxUID.is_compressed:
        values = _decompressed(path)
    else:
        stored: Any = data.pixel_array
        values = stored * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0))
    fits = values.min() >= -32768 and values.max() <= 32767 and bool((values == np.rint(values)).all())
    return values.astype(np.int16 if fits else np.float32)


def _decompressed(path: Path) -> npt.NDArray[np.float64]:
    """Compressed slices through GDCM, which SimpleITK carries with its codecs; pydicom needs a plug-in for each.

    GDCM rescales by slope and intercept itself.
    """
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return np.asarray(sitk.GetArrayFromImage(reader.Execute())[0], np.float64)
