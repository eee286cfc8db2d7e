"""The pixels of a DICOM slice: decoded by whatever decodes them, and rescaled; the same values however stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from ivos.errors import InputError
from ivos.files import temporary_folder
from ivos.io.dicom.files import open_whole

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.types import Array

_BY_GDCM = (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless)
_END_OF_IMAGE = b"\xff\xd9"  # with which the codestreams of all JPEG standards end
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # the second bytes of JPEG's and JPEG-LS's markers
_EXPORT = "have it exported uncompressed"
_PACKAGE = "which brings pylibjpeg-openjpeg"


def slice_values(path: Path, size: tuple[int, int], named: Path) -> Array:
    """The values of a slice (rows, columns): HU for CT. Photometric interpretation changes how they look, not them.

    Args:
        path: of the file.
        size: rows and columns that its header promises.
        named: what to call the folder in messages.

    Returns:
        16-bit integers where all values are such, else 32-bit floating-point numbers.

    Raises:
        InputError: a colour image, damaged, or compressed in a way that nothing installed decodes.
    """
    try:
        data = open_whole(path)
        if int(data.get("SamplesPerPixel") or 1) != 1 or data.get("PhotometricInterpretation") == "PALETTE COLOR":
            raise InputError(f"{named}: {path.name}: a colour image; ivos needs one value per pixel")
        values = _rescaled(_stored(data, path, named), data)
    except InputError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged pixel data
        raise InputError(f"{named}: {path.name}: truncated or damaged pixel data; copy it again") from error
    if values.shape != size:
        raise InputError(f"{named}: {path.name}: {values.shape} pixels, its header says {size}")
    fits = values.min() >= -32768 and values.max() <= 32767 and bool((values == np.rint(values)).all())
    return values.astype(np.int16 if fits else np.float32)


def _rescaled(stored: npt.NDArray[Any], data: Dataset) -> npt.NDArray[np.float64]:
    """Values as the modality means them; a slope or intercept that is empty is 1 or 0."""
    if data.get("ModalityLUTSequence"):
        return np.asarray(apply_modality_lut(stored, data), np.float64)
    slope, intercept = (
        _number(data.get(k), default) for k, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    if slope == 0 and stored.min() != stored.max():
        raise ValueError("a slope of 0 leaves nothing of the image")
    return stored.astype(np.float64) * slope + intercept


def _number(value: Any, default: float) -> float:
    if value is None or str(value).strip() == "":
        return default
    number = float(value)
    if not np.isfinite(number):
        raise ValueError("not a number")
    return number


def _stored(data: Any, path: Path, named: Path) -> npt.NDArray[Any]:
    """The values as stored."""
    syntax = data.file_meta.TransferSyntaxUID
    if not syntax.is_transfer_syntax:
        raise InputError(f"{named}: {path.name}: in a form of its maker's own (transfer syntax {syntax}); {_EXPORT}")
    if not syntax.is_compressed and "PixelData" in data and data["PixelData"].is_undefined_length:
        raise InputError(f"{named}: {path.name}: compressed, and does not say how; {_EXPORT}")
    if not syntax.is_compressed or syntax == RLELossless:
        return _of_cells(pixel_array(data, correct_unused_bits=False), data)
    (frame,) = generate_frames(data.PixelData, number_of_frames=1)
    if not frame.rstrip(b"\0").endswith(_END_OF_IMAGE):
        raise EOFError("the codestream has no end")
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise InputError(
            f"{named}: {path.name}: compressed as {syntax.name}, which nothing decodes; {_EXPORT}"
        ) from error
    eight_bits_only = {"pillow"} if syntax == JPEGExtended12Bit else set()
    if set(decoder.available_plugins) - eight_bits_only:
        return np.asarray(pixel_array(data))
    if syntax in _BY_GDCM:
        return _signed(_by_gdcm(frame, data), data)
    raise InputError(
        f"{named}: {path.name}: compressed as {syntax.name}; to read it: pip install 'ivos[dicom]', {_PACKAGE}"
    )


def _of_cells(cells: npt.NDArray[Any], data: Dataset) -> npt.NDArray[Any]:
    """The bits of each cell that are the value: others may hold anything, overlays for example."""
    if cells.dtype.kind == "f":
        return cells
    allocated, stored = 8 * cells.dtype.itemsize, int(data.BitsStored)
    above = allocated - 1 - int(data.get("HighBit", stored - 1))
    if not 0 <= above <= allocated - stored:
        above = allocated - stored  # contradicts itself: the lowest bits then, as everywhere
    return (cells << above) >> (allocated - stored)


def _signed(values: npt.NDArray[np.uint16], data: Dataset) -> npt.NDArray[Any]:
    """Values of as many bits as are stored, with their sign if they have one: codestreams do not tell it."""
    unused = 16 - int(data.BitsStored)
    typed = values.view(np.int16) if int(data.PixelRepresentation) else values
    return (typed << unused) >> unused


def _by_gdcm(frame: bytes, data: Dataset) -> npt.NDArray[np.uint16]:
    """A codestream through GDCM, which SimpleITK carries.

    It gets a file with nothing but that: by the slice's own header it would rescale, and turn MONOCHROME1 around.
    """
    import SimpleITK as sitk

    precision = _precision(frame)
    plain = Dataset()
    plain.file_meta = FileMetaDataset()
    plain.file_meta.TransferSyntaxUID = data.file_meta.TransferSyntaxUID
    plain.file_meta.MediaStorageSOPClassUID = plain.SOPClassUID = SecondaryCaptureImageStorage
    plain.file_meta.MediaStorageSOPInstanceUID = plain.SOPInstanceUID = generate_uid()
    plain.Rows, plain.Columns, plain.SamplesPerPixel = data.Rows, data.Columns, 1
    plain.PhotometricInterpretation, plain.PixelRepresentation = "MONOCHROME2", 0
    plain.BitsAllocated, plain.BitsStored, plain.HighBit = 8 if precision <= 8 else 16, precision, precision - 1
    plain.PixelData = encapsulate([frame])
    with temporary_folder() as folder:
        file = folder / "slice.dcm"
        plain.save_as(file, enforce_file_format=True)
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(file))
        return np.asarray(sitk.GetArrayFromImage(reader.Execute())[0]).astype(np.uint16)


def _precision(frame: bytes) -> int:
    """How many bits the values of a JPEG or JPEG-LS codestream have: as its frame header says."""
    at = 2
    while frame[at] == 0xFF and frame[at + 1] not in _FRAME_HEADERS:
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    if frame[at] != 0xFF:
        raise ValueError("no frame header")
    return frame[at + 4]
