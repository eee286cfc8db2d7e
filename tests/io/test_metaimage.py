"""MetaImage files as other tools write them: the same voxels on the same grid."""

from __future__ import annotations

import gzip
import logging
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ivos
from ivos.errors import InputError
from ivos.volume.geometry import displacement_mm
from tests.io.dicom.headers import GRID, VOXELS, meta_header, saved, stored
from tests.io.grids import grid_in_itk, rotation

if TYPE_CHECKING:
    from pathlib import Path

RAW = stored(VOXELS)
ZLIB = zlib.compress(RAW)
TEXT = " ".join(map(str, VOXELS.ravel())).encode()


def is_right(path: Path) -> None:
    volume = ivos.read(path)
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, VOXELS)
    np.testing.assert_allclose((*volume.geometry.spacing_mm, *volume.geometry.origin_mm), (*GRID[0], *GRID[1]))


def refused(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        ivos.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert "damaged" in words or "damaged" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


FORMS: dict[str, tuple[dict[str, str | None], bytes]] = {
    "plain": ({}, RAW),
    "most significant byte first": ({"BinaryDataByteOrderMSB": "True"}, stored(VOXELS, ">")),
    "byte order by its other name": (
        {"BinaryDataByteOrderMSB": None, "ElementByteOrderMSB": "true"},
        stored(VOXELS, ">"),
    ),
    "byte order as a number": ({"BinaryDataByteOrderMSB": "1"}, stored(VOXELS, ">")),
    "zlib": ({"CompressedData": "True", "CompressedDataSize": str(len(ZLIB))}, ZLIB),
    "zlib without its size": ({"CompressedData": "True"}, ZLIB),
    "zlib with a size that is too large": ({"CompressedData": "True", "CompressedDataSize": "100000"}, ZLIB),
    "zlib with a size that is too small": ({"CompressedData": "True", "CompressedDataSize": "7"}, ZLIB),
    "gzip": ({"CompressedData": "True"}, gzip.compress(RAW)),
    "zlib, most significant byte first": (
        {"CompressedData": "True", "BinaryDataByteOrderMSB": "True"},
        zlib.compress(stored(VOXELS, ">")),
    ),
    "text": ({"BinaryData": "False"}, TEXT),
    "four axes, the last of one": (
        {
            "NDims": "4",
            "DimSize": "5 4 3 1",
            "ElementSpacing": "0.7 0.8 2.5 1",
            "Offset": "-5 3 2 0",
            "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
        },
        RAW,
    ),
    "bytes after the voxels": ({}, RAW + b"xxxx"),
    "bytes after the packed voxels": ({"CompressedData": "True"}, ZLIB + b"xxxx"),
    "one channel": ({"ElementNumberOfChannels": "1"}, RAW),
    "position": ({"Offset": None, "Position": "-5 3 2"}, RAW),
    "origin": ({"Offset": None, "Origin": "-5 3 2"}, RAW),
    "no byte order": ({"BinaryDataByteOrderMSB": None}, RAW),
    "element size": ({"ElementSpacing": None, "ElementSize": "0.7 0.8 2.5"}, RAW),
    "spacing before element size": ({"ElementSize": "9 9 9"}, RAW),
    "fields of one's own": ({"Modality": "MET_MOD_CT", "AnatomicalOrientation": "RAI", "Comment": "a = b: c"}, RAW),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_attached(tmp_path: Path, form: str) -> None:
    fields, voxels = FORMS[form]
    is_right(saved(tmp_path / "a.mha", meta_header(**fields) + voxels))
    is_right(saved(tmp_path / "local.mhd", meta_header(**fields, ElementDataFile="Local") + voxels))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_in_two_files(tmp_path: Path, form: str) -> None:
    fields, voxels = FORMS[form]
    saved(tmp_path / "my voxels.raw", voxels)
    is_right(saved(tmp_path / "a.mhd", meta_header(**fields, ElementDataFile="my voxels.raw")))
    (tmp_path / "below").mkdir()
    is_right(saved(tmp_path / "below" / "b.mhd", meta_header(**fields, ElementDataFile="../my voxels.raw").rstrip()))
    is_right(saved(tmp_path / "c.mhd", meta_header(**fields, ElementDataFile=str(tmp_path / "my voxels.raw"))))


def test_other_ways_to_write_lines(tmp_path: Path) -> None:
    is_right(saved(tmp_path / "windows.mha", meta_header().replace(b"\n", b"\r\n") + RAW))
    is_right(saved(tmp_path / "colon.mha", meta_header().replace(b" = ", b": ") + RAW))
    is_right(saved(tmp_path / "narrow.mha", meta_header().replace(b" = ", b"=") + RAW))


def test_voxels_after_another_header(tmp_path: Path) -> None:
    saved(tmp_path / "a.raw", b"some header " + RAW)
    is_right(saved(tmp_path / "number.mhd", meta_header(HeaderSize="12", ElementDataFile="a.raw")))
    is_right(saved(tmp_path / "end.mhd", meta_header(HeaderSize="-1", ElementDataFile="a.raw")))
    is_right(saved(tmp_path / "end.mha", meta_header(HeaderSize="-1") + b"some header " + RAW))
    refused(saved(tmp_path / "short.mha", meta_header(HeaderSize="-1") + RAW[:-50]), "truncated", "70 of 120 bytes")


def test_one_file_a_slice(tmp_path: Path) -> None:
    for number, plane in enumerate(VOXELS):
        saved(tmp_path / f"s{number:03d}.raw", stored(plane))
        saved(tmp_path / f"s{number:03d}.z", zlib.compress(stored(plane)))
    names = b"s000.raw\ns001.raw\ns002.raw\n"
    is_right(saved(tmp_path / "list.mhd", meta_header(ElementDataFile="LIST") + names))
    is_right(saved(tmp_path / "planes.mhd", meta_header(ElementDataFile="LIST 2D") + names))
    is_right(saved(tmp_path / "pattern.mhd", meta_header(ElementDataFile="s%03d.raw 0 2 1")))
    is_right(saved(tmp_path / "packed.mhd", meta_header(CompressedData="True", ElementDataFile="s%03d.z 0 2 1")))
    saved(tmp_path / "s001.raw", RAW[:20])
    refused(tmp_path / "list.mhd", "s001.raw", "truncated", "20 of 40 bytes")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("MET_CHAR", "i1"),
        ("MET_UCHAR", "u1"),
        ("MET_USHORT", "u2"),
        ("MET_INT", "i4"),
        ("MET_UINT", "u4"),
        ("MET_LONG", "i4"),
        ("MET_ULONG", "u4"),
        ("MET_LONG_LONG", "i8"),
        ("MET_ULONG_LONG", "u8"),
        ("MET_FLOAT", "f4"),
        ("MET_DOUBLE", "f8"),
    ],
)
def test_every_type(tmp_path: Path, name: str, dtype: str) -> None:
    voxels: Any = (np.arange(60).reshape(3, 4, 5) % 100).astype(dtype)
    found = ivos.read(saved(tmp_path / "a.mha", meta_header(ElementType=name) + voxels.tobytes())).array
    assert found.dtype == voxels.dtype
    np.testing.assert_array_equal(found, voxels)


