"""Damaged files, thousands of ways: a clear error or a sound volume, never anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

import ivos
from ivos.errors import InputError
from tests.io.grids import image_of, write_dicom

VOXELS = np.random.default_rng(0).integers(0, 1000, (4, 6, 8)).astype(np.int16)
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8)
CUT = st.floats(0, 1) | st.just(1.0)


def image_bytes(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        sitk.WriteImage(image_of(VOXELS), str(path))
        return path.read_bytes()


ORIGINALS = {suffix: image_bytes(suffix) for suffix in (".nii", ".nii.gz", ".nrrd", ".mha")}


def damaged(content: bytes, damage: list[tuple[float, int]], cut: float, head: int) -> bytes:
    """Bytes changed within the first ``head`` bytes, the end cut off."""
    changed = bytearray(content)
    for place, value in damage:
        changed[int(place * (min(head, len(changed)) - 1))] = value
    return bytes(changed[: int(cut * len(changed))])


def clear_or_sound(path: Path) -> None:
    try:
        volume = ivos.read(path)
    except InputError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 400
    else:
        assert volume.array.ndim == 3
        assert np.isfinite(volume.array).all()
        assert volume.array.shape == volume.geometry.shape
        assert min(volume.geometry.spacing_mm) > 0


@pytest.mark.parametrize("suffix", sorted(ORIGINALS))
def test_damaged_image_files(suffix: str) -> None:
    @given(damage=DAMAGE, cut=CUT)
    def check(damage: list[tuple[float, int]], cut: float) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            path.write_bytes(damaged(ORIGINALS[suffix], damage, cut, head=400))
            clear_or_sound(path)

    check()


@given(damage=DAMAGE, cut=CUT)
def test_damaged_dicom_files(damage: list[tuple[float, int]], cut: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_dicom(Path(folder), VOXELS.astype(np.uint16))[1]
        path.write_bytes(damaged(path.read_bytes(), damage, cut, head=1200))
        clear_or_sound(Path(folder))
