"""NRRD files of every form that writers give them: the same voxels on the same grid."""

from __future__ import annotations

import bz2
import gzip
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ivos
from ivos.errors import InputError
from ivos.volume.geometry import displacement_mm
from tests.io.dicom.headers import GRID, VOXELS, nrrd_header, saved, stored
from tests.io.grids import grid_in_itk, rotation

if TYPE_CHECKING:
    from pathlib import Path

RAW = stored(VOXELS)
PACKED = {
    "raw": RAW,
    "gzip": gzip.compress(RAW),
    "gz": gzip.compress(RAW),
    "bzip2": bz2.compress(RAW),
    "bz2": bz2.compress(RAW),
    "hex": RAW.hex(" ", 8).encode(),
    "ascii": " ".join(map(str, VOXELS.ravel())).encode(),
    "text": "\n".join(map(str, VOXELS.ravel())).encode(),
    "txt": ", ".join(map(str, VOXELS.ravel())).encode(),
}


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
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("encoding", sorted(PACKED))
def test_every_encoding_attached(tmp_path: Path, encoding: str) -> None:
    is_right(saved(tmp_path / "a.nrrd", nrrd_header(encoding=encoding) + PACKED[encoding]))


@pytest.mark.parametrize("encoding", sorted(PACKED))
@pytest.mark.parametrize("field", ["data_file", "datafile"])
def test_every_encoding_detached(tmp_path: Path, encoding: str, field: str) -> None:
    saved(tmp_path / "my voxels.dat", PACKED[encoding])
    is_right(saved(tmp_path / "a.nhdr", nrrd_header(encoding=encoding, **{field: "my voxels.dat"})))
    is_right(saved(tmp_path / "a.nrrd", nrrd_header(encoding=encoding, **{field: "my voxels.dat"}).rstrip()))


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "hex"])
def test_big_endian(tmp_path: Path, encoding: str) -> None:
    big = stored(VOXELS, ">")
    packed = {"raw": big, "gzip": gzip.compress(big), "bzip2": bz2.compress(big), "hex": big.hex().encode()}[encoding]
    is_right(saved(tmp_path / "a.nrrd", nrrd_header(endian="big", encoding=encoding) + packed))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("signed char", "i1"),
        ("uchar", "u1"),
        ("uint8_t", "u1"),
        ("short int", "i2"),
        ("unsigned short", "u2"),
        ("int", "i4"),
        ("uint32", "u4"),
        ("long long", "i8"),
        ("uint64_t", "u8"),
        ("float", "f4"),
        ("double", "f8"),
    ],
)
@pytest.mark.parametrize("encoding", ["raw", "text"])
def test_every_type(tmp_path: Path, name: str, dtype: str, encoding: str) -> None:
    voxels: Any = (np.arange(60).reshape(3, 4, 5) % 100).astype(dtype)
    if dtype == "u8":
        voxels[0, 0, 0] = 2**63 + 1
    content = voxels.tobytes() if encoding == "raw" else " ".join(str(v) for v in voxels.ravel()).encode()
    found = ivos.read(saved(tmp_path / "a.nrrd", nrrd_header(type=name, encoding=encoding) + content)).array
    assert found.dtype == voxels.dtype
    np.testing.assert_array_equal(found, voxels)


def test_lines_of_windows(tmp_path: Path) -> None:
    is_right(saved(tmp_path / "a.nrrd", nrrd_header(encoding="gzip").replace(b"\n", b"\r\n") + gzip.compress(RAW)))


def test_skipped_lines_and_bytes(tmp_path: Path) -> None:
    saved(tmp_path / "a.raw", b"line\nline\n" + b"1234567" + RAW)
    is_right(saved(tmp_path / "a.nhdr", nrrd_header(data_file="a.raw", line_skip="2", byte_skip="7")))
    is_right(saved(tmp_path / "b.nhdr", nrrd_header(data_file="a.raw", byte_skip="-1")))
    saved(tmp_path / "a.gz", b"line\n" + gzip.compress(b"1234567" + RAW))
    is_right(saved(tmp_path / "c.nhdr", nrrd_header(data_file="a.gz", encoding="gzip", line_skip="1", byte_skip="7")))


