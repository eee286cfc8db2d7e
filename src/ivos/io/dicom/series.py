"""DICOM series into volumes: find the stacks, order their slices, refuse what is not an upright stack."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.files import is_system_file
from ivos.io.dicom.choice import choose_stack, numbering
from ivos.io.dicom.files import dicom_folder, is_dicom, open_header
from ivos.io.dicom.grid import grid_of
from ivos.io.dicom.header import is_placed, slice_header
from ivos.io.dicom.passed_over import SkippedFiles
from ivos.io.dicom.pixels import slice_values
from ivos.io.dicom.stacks import Series, series_of, without_copies
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.io.dicom.header import SliceHeader
    from ivos.types import Array
    from ivos.volume.geometry import Geometry

logger = logging.getLogger(__name__)

_DIRECTORY = "1.2.840.10008.1.3.10"  # a DICOMDIR, which lists files


def read_series(
    folder: Path, series: str | None = None, stack: int | None = None, *, named: Path | None = None
) -> Volume:
    """Read a stack of a DICOM series in a folder and the folders below it.

    Files that are passed over are counted in a warning, and those named that may belong to the series.

    Args:
        folder: where to look.
        series: the SeriesInstanceUID, or its last characters; by default the series of most slices.
        stack: which stack of the series, from 1, as :func:`series_in` has them; by default the one of most slices.
        named: what to call the folder in messages, where it is not what the user gave.

    Raises:
        InputError: no series, no such series or stack, two of the same length to choose from, gantry tilt, missing or
            doubled slices, damaged files.
    """
    named = named or folder
    found = _look_through(folder)
    chosen = found.choose(series, stack, named)
    for remark in (found.passed_over.about(chosen.slices), numbering(chosen.series, chosen.slices)):
        if remark:
            logger.warning("%s: %s", named, remark)
    array = np.stack([_values(header, found.passed_over, named) for header in chosen.slices])
    first = chosen.slices[0]
    return Volume.from_array(
        array,
        grid_of(chosen.slices),
        modality=first.modality,
        frame_of_reference=first.frame_of_reference,
        what=str(named),
    )


def series_files(
    folder: Path, series: str | None = None, stack: int | None = None, *, named: Path | None = None
) -> tuple[list[Path], Geometry]:
    """The files of the stack that :func:`read_series` reads, and the grid on which it lies.

    Args:
        folder: where to look.
        series: as there.
        stack: as there.
        named: as there.

    Returns:
        One file for each slice along the grid's first axis, in that order.

    Raises:
        InputError: as :func:`read_series`.
    """
    slices = _look_through(folder).choose(series, stack, named or folder).slices
    return [header.path for header in slices], grid_of(slices)


def series_in(path: Path) -> list[Series]:
    """The series in a folder or zip file with their stacks, those of most slices first.

    Raises:
        InputError: not a whole zip file.
    """
    with dicom_folder(path) as folder:
        return _look_through(folder).series


def read_zip(path: Path, series: str | None = None, stack: int | None = None) -> Volume:
    """Read the DICOM series in a zip file.

    Raises:
        InputError: as :func:`read_series`, and for a file that is not a whole zip.
    """
    with dicom_folder(path) as folder:
        return read_series(folder, series, stack, named=path)


@dataclass(frozen=True)
class _SelectedSeries:
    series: Series
    slices: tuple[SliceHeader, ...]


@dataclass(frozen=True)
class _Folder:
    """What is in a folder."""

    series: list[Series]
    passed_over: SkippedFiles
    multi_frame: bool

    def choose(self, series: str | None, stack: int | None, named: Path) -> _SelectedSeries:
        if not self.series and self.multi_frame:
            raise InputError(f"{named}: multi-frame DICOM, which ivos does not read; convert it to NIfTI first")
        try:
            chosen, its = choose_stack(self.series, series, stack, named)
        except InputError as error:
            remark = self.passed_over.about(self.series[0].longest.slices if self.series else ())
            if remark:
                raise type(error)(f"{error}; {remark}") from error
            raise
        return _SelectedSeries(chosen, its.slices)


def _look_through(folder: Path) -> _Folder:
    passed_over, multi_frame = SkippedFiles(), False
    slices: list[SliceHeader] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if not is_dicom(path):
            if not is_system_file(path.relative_to(folder)):
                passed_over.foreign.append(path)
            continue
        try:
            data = open_header(path)
            header = slice_header(data, path) if is_placed(data) else None
            series, kind = str(data.get("SeriesInstanceUID") or ""), data.file_meta.get("MediaStorageSOPClassUID")
            multi_frame |= header is None and "SharedFunctionalGroupsSequence" in data
        except Exception:  # a damaged header makes pydicom raise nearly anything
            passed_over.damaged.append(path)
            continue
        if header is None:
            if kind != _DIRECTORY:
                passed_over.unplaced.append((path, series))
            continue
        slices.append(header)
    kept, passed_over.copies = without_copies(slices)
    return _Folder(series_of(kept), passed_over, multi_frame)


def _values(header: SliceHeader, passed_over: SkippedFiles, named: Path) -> Array:
    """The values of a slice, which those of its copies have to equal."""
    values = slice_values(header.path, header.size, named)
    for copy in passed_over.copies.get(header.path, ()):
        if not np.array_equal(values, slice_values(copy, header.size, named)):
            raise InputError(
                f"{named}: {header.path.name} and {copy.name} are one slice by their SOPInstanceUID and differ in "
                "their pixels; take one of them away"
            )
    return values
