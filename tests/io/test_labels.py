"""Label files of any form: names, what is refused before the work, pairs on one grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.io.cases import labels_by_case, scans_by_case
from ivos.io.labels import LabelFormat, check_label_path, label_path, write_labels
from ivos.io.pairs import read_pair
from tests.io.dicom.series import labelled, referable_series

if TYPE_CHECKING:
    from pathlib import Path


def test_every_form_is_written_and_found_by_case(tmp_path: Path) -> None:
    referable_series(tmp_path / "scans" / "a")
    scan = ivos.read(tmp_path / "scans" / "a")
    labels = labelled(tmp_path / "scans" / "a", {3: "liver", 5: "spleen"})
    for form in LabelFormat:
        path = label_path(tmp_path / form.value, "a", form)
        write_labels(path, labels, source=tmp_path / "scans" / "a", form=form)
        assert labels_by_case(path.parent) == {"a": path}
        found = ivos.read_labels(path, scan=scan)
        np.testing.assert_array_equal(found.array, labels.array)
        assert found.names == labels.names
    assert scans_by_case(tmp_path / "scans") == {"a": tmp_path / "scans" / "a"}


def test_the_suffix_says_the_form(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    write_labels(tmp_path / "x.dcm", labelled(tmp_path / "scan", {3: "liver"}), source=tmp_path / "scan")
    assert ivos.read_labels(tmp_path / "x.dcm").names == {3: "liver"}


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    (tmp_path / "a.dcm").mkdir()
    with pytest.raises(InputError, match=r"dicom-seg needs a scan that came as DICOM.*scan\.nii\.gz is none"):
        check_label_path(tmp_path / "x.dcm", source=tmp_path / "scan.nii.gz")
    with pytest.raises(InputError, match="no scan is given"):
        check_label_path(tmp_path / "x.dcm", LabelFormat.rtstruct)
    with pytest.raises(InputError, match=r"nifti files end in \.nii\.gz"):
        check_label_path(tmp_path / "x.dcm", LabelFormat.nifti, tmp_path / "scan")
    with pytest.raises(InputError, match=r"rtstruct files end in \.dcm"):
        check_label_path(tmp_path / "x.nrrd", LabelFormat.rtstruct, tmp_path / "scan")
    with pytest.raises(InputError, match="is a folder"):
        check_label_path(tmp_path / "a.dcm", source=tmp_path / "scan")
    with pytest.raises(InputError, match="cannot write"):
        check_label_path(tmp_path / "x.png")


@pytest.mark.parametrize(("one", "other"), [("dicom-seg", "dicom-seg"), ("nifti", "rtstruct"), ("dicom-seg", "nifti")])
def test_two_files_of_other_slices_come_on_one_grid(tmp_path: Path, one: str, other: str) -> None:
    referable_series(tmp_path / "scan")
    labels = labelled(tmp_path / "scan", {3: "liver"})
    upper, lower = labels.array.copy(), labels.array.copy()
    upper[:2], lower[3:] = 0, 0
    paths = []
    for name, form, array in (("a", LabelFormat(one), upper), ("b", LabelFormat(other), lower)):
        paths.append(label_path(tmp_path, name, form))
        write_labels(paths[-1], labels.with_array(array, labels.names), source=tmp_path / "scan", form=form)
    found = read_pair(*paths)
    assert found[0].geometry == found[1].geometry
    np.testing.assert_array_equal(found[0].mask(3), upper == 3)
    np.testing.assert_array_equal(found[1].mask(3), lower == 3)