def test_one_file_a_slice(tmp_path: Path) -> None:
    for number, plane in enumerate(VOXELS):
        saved(tmp_path / f"s{number:02d}.raw", stored(plane))
    listed = nrrd_header(data_file="LIST 2")[:-1] + b"s00.raw\ns01.raw\ns02.raw\n"
    is_right(saved(tmp_path / "list.nhdr", listed))
    is_right(saved(tmp_path / "pattern.nhdr", nrrd_header(data_file="s%02d.raw 0 2 1 2")))
    (tmp_path / "s01.raw").unlink()
    refused(tmp_path / "list.nhdr", "s01.raw", "no such file")


def test_gzip_in_several_members(tmp_path: Path) -> None:
    packed = gzip.compress(RAW[:50]) + gzip.compress(RAW[50:])
    is_right(saved(tmp_path / "a.nrrd", nrrd_header(encoding="gzip") + packed))
    is_right(saved(tmp_path / "b.nrrd", nrrd_header(encoding="bz2") + bz2.compress(RAW[:50]) + bz2.compress(RAW[50:])))


def test_what_follows_the_voxels_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ivos"):
        is_right(saved(tmp_path / "a.nrrd", nrrd_header() + RAW + b"xxxx"))
    assert "4 bytes" in caplog.text
    is_right(saved(tmp_path / "b.nrrd", nrrd_header(encoding="gzip") + gzip.compress(RAW) + b"xxxx"))


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1)),
        ("LPS", (1, 1)),
        ("right-anterior-superior", (-1, -1)),
        ("RAS", (-1, -1)),
        ("left-anterior-superior", (1, -1)),
        ("scanner-xyz", (1, 1)),
    ],
)
def test_spaces_are_brought_to_lps(tmp_path: Path, space: str, signs: tuple[int, int]) -> None:
    path = saved(tmp_path / "a.nrrd", nrrd_header(space=space) + RAW)
    grid = ivos.read(path).source
    np.testing.assert_allclose(grid.origin_mm, (-5 * signs[0], 3 * signs[1], 2))
    np.testing.assert_allclose(grid.axes, ((0, 0, 1), (0, signs[1], 0), (signs[0], 0, 0)))


@settings(max_examples=40, deadline=None)
@given(angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3), space=st.sampled_from(["LPS", "RAS", "LAS"]))
def test_oblique_grids_are_where_itk_puts_them(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, float, float], space: str
) -> None:
    rows = np.diag((0.7, 0.8, 2.5)) @ rotation(angles)
    words = " ".join("(" + ",".join(repr(float(v)) for v in row) + ")" for row in rows)
    path = saved(tmp_path_factory.mktemp("n") / "a.nrrd", nrrd_header(space=space, space_directions=words) + RAW)
    assert displacement_mm(ivos.read(path).source, grid_in_itk(path)) < 1e-5


def test_spacings_without_a_space(tmp_path: Path) -> None:
    plain = {"space": None, "space_directions": None, "space_origin": None, "spacings": "0.7 0.8 2.5"}
    volume = ivos.read(saved(tmp_path / "a.nrrd", nrrd_header(**plain) + RAW))
    assert volume.geometry.spacing_mm == (2.5, 0.8, 0.7)
    at_nodes = {"axis_mins": "-5 3 2", "centers": "node node node"}
    is_right(saved(tmp_path / "b.nrrd", nrrd_header(**plain, **at_nodes) + RAW))


def test_no_spacing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bare = nrrd_header(space=None, space_directions=None, space_origin=None) + RAW
    with caplog.at_level(logging.WARNING, "ivos"):
        assert ivos.read(saved(tmp_path / "a.nrrd", bare)).geometry.spacing_mm == (1, 1, 1)
    assert "1 mm is assumed" in caplog.text


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1.0), ("um", 1e-3), ("cm", 10.0)])
def test_other_units_are_millimetres_inside(tmp_path: Path, unit: str, scale: float) -> None:
    path = saved(tmp_path / "a.nrrd", nrrd_header(space_units=f'"{unit}" "{unit}" "{unit}"') + RAW)
    np.testing.assert_allclose(ivos.read(path).geometry.spacing_mm, np.multiply(GRID[0], scale))
    np.testing.assert_allclose(ivos.read(path).geometry.origin_mm, np.multiply(GRID[1], scale))


