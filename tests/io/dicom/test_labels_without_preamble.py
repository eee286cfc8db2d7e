"""DICOM files of labels without the preamble, as planning systems write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.io.dicom.labels import holds_dicom_labels
from ivos.io.labels import LabelFormat, write_labels
from tests.io.dicom.series import labelled, referable_series, without_preamble

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("form", [LabelFormat.dicom_seg, LabelFormat.rtstruct])
def test_they_are_read(tmp_path: Path, form: LabelFormat) -> None:
    referable_series(tmp_path / "scan")
    labels = labelled(tmp_path / "scan", {1: "liver"})
    write_labels(tmp_path / "a.dcm", labels, source=tmp_path / "scan", form=form)
    without_preamble(tmp_path / "a.dcm")
    assert holds_dicom_labels(tmp_path / "a.dcm")
    read = ivos.read_labels(tmp_path / "a.dcm", scan=ivos.read(tmp_path / "scan"))
    np.testing.assert_array_equal(read.array, labels.array)
