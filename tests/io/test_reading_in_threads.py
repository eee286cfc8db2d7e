"""Reading leaves the process as it was, whatever else runs in it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

import ivos
from ivos.errors import InputError
from tests.io.grids import image_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (6, 7, 8)).astype(np.int16)
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


def files(folder: Path) -> list[Path]:
    """Whole and damaged ones of every kind."""
    made = []
    for suffix in SUFFIXES:
        whole, cut = folder / f"whole{suffix}", folder / f"cut{suffix}"
        sitk.WriteImage(image_of(VOXELS), str(whole))
        cut.write_bytes(whole.read_bytes()[:200])
        made += [whole, cut]
    return made


def outcome(path: Path) -> bool:
    try:
        np.testing.assert_array_equal(ivos.read(path).array.shape, VOXELS.shape)
    except InputError:
        return False
    return True


def test_no_file_descriptor_is_replaced(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = files(tmp_path) * 10
    before = [os.fstat(number) for number in (1, 2)]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(outcome, path) for path in paths]
        while not all(one.done() for one in running):
            assert [os.fstat(number)[:3] for number in (1, 2)] == [was[:3] for was in before]
    assert [one.result() for one in running] == [path.name.startswith("whole") for path in paths]
    os.write(2, b"MESSAGE")
    assert capfd.readouterr() == ("", "MESSAGE")


def test_warnings_of_itk_are_on_again_afterwards(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(outcome, files(tmp_path) * 4))
    assert sitk.ProcessObject.GetGlobalWarningDisplay()
