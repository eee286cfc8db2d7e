"""Grids and files for the tests of volumes."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ivos.volume.geometry import Geometry

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

AXIS_ORDERS = [
    np.diag(signs)[:, list(order)].astype(float)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
"""The 48 direction matrices that only reorder and flip axes."""


def image_of(array: npt.NDArray[Any], direction: npt.NDArray[np.float64] | None = None) -> sitk.Image:
    """An image with uneven spacing and an origin off zero."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-120.5, 33.25, 410.0))
    image.SetDirection((np.eye(3) if direction is None else direction).ravel().tolist())
    return image


def grid_in_itk(path: Path) -> Geometry:
    """Where ITK puts the voxels of a file."""
    image = sitk.ReadImage(str(path))
    x, y, z = np.asarray(image.GetDirection()).reshape(3, 3).T.tolist()
    width, height, depth = image.GetSize()
    spacing, origin = image.GetSpacing(), image.GetOrigin()
    return Geometry((depth, height, width), spacing[::-1], origin, (tuple(z), tuple(y), tuple(x)))


def rotation(angles: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """A rotation matrix from three Euler angles in radians."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    matrix: npt.NDArray[np.float64] = about_z @ about_y @ about_x
    return matrix


def write_dicom(
    folder: Path,
    array: npt.NDArray[np.integer],
    *,
    step_mm: tuple[float, float, float] = (0.0, 0.0, 2.0),
    series: str | None = None,
    description: str = "abdomen",
    slope: float = 1.0,
    intercept: float = -1024.0,
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
) -> list[Path]:
    """A CT series of stored values (Z, Y, X), one file a slice, in shuffled name order."""
    folder.mkdir(parents=True, exist_ok=True)
    series = series or generate_uid()
    order = np.random.default_rng(3).permutation(len(array))
    paths = []
    for number, pixels in enumerate(array):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.Modality, data.SeriesInstanceUID, data.SeriesDescription = "CT", series, description
        data.Rows, data.Columns = pixels.shape
        data.PixelSpacing, data.ImageOrientationPatient = [0.8, 0.7], list(orientation)
        data.ImagePositionPatient = [10.0 + number * step_mm[0], 20.0 + number * step_mm[1], 30 + number * step_mm[2]]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        data.PixelData = pixels.astype("<u2").tobytes()
        path = folder / f"{description}_{order[number]:03d}.dcm"
        data.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths
