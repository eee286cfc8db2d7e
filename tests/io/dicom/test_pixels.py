"""The same values however a slice is stored: photometric and pixel representation, compression, empty slopes."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import ivos
from ivos.errors import InputError
from tests.io.dicom.series import edited
from tests.io.grids import write_dicom

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset

SHAPE = (3, 32, 32)
MONOCHROME = pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
REPRESENTATIONS = pytest.mark.parametrize(
    ("bits", "signed"), [(8, False), (8, True), (10, True), (12, False), (12, True), (16, False), (16, True)]
)


def values_of(bits: int, signed: bool) -> npt.NDArray[np.int64]:
    """Smooth values that reach from end to end of what so many bits hold."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    values = np.linspace(low, high, int(np.prod(SHAPE))).round().astype(np.int64).reshape(SHAPE)
    values[1] = values[1, ::-1]
    return values


def stored(folder: Path, values: npt.NDArray[np.int64], bits: int, *, signed: bool, **tags: Any) -> list[Path]:
    """A series of these values, uncompressed."""
    allocated = 8 if bits <= 8 else 16

    def edit(data: Dataset, number: int) -> None:
        data.BitsAllocated, data.BitsStored, data.HighBit = allocated, bits, bits - 1
        data.PixelRepresentation = int(signed)
        data.PixelData = values[number].astype(f"<{'i' if signed else 'u'}{allocated // 8}").tobytes()
        data["PixelData"].VR = "OB" if allocated == 8 else "OW"
        for keyword, value in tags.items():
            setattr(data, keyword, value)

    return edited(write_dicom(folder, np.zeros(SHAPE, np.uint16), intercept=-1024), edit)


def jpeg_lossless(path: Path) -> None:
    """Compress a file as most archives do: JPEG, process 14, of the bits as they stand in the cells."""
    data = pydicom.dcmread(path)
    cells: Any = np.frombuffer(data.PixelData, np.uint8 if data.BitsAllocated == 8 else np.uint16)
    bits = cells & ((1 << int(data.BitsStored)) - 1)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(path.with_suffix(".tmp.dcm")))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.Execute(sitk.GetImageFromArray(bits.reshape(SHAPE[1:]).astype(cells.dtype)))
    compressed = pydicom.dcmread(path.with_suffix(".tmp.dcm"))
    path.with_suffix(".tmp.dcm").unlink()
    assert compressed.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    replaced(path, next(generate_frames(compressed.PixelData, number_of_frames=1)), JPEGLosslessSV1)


def replaced(path: Path, frame: bytes, syntax: str) -> None:
    """Give a file other pixels, compressed."""
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.PixelData = encapsulate([frame])
    data["PixelData"].VR = "OB"
    data.save_as(path)


def compressed(path: Path, syntax: str) -> None:
    if syntax == JPEGLosslessSV1:
        jpeg_lossless(path)
        return
    data = pydicom.dcmread(path)
    data.compress(syntax, generate_instance_uid=False)
    data.save_as(path)


@MONOCHROME
@REPRESENTATIONS
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1])
def test_compressed_slices_have_the_values_of_native_ones(
    tmp_path: Path, syntax: str, bits: int, signed: bool, photometric: str
) -> None:
    values = values_of(bits, signed)
    paths = stored(tmp_path, values, bits, signed=signed, PhotometricInterpretation=photometric)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values - 1024)
    for path in paths[:2]:
        compressed(path, syntax)
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values - 1024)


def test_without_plug_ins_gdcm_gives_the_same_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import JPEGLSLosslessDecoder

    values = values_of(12, True)
    for path in stored(tmp_path, values, 12, signed=True, PhotometricInterpretation="MONOCHROME1"):
        compressed(path, JPEGLSLossless)
    monkeypatch.setattr(JPEGLSLosslessDecoder, "_available", {})
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values - 1024)


HTJ2K = b64decode(
    "/0//UQApQAAAAAAgAAAAIAAAAAAAAAAAAAAAIAAAACAAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQ"
    "kJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAKQAAf+TwAAmm/4CB3QAwAASwAASgOIAB3QAIgKHdADAABLAABOA"
    "AADCdACQQ/4Ag1QAwAATwAAVQADwoKdCdQDGjY2NwDGB7LYAwAAVEAAFogDn1PT08ncA4GAwGAwGg/2IQHv2IQHsugDAACrgABb4AAD5/wKU"
    "pSlL6QBiURRFURRFURRFURT/eGBCB79hCB79hCB79hCB7LMB/9k="
)
"""32 x 32 values, signed: row times 50 plus column, less 800; encoded by OpenJPH."""


def high_throughput(folder: Path) -> npt.NDArray[np.int64]:
    row, column = np.indices(SHAPE[1:])
    values = np.broadcast_to(row * 50 + column - 800, SHAPE).astype(np.int64)
    for path in stored(folder, values, 12, signed=True):
        replaced(path, HTJ2K, HTJ2KLossless)
    return values


def test_high_throughput_jpeg_2000(tmp_path: Path) -> None:
    values = high_throughput(tmp_path)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values - 1024)