@settings(max_examples=40, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3), key=st.sampled_from(["TransformMatrix", "Rotation", "Orientation"])
)
def test_oblique_grids_are_where_itk_puts_them(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, float, float], key: str
) -> None:
    words = " ".join(repr(float(v)) for v in rotation(angles).ravel())
    header = meta_header(**{"TransformMatrix": None, key: words})
    path = saved(tmp_path_factory.mktemp("m") / "a.mha", header + RAW)
    assert displacement_mm(ivos.read(path).source, grid_in_itk(path)) < 1e-5


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1.0), ("um", 1e-3), ("cm", 10.0), ("?", 1.0)])
def test_other_units_are_millimetres_inside(tmp_path: Path, unit: str, scale: float) -> None:
    path = saved(tmp_path / "a.mha", meta_header(DistanceUnits=unit) + RAW)
    np.testing.assert_allclose(ivos.read(path).geometry.spacing_mm, np.multiply(GRID[0], scale))


def test_no_spacing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ivos"):
        volume = ivos.read(saved(tmp_path / "a.mha", meta_header(ElementSpacing=None) + RAW))
    assert set(volume.geometry.spacing_mm) == {1.0}
    assert "1 mm is assumed" in caplog.text


def test_bytes_after_the_voxels_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ivos"):
        is_right(saved(tmp_path / "a.mha", meta_header() + RAW + b"xxxx"))
    assert "4 bytes" in caplog.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ElementSpacing": "0.7 -0.8 2.5"}, ("negative spacing", "-0.8 mm along y")),
        ({"ElementSpacing": "0 0.8 2.5"}, ("zero spacing", "along x")),
        ({"ElementSpacing": "0.7 0.8 nan"}, ("not finite",)),
        ({"ElementSpacing": "0.7 0.8"}, ("ElementSpacing = 0.7 0.8", "damaged")),
        ({"TransformMatrix": "2 0 0 0 2 0 0 0 2"}, ("not of length 1",)),
        ({"TransformMatrix": "1 0 0 0 1 0.3 0 0 1"}, ("not of length 1",)),
        ({"TransformMatrix": "1 0 0 0 0.8 0.6 0 0 1"}, ("not at right angles",)),
        ({"DimSize": "5 4 3.5"}, ("DimSize", "damaged")),
        ({"DimSize": "5 4 1"}, ("two-dimensional",)),
        ({"ElementType": "MET_STRING"}, ("MET_STRING", "damaged")),
        ({"ElementDataFile": "a%d.raw 0 99999999999 1"}, ("files of one length", "damaged")),
        ({"ElementNumberOfChannels": "3"}, ("3 values per voxel",)),
        ({"ElementType": "MET_LONG", "DimSize": "5 3 2"}, ()),
    ],
)
def test_headers_that_cannot_be(tmp_path: Path, fields: dict[str, str | None], words: tuple[str, ...]) -> None:
    path = saved(tmp_path / "a.mha", meta_header(**fields) + RAW)
    if words:
        refused(path, *words)
    else:
        ivos.read(path)  # 30 voxels of 4 bytes


