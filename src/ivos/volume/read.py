"""Files into volumes: NIfTI, NRRD, MetaImage, and DICOM series in folders and zip files."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.volume.checks import check_slices, checked_labels
from ivos.volume.dicom import is_dicom, read_series, read_zip
from ivos.volume.dicom_labels import holds_dicom_labels, read_dicom_labels
from ivos.volume.geometry import TILTED
from ivos.volume.itk import grid_of
from ivos.volume.names import label_names
from ivos.volume.nifti import SUFFIXES, read_nifti
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

READABLE = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


def read(path: str | Path, *, series: str | None = None) -> Volume:
    """Read a scan.

    Args:
        path: a NIfTI, NRRD or MetaImage file, a folder with a DICOM series (files of other kinds and other series
            are passed over), or a zip file of such a folder.
        series: the SeriesInstanceUID to take, or its last characters, where a folder holds several series; by default
            the one with most slices.

    Returns:
        The scan in canonical orientation; CT from DICOM in HU.

    Raises:
        InputError: not there, not an image, truncated, not three-dimensional, NaN or infinite voxels, gantry tilt.
    """
    return _read(Path(path), series)[0]


def _read(path: Path, series: str | None = None) -> tuple[Volume, float]:
    """The scan, and the step between its values where they are scaled integers, else 0."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    step = 0.0
    if path.is_dir():
        volume = read_series(path, series)
    elif suffix_of(path) == ".zip":
        volume = read_zip(path, series)
    elif suffix_of(path) in SUFFIXES:
        volume, step = _read_nifti(path)
    elif suffix_of(path) in READABLE:
        volume = _read_file(path)
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
        scan: on whose grid a DICOM file is put; an RT Structure Set needs it, a Segmentation only if its slices do not
            say what grid they are of. Other files come on their own.
        structures: of a DICOM file, the label ids to take, others of which may overlap with them; by default all.
        names: of a DICOM file, names by label id of the structures to take; by default its own ids or numbers.

    Returns:
        The labels in canonical orientation as unsigned integers, with the names that the file has for them.

    Raises:
        InputError: as :func:`read`, for negative or fractional labels, and for DICOM what
            :func:`ivos.volume.dicom_labels.read_dicom_labels` refuses.
    """
    path = Path(path)
    if holds_dicom_labels(path):
        return read_dicom_labels(path, scan, structures=structures, names=names)
    volume, step = _read(path)
    labels = checked_labels(volume, str(path), step=step)
    return labels.with_array(labels.array, volume.names or label_names(path))


def _read_nifti(path: Path) -> tuple[Volume, float]:
    file = read_nifti(path)
    grid = file.forms.grid(file.array.shape, path)
    volume = Volume.from_array(file.array, grid, names=file.names, nifti=file.forms, what=str(path))
    return volume, file.step


def _read_file(path: Path) -> Volume:
    import SimpleITK as sitk

    with _quiet():
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
            _check_header(reader, path)
            image = reader.Execute()
        except RuntimeError as error:
            raise InputError(f"{path}: {_reason(str(error))}") from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]  # a single time point: the header was checked above
    direction = np.asarray(image.GetDirection()).reshape(3, 3)
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        raise InputError(f"{path}: {TILTED}")
    return Volume.from_array(sitk.GetArrayFromImage(image), grid_of(image), what=str(path))


def _check_header(reader: Any, path: Path) -> None:
    """Refuse what is not one 3-D image of one value per voxel."""
    import SimpleITK as sitk

    size = reader.GetSize()
    if len(size) == 2 or (len(size) > 2 and min(size[:3]) < 2):
        raise InputError(
            f"{path}: two-dimensional ({' x '.join(map(str, size))} pixels); ivos needs a volume of several slices"
        )
    if len(size) > 4 or max(size[3:], default=1) > 1:
        raise InputError(
            f"{path}: {len(size)}-dimensional ({' x '.join(map(str, size))}); give one volume: split the series first"
        )
    if "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelID()):
        raise InputError(f"{path}: complex numbers; give their magnitude")
    if reader.GetNumberOfComponents() > 1:
        raise InputError(f"{path}: {reader.GetNumberOfComponents()} values per voxel (colour?); ivos needs one")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ITK's readers from writing to the terminal: what they have to say is in their exceptions."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _reason(message: str) -> str:
    """One line from an ITK exception."""
    if "orthonormal" in message:
        return TILTED
    if "allocate" in message:
        return "its header asks for more memory than there is; it is probably damaged"
    if "Unable to determine ImageIO" in message:
        return "not an image of the kind that its name says, or damaged"
    return "cannot be read: it is truncated or damaged"
