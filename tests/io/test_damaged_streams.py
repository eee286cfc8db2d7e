"""Packed voxels that were damaged or cut short: refused, or the very same voxels, but never others."""

from __future__ import annotations

import bz2
import gzip
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ivos
from ivos.errors import InputError
from tests.io.dicom.headers import VOXELS, meta_header, nrrd_header, saved, segment_keys, stored, with_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOISE = np.random.default_rng(0).normal(0, 50, VOXELS.shape).astype(np.int16)
RAW = stored(NOISE)
STORED = zlib.compress(RAW, 0)  # damage there changes voxels and nothing else
FILES = {
    "gzip.nrrd": (nrrd_header(encoding="gzip"), gzip.compress(RAW)),
    "stored.nrrd": (nrrd_header(encoding="gzip"), gzip.compress(RAW, 0)),
    "bzip2.nrrd": (nrrd_header(encoding="bzip2"), bz2.compress(RAW)),
    "labels.seg.nrrd": (with_keys(nrrd_header(encoding="gzip"), segment_keys(("liver", 0, 1))), gzip.compress(RAW)),
    "zlib.mha": (meta_header(CompressedData="True", CompressedDataSize=str(len(STORED))), STORED),
    "no size.mha": (meta_header(CompressedData="True"), zlib.compress(RAW)),
    "gzip.mha": (meta_header(CompressedData="True"), gzip.compress(RAW)),
}


def refused_or_right(path: Path) -> bool:
    """Whether the file is refused."""
    try:
        volume = ivos.read(path)
    except InputError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(str(path))
        return True
    np.testing.assert_array_equal(volume.array, NOISE)
    return False


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_whole_file_is_read(tmp_path: Path, name: str) -> None:
    assert not refused_or_right(saved(tmp_path / name, b"".join(FILES[name])))


@pytest.mark.parametrize("name", sorted(FILES))
def test_cut_anywhere(tmp_path: Path, name: str) -> None:
    header, packed = FILES[name]
    for length in range(0, len(packed), 3):
        assert refused_or_right(saved(tmp_path / name, header + packed[:length]))
    assert refused_or_right(saved(tmp_path / name, header + packed[:-1]))


@pytest.mark.parametrize("name", sorted(FILES))
def test_any_byte_changed(tmp_path: Path, name: str) -> None:
    header, packed = FILES[name]
    refusals = 0
    for place in range(0, len(packed), 2):
        changed = bytearray(packed)
        changed[place] ^= 0xFF
        refusals += refused_or_right(saved(tmp_path / name, header + changed))
    assert refusals > 0.9 * len(range(0, len(packed), 2))  # but for what names and dates a packer's own header has


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mhd"])
def test_damage_in_a_file_beside(tmp_path: Path, suffix: str) -> None:
    head = {
        "nrrd": nrrd_header(encoding="gzip", data_file="a.gz"),
        "nhdr": nrrd_header(encoding="gzip", data_file="a.gz"),
        "mhd": meta_header(CompressedData="True", ElementDataFile="a.gz"),
    }[suffix]
    path, packed = saved(tmp_path / f"a.{suffix}", head), gzip.compress(RAW)
    saved(tmp_path / "a.gz", packed)
    assert not refused_or_right(path)
    saved(tmp_path / "a.gz", packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"a\.gz: truncated"):
        ivos.read(path)
    saved(tmp_path / "a.gz", packed[:60] + bytes([packed[60] ^ 1]) + packed[61:])
    with pytest.raises(InputError, match=r"a\.gz: damaged"):
        ivos.read(path)


@pytest.mark.parametrize("name", sorted(FILES))
def test_more_packed_voxels_than_the_header_says(tmp_path: Path, name: str) -> None:
    header, _ = FILES[name]
    more = RAW + b"ab"
    packed = bz2.compress(more) if "bzip2" in name else gzip.compress(more)
    with pytest.raises(InputError, match="unpacks to more than the 120 bytes"):
        ivos.read(saved(tmp_path / name, header + packed))


def test_a_header_that_promises_more_than_can_be_packed(tmp_path: Path) -> None:
    for encoding, packed in (("gzip", gzip.compress(RAW)), ("bzip2", bz2.compress(RAW))):
        header = nrrd_header(encoding=encoding, sizes="3000000 3000000 3000000")
        with pytest.raises(InputError, match=r"truncated|more memory than there is"):
            ivos.read(saved(tmp_path / "a.nrrd", header + packed))


def test_labels_are_not_scored_where_they_are_damaged(tmp_path: Path) -> None:
    header = nrrd_header(encoding="gzip", type="uchar", endian=None)
    packed = bytearray(gzip.compress((NOISE > 0).astype(np.uint8).tobytes()))
    packed[len(packed) * 2 // 3] ^= 0xFF
    with pytest.raises(InputError, match=r"damaged|truncated"):
        ivos.read_labels(saved(tmp_path / "a.nrrd", header + packed))


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(FILES)),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0.5, 1) | st.just(1.0),
)
def test_damaged_labels_are_refused_clearly_or_sound(
    tmp_path_factory: pytest.TempPathFactory, name: str, damage: list[tuple[float, int]], cut: float
) -> None:
    whole = bytearray(b"".join(FILES[name]))
    for place, value in damage:
        whole[int(place * (len(whole) - 1))] = value
    path = saved(tmp_path_factory.mktemp("d") / name, bytes(whole[: int(cut * len(whole))]))
    clear_or_sound(ivos.read, path)
    clear_or_sound(ivos.read_labels, path)


def clear_or_sound(read: Callable[[Path], ivos.Volume], path: Path) -> None:
    try:
        volume = read(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert volume.array.shape == volume.geometry.shape
        assert min(volume.geometry.spacing_mm) > 0