def test_long_voxels_of_8_bytes_are_not_taken_for_4(tmp_path: Path) -> None:
    wide = VOXELS.astype("<i8").tobytes()
    refused(saved(tmp_path / "a.mha", meta_header(ElementType="MET_LONG") + wide), "MET_LONG_LONG")
    packed = meta_header(ElementType="MET_LONG", CompressedData="True") + zlib.compress(wide)
    refused(saved(tmp_path / "b.mha", packed), "unpacks to more", "damaged")


def test_several_time_points(tmp_path: Path) -> None:
    header = meta_header(
        NDims="4",
        DimSize="5 4 3 2",
        ElementSpacing="0.7 0.8 2.5 1",
        Offset="0 0 0 0",
        TransformMatrix=" ".join(map(str, np.eye(4, dtype=int).ravel())),
    )
    refused(saved(tmp_path / "a.mha", header + 2 * RAW), "4-dimensional", "5 x 4 x 3 x 2")


def test_a_missing_and_a_short_file_of_voxels(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mhd", meta_header(ElementDataFile="a.raw"))
    refused(path, "a.raw", "no such file")
    saved(tmp_path / "a.raw", RAW[:-50])
    refused(path, "a.raw", "truncated", "70 of 120 bytes")
    refused(saved(tmp_path / "a.mha", meta_header() + RAW[:-50]), "truncated", "70 of 120 bytes")
    (tmp_path / "a.raw").unlink()
    (tmp_path / "a.raw").mkdir()
    refused(path, "a.raw", "cannot be read")


def test_a_header_without_its_end(tmp_path: Path) -> None:
    refused(saved(tmp_path / "a.mhd", meta_header().split(b"ElementDataFile")[0]), "ElementDataFile", "damaged")
