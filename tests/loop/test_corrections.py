"""Corrected labels as people drop them into the loop's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.loop.labelling import REVIEW, corrections, read_correction
from ivos.volume.labels import ignored_in
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from pathlib import Path

LABELS = volume_of(np.array([0, 1, 255, 256, 1, 0, 0, 255], np.uint16).reshape(2, 2, 2))


def test_they_are_found_by_case_whatever_program_named_them(tmp_path: Path) -> None:
    for name in ("a.seg.nrrd", "b-label.nii.gz", "other.nii.gz"):
        ivos.write(tmp_path / REVIEW / name, LABELS)
    (tmp_path / REVIEW / "._a.nii.gz").write_bytes(b"")
    found, others = corrections(tmp_path, ["a", "b", "c"])
    assert {case: path.name for case, path in found.items()} == {"a": "a.seg.nrrd", "b": "b-label.nii.gz"}
    assert [path.name for path in others] == ["other.nii.gz"]
    ivos.write(tmp_path / REVIEW / "a.nii.gz", LABELS)
    with pytest.raises(InputError, match=r"a\.seg\.nrrd: the case 'a' has two files; the other is a\.nii\.gz"):
        corrections(tmp_path, ["a"])


@pytest.mark.parametrize("ignored", [255, 256])
def test_what_the_loop_calls_ignored_stays_so_without_its_name(ignored: int, tmp_path: Path) -> None:
    ivos.write(tmp_path / "a.nii.gz", LABELS)
    read = read_correction(tmp_path / "a.nii.gz", LABELS, {ignored: "ignore"})
    np.testing.assert_array_equal(ignored_in(read), LABELS.array == ignored)
    ivos.write(tmp_path / "b.nii.gz", LABELS.with_array(LABELS.array, {ignored: "rostrum"}))
    assert not ignored_in(read_correction(tmp_path / "b.nii.gz", LABELS, {ignored: "ignore"})).any()
