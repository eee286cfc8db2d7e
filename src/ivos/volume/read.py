"""Files into volumes: NIfTI, NRRD, MetaImage, and DICOM series in folders and zip files."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.volume.dicom import read_series, read_zip
from ivos.volume.dicom_files import is_dicom
from ivos.volume.dicom_labels import holds_dicom_labels, read_dicom_labels
from ivos.volume.itk import grid_of
from ivos.volume.names import label_names
from ivos.volume.volume import Array, Volume

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

READABLE = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


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
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        volume = read_series(path, series, stack)
    elif suffix_of(path) == ".zip":
        volume = read_zip(path, series, stack)
    elif suffix_of(path) in READABLE:
        volume = _read_file(path)
    elif is_dicom(path):
        raise InputError(f"{path}: one DICOM file is one slice; give the folder that holds the whole series")
    else:
        raise InputError(
            f"{path}: not an image that ivos reads: {', '.join(READABLE)}, or a folder or .zip of DICOM files"
        )
    _check_voxels(volume.array, path)
    return volume


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
    volume = read(path)
    array = volume.array
    if array.min() < 0:
        raise InputError(f"{path}: labels must be 0 or more, found {array.min():g}; is this a scan, not labels?")
    if not np.issubdtype(array.dtype, np.integer) and bool((array != np.rint(array)).any()):
        found = float(array[array != np.rint(array)][0])
        raise InputError(f"{path}: labels must be whole numbers, found {found:g}; resample labels by nearest neighbour")
    highest = int(array.max())
    if highest > np.iinfo(np.uint32).max:
        raise InputError(f"{path}: label {highest} is too large; labels go up to {np.iinfo(np.uint32).max}")
    return volume.with_array(array.astype(np.min_scalar_type(highest)), label_names(path))


def _check_voxels(array: Array, path: Path) -> None:
    if min(array.shape) < 2:
        size = " x ".join(str(n) for n in reversed(array.shape))
        raise InputError(f"{path}: two-dimensional ({size} voxels); ivos needs a volume of several slices")
    _check_finite(array, path)


def _check_finite(array: Array, path: Path) -> None:
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise InputError(f"{path}: {bad} voxels are NaN or infinite; replace them (by air, for example) first")


def _read_file(path: Path) -> Volume:
    import SimpleITK as sitk

    with _unpacked(path) as plain, _quiet():
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(plain))
        try:
            reader.ReadImageInformation()
            _check_header(reader, plain, path)
            image = reader.Execute()
        except RuntimeError as error:
            raise InputError(f"{path}: {_reason(str(error))}") from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]  # a single time point: the header was checked above
    direction = np.asarray(image.GetDirection()).reshape(3, 3)
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        raise InputError(f"{path}: {_TILTED}")
    return Volume.from_array(sitk.GetArrayFromImage(image), grid_of(image))


_NIFTI_FLOATS = (16, 64)  # datatype codes of float32 and float64
_TILTED = "its axes are not at right angles (gantry tilt or shear); resample it to an upright grid first"


def _check_header(reader: Any, plain: Path, path: Path) -> None:
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
    if suffix_of(plain) == ".nii":
        _check_nifti(reader, plain, path)


def _check_nifti(reader: Any, plain: Path, path: Path) -> None:
    """Refuse what ITK's NIfTI reader lets pass: it puts zeros for missing, NaN and infinite voxels and says nothing."""
    bits, offset = float(reader.GetMetaData("bitpix")), float(reader.GetMetaData("vox_offset"))
    needed, present = offset + np.prod([float(n) for n in reader.GetSize()]) * bits / 8, plain.stat().st_size
    if needed > present:
        raise InputError(f"{path}: truncated: {present:,} bytes of {needed:,.0f} are there; copy it again")
    if int(reader.GetMetaData("datatype")) in _NIFTI_FLOATS:
        with plain.open("rb") as file:
            order = "<" if file.read(1) != b"\0" else ">"  # the header begins with its own size, 348 or 540
        count = int(np.prod(reader.GetSize(), dtype=np.int64))
        _check_finite(np.memmap(plain, f"{order}f{int(bits) // 8}", "r", int(offset), (count,)), path)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The path of the same image without gzip around it.

    Unpacking it ourselves verifies length and checksum, which ITK does not, and keeps ITK from reading ``a.nii`` when
    asked for ``a.nii.gz`` in a folder that holds both.
    """
    if suffix_of(path) != ".nii.gz":
        yield path
        return
    # An exception holds on to what it was raised over: where it is a mapped file, Windows does not remove it.
    with tempfile.TemporaryDirectory(prefix="ivos-", ignore_cleanup_errors=True) as folder:
        plain = Path(folder) / "image.nii"
        try:
            with gzip.open(path) as packed, plain.open("wb") as out:
                while block := packed.read(1 << 22):
                    out.write(block)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            what = "truncated" if isinstance(error, EOFError) else "damaged or not gzip"
            raise InputError(f"{path}: {what}: it cannot be unpacked; copy it again") from error
        yield plain


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
        return _TILTED
    if "allocate" in message:
        return "its header asks for more memory than there is; it is probably damaged"
    if "Unable to determine ImageIO" in message:
        return "not an image of the kind that its name says, or damaged"
    return "cannot be read: it is truncated or damaged"