def test_what_nothing_installed_decodes_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import HTJ2KLosslessDecoder

    high_throughput(tmp_path)
    monkeypatch.setattr(HTJ2KLosslessDecoder, "_available", {})
    with pytest.raises(InputError, match=r"High-Throughput JPEG 2000.*pip install 'ivos\[dicom\]'.*pylibjpeg-openjpeg"):
        ivos.read(tmp_path)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.94", "1.2.840.113619.5.2", "1.2.840.10008.1.2.4.100"])
def test_what_nothing_decodes_is_to_be_exported_uncompressed(tmp_path: Path, syntax: str) -> None:
    for path in write_dicom(tmp_path, np.zeros(SHAPE, np.uint16)):
        replaced(path, b"\1\2\xff\xd9", syntax)
    with pytest.raises(InputError, match=r"abdomen_\d+.dcm: .*; have it exported uncompressed"):
        ivos.read(tmp_path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1, HTJ2KLossless])
def test_a_codestream_that_breaks_off_is_refused(tmp_path: Path, syntax: str) -> None:
    path = stored(tmp_path, values_of(12, False), 12, signed=False)[1]
    if syntax == HTJ2KLossless:
        replaced(path, HTJ2K, syntax)
    else:
        compressed(path, syntax)
    frame = next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))
    replaced(path, frame[: len(frame) // 2], syntax)
    with pytest.raises(InputError, match=f"{path.name}: truncated or damaged pixel data"):
        ivos.read(tmp_path)


@pytest.mark.parametrize("high_bit", [11, 15])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_bits_beside_the_value_may_hold_anything(
    tmp_path: Path, high_bit: int, signed: bool, syntax: str | None
) -> None:
    values = values_of(12, signed)
    noise = np.random.default_rng(0).integers(0, 16, SHAPE)

    def edit(data: Dataset, number: int) -> None:
        bits = values[number] & 0xFFF
        cells = bits | noise[number] << 12 if high_bit == 11 else bits << 4 | noise[number]
        data.HighBit, data.PixelData = high_bit, cells.astype("<u2").tobytes()
        if syntax is not None:
            data.compress(syntax, generate_instance_uid=False)

    edited(stored(tmp_path, values, 12, signed=signed), edit)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values - 1024)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_orders_of_bytes(tmp_path: Path, syntax: str) -> None:
    values = values_of(16, True)
    for number, path in enumerate(stored(tmp_path, values, 16, signed=True)):
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = UID(syntax)
        little = syntax == ImplicitVRLittleEndian
        data.PixelData = values[number].astype("<i2" if little else ">i2").tobytes()
        pydicom.dcmwrite(path, data, implicit_vr=little, little_endian=little)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values - 1024)


def test_floating_point_pixels(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)

    def edit(data: Dataset, number: int) -> None:
        del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation
        data.BitsAllocated, data.FloatPixelData = 32, values[number].tobytes()
        data.RescaleIntercept = 0

    edited(write_dicom(tmp_path, np.zeros(SHAPE, np.uint16)), edit)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values)


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [("", "", (1, 0)), ("", "-1024", (1, -1024)), ("2", "", (2, 0)), (None, None, (1, 0)), ("0.5", "3", (0.5, 3))],
)
@pytest.mark.parametrize("syntax", [None, JPEGLSLossless])
def test_empty_slope_and_intercept_are_1_and_0(
    tmp_path: Path, slope: str | None, intercept: str | None, expected: tuple[float, float], syntax: str | None
) -> None:
    values = values_of(12, False)

    def edit(data: Dataset, _: int) -> None:
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        if slope is None:
            del data.RescaleSlope, data.RescaleIntercept
        if syntax is not None:
            data.compress(syntax, generate_instance_uid=False)

    edited(stored(tmp_path, values, 12, signed=False), edit)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, values * expected[0] + expected[1])


def test_a_slope_of_0_is_refused(tmp_path: Path) -> None:
    stored(tmp_path, values_of(12, False), 12, signed=False, RescaleSlope=0)
    with pytest.raises(InputError, match="damaged pixel data"):
        ivos.read(tmp_path)


def test_a_table_of_values(tmp_path: Path) -> None:
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [4, 0, 16], [7, 70, 700, 7000], "US"
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    values = np.arange(int(np.prod(SHAPE))).reshape(SHAPE) % 4

    def edit(data: Dataset, _: int) -> None:
        del data.RescaleSlope, data.RescaleIntercept
        data.ModalityLUTSequence = [table]

    edited(stored(tmp_path, values, 12, signed=False), edit)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, np.array([7, 70, 700, 7000])[values])


@pytest.mark.parametrize("photometric", ["RGB", "PALETTE COLOR"])
def test_colours_are_refused(tmp_path: Path, photometric: str) -> None:
    def edit(data: Dataset, _: int) -> None:
        data.PhotometricInterpretation = photometric
        data.SamplesPerPixel = 3 if photometric == "RGB" else 1

    edited(write_dicom(tmp_path, np.zeros(SHAPE, np.uint16)), edit)
    with pytest.raises(InputError, match="a colour image; ivos needs one value per pixel"):
        ivos.read(tmp_path)
