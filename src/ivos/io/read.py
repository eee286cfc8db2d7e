"""Files into volumes: NIfTI, NRRD, MetaImage, and DICOM series in folders and zip files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.io.dataset_json import ignored_beside
from ivos.io.dicom.files import is_dicom
from ivos.io.dicom.labels import holds_dicom_labels, read_dicom_labels
from ivos.io.dicom.series import read_series, read_zip
from ivos.io.label_names import label_names
from ivos.io.registry import READABLE, format_for
from ivos.io.slicer_segments import is_segmentation, read_segmentation
from ivos.volume.checks import check_slices, checked_labels
from ivos.volume.cropping import uncropped
from ivos.volume.labels import with_ignore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ivos.volume.volume import Volume


def read(path: str | Path, *, series: str | None = None, stack: int | None = None) -> Volume:
    """Read a scan.

    Args:
        path: a NIfTI, NRRD or MetaImage file, a folder with a DICOM series (files of other kinds and other series
            are passed over), or a zip file of such a folder.
        series: the SeriesInstanceUID to take, or its last characters, where a folder holds several series; by default
            the one with most slices.
        stack: the number, from 1, of the stack to take, where a series holds several (``ivos info`` lists them); by
            default the one with most slices.

    Returns:
        The scan in canonical orientation; CT from DICOM in HU.

    Raises:
        InputError: not there, not an image, truncated, not three-dimensional, NaN or infinite voxels, gantry tilt.
    """
    return _read(Path(path), series, stack)[0]


def _read(path: Path, series: str | None = None, stack: int | None = None) -> tuple[Volume, float]:
    """The scan, and the step between its values where they are scaled integers, else 0."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    step = 0.0
    if path.is_dir():
        volume = read_series(path, series, stack)
    elif suffix_of(path) == ".zip":
        volume = read_zip(path, series, stack)
    elif (known := format_for(path)) is not None:
        volume, step = known.read(path)
    elif is_dicom(path):
        raise InputError(f"{path}: one DICOM file is one slice; give the folder that holds the whole series")
    else:
        raise InputError(
            f"{path}: not an image that ivos reads: {', '.join(READABLE)}, or a folder or .zip of DICOM files"
        )
    check_slices(volume, str(path))
    return volume, step


def read_labels(
    path: str | Path,
    *,
    scan: Volume | None = None,
    structures: Collection[int] | None = None,
    names: Mapping[int, str] | None = None,
) -> Volume:
    """Read labels: a volume of whole numbers from 0 (background) up, of any stored type; or a DICOM file of labels.

    Args:
        path: a file or folder as :func:`read` takes it, a DICOM Segmentation, or an RT Structure Set.
        scan: on whose grid a DICOM file is put, or a cropped segmentation of 3D Slicer; an RT Structure Set needs it, a
            Segmentation only if its slices do not say what grid they are of. Other files come on their own.
        structures: of a DICOM file, or a segmentation of 3D Slicer in layers, the label ids to take, others of which
            may overlap with them; by default all.
        names: of such a file, names by label id of the structures to take; by default its own ids or numbers.

    Returns:
        The labels in canonical orientation as unsigned integers, with the names that the file has for them, and with
        what a ``dataset.json`` beside it names "ignore".

    Raises:
        InputError: as :func:`read`, for negative or fractional labels, and for DICOM what
            :func:`ivos.io.dicom.labels.read_dicom_labels` refuses.
    """
    path = Path(path)
    if holds_dicom_labels(path):
        return read_dicom_labels(path, scan, structures=structures, names=names)
    if is_segmentation(path):
        volume, step = read_segmentation(path, structures=structures, names=names), 0.0
        volume = volume if scan is None else uncropped(volume, scan.geometry, str(path))
    else:
        volume, step = _read(path)
    labels = checked_labels(volume, str(path), step=step)
    labels = labels.with_array(labels.array, volume.names or label_names(path))
    return with_ignore(labels, ignored_beside(path))