@pytest.mark.parametrize(
    "fields",
    [
        {"sizes": "5 4 3 1", "space_directions": "(0.7,0,0) (0,0.8,0) (0,0,2.5) none"},
        {"sizes": "1 5 4 3", "space_directions": "none (0.7,0,0) (0,0.8,0) (0,0,2.5)"},
        {"sizes": "1 5 4 3", "space_directions": "(nan,nan,nan) (0.7,0,0) (0,0.8,0) (0,0,2.5)"},
        {
            "sizes": "5 4 3 1",
            "space": None,
            "space_dimension": "4",
            "space_directions": "(0.7,0,0,0) (0,0.8,0,0) (0,0,2.5,0) (0,0,0,1)",
            "space_origin": "(-5,3,2,0)",
        },
    ],
)
def test_an_axis_of_one_is_no_axis(tmp_path: Path, fields: dict[str, str | None]) -> None:
    is_right(saved(tmp_path / "a.nrrd", nrrd_header(dimension="4", kinds=None, **fields) + RAW))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"space_directions": "(0.7,0,0) (0,0,0) (0,0,2.5)"}, ("two-dimensional",)),
        ({"space_directions": "(0.7,0,0) (0,nan,0) (0,0,2.5)"}, ("not finite",)),
        ({"space_directions": "(0.7,0,0) (0,0.8,0.3) (0,0,2.5)"}, ("not at right angles",)),
        ({"space_directions": "(0.7,0,0) (0,0.8,0)"}, ("space", "directions")),
        ({"space_origin": "(1,2)"}, ("origin",)),
        ({"space": "right-posterior-superior"}, ("space: right-posterior-superior",)),
        ({"space": None, "space_directions": None, "space_origin": None, "spacings": "0.7 -0.8 2.5"}, ("negative",)),
        ({"space": None, "space_directions": None, "space_origin": None, "spacings": "0.7 0 2.5"}, ("zero spacing",)),
        ({"type": "block"}, ("block",)),
        ({"type": "shorx"}, ("type: shorx",)),
        ({"type": None}, ("no field 'type'",)),
        ({"endian": None}, ("no field 'endian'",)),
        ({"encoding": "zrl"}, ("zrl", "gzip")),
        ({"encoding": "9" * 5000}, ("99...", "gzip")),
        ({"data_file": "a\0b"}, ("cannot be read",)),
        ({"space_origin": ")("}, ("damaged",)),
        ({"space_directions": "(1e300,0,0) (0,1e300,0) (0,0,1)"}, ("not finite",)),
        ({"sizes": "5 4"}, ("sizes",)),
        ({"sizes": "5 4 -3"}, ("sizes",)),
        ({"sizes": "30000 30000 30000"}, ("truncated",)),
        ({"spbce_units": "mm"}, ("spbce units", "damaged")),
        ({"data_file": "a%d.raw 0 99999999999 1"}, ("damaged",)),
        ({"line_skip": "99999999999"}, ("truncated",)),
        ({"data_file": "gone.raw"}, ("gone.raw", "no such file")),
    ],
)
def test_headers_that_cannot_be(tmp_path: Path, fields: dict[str, str | None], words: tuple[str, ...]) -> None:
    refused(saved(tmp_path / "a.nrrd", nrrd_header(**fields) + RAW), *words)


@pytest.mark.parametrize(("kind", "count"), [("vector", 3), ("RGB-color", 3), ("list", 2)])
def test_several_values_per_voxel(tmp_path: Path, kind: str, count: int) -> None:
    header = nrrd_header(
        dimension="4",
        sizes=f"{count} 5 4 3",
        kinds=f"{kind} domain domain domain",
        space_directions="none (0.7,0,0) (0,0.8,0) (0,0,2.5)",
    )
    refused(saved(tmp_path / "a.nrrd", header + count * RAW), f"{count} values per voxel")


def test_several_time_points(tmp_path: Path) -> None:
    header = nrrd_header(
        dimension="4",
        sizes="5 4 3 2",
        kinds="domain domain domain time",
        space_directions="(0.7,0,0) (0,0.8,0) (0,0,2.5) none",
    )
    refused(saved(tmp_path / "a.nrrd", header + 2 * RAW), "4-dimensional", "5 x 4 x 3 x 2")


def test_text_that_does_not_fit_its_type(tmp_path: Path) -> None:
    words = " ".join(map(str, VOXELS.ravel())).encode()
    refused(saved(tmp_path / "a.nrrd", nrrd_header(type="uchar", encoding="text") + words), "damaged")
    refused(saved(tmp_path / "b.nrrd", nrrd_header(encoding="text") + words[:-9]), "truncated", "of 60 voxels")
    refused(saved(tmp_path / "c.nrrd", nrrd_header(encoding="text") + words.replace(b"-900", b"-9o0")), "no number")
