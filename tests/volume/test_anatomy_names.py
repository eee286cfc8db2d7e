"""Names of structures in DICOM: no longer than there is room, without forbidden characters, and different."""

from __future__ import annotations

import logging
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ivos
from ivos.io.labels import LabelFormat, write_labels
from ivos.volume.anatomy_names import dicom_names, dicom_text
from tests.io.dicom.series import referable_series

LONG = "liver segment without the lesion that was seen in the earlier examination, by reader "


@given(st.dictionaries(st.integers(1, 9), st.text(max_size=80) | st.sampled_from([LONG + "one", LONG + "two"])))
def test_names_fit_and_stay_different(names: dict[int, str]) -> None:
    found = dicom_names(names, Path("x.dcm"))
    assert set(found) == set(names)
    for label, text in found.items():
        assert 0 < len(text) <= 64
        assert text == text.strip()
        assert "\\" not in text
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs")]
        assert names[label] == text or dicom_text(names[label]) != names[label] or not names[label]
    for one in names:
        for other in names:
            assert (found[one] == found[other]) <= (names[one] == names[other] or one == other)


def test_what_is_kept_of_a_long_name() -> None:
    assert dicom_text(LONG + "one") == "liver segment without the lesi...lier examination, by reader one"
    assert dicom_text(" a\\b\tc\r\n") == "a/b c"
    assert dicom_text("x" * 64) == "x" * 64


@pytest.mark.parametrize("form", [LabelFormat.dicom_seg, LabelFormat.rtstruct])
def test_names_in_files(tmp_path: Path, form: LabelFormat, caplog: pytest.LogCaptureFixture) -> None:
    referable_series(tmp_path / "scan")
    scan = ivos.read(tmp_path / "scan")
    names = {
        1: LONG + "one",
        2: LONG + "two",
        3: "left\\right",
        4: "left/right",
        5: "肝" * 70 + "a",
        6: "肝" * 70 + "b",
    }
    array = np.zeros(scan.array.shape, np.uint8)
    array[2, 1:3, 1:4] = np.reshape(list(names), (2, 3))
    with caplog.at_level(logging.WARNING):
        write_labels(tmp_path / "x.dcm", scan.with_array(array, names), source=tmp_path / "scan", form=form)
    assert f"'{LONG}one' as 'liver segment without the lesi...lier examination, by reader one'" in caplog.text
    found = ivos.read_labels(tmp_path / "x.dcm", scan=scan)
    np.testing.assert_array_equal(found.array, array)
    assert len(set(found.names.values())) == 6
    assert (found.names[3], found.names[4]) == ("left/right (2)", "left/right")  # the one that fits keeps its name
    caplog.clear()
    write_labels(tmp_path / "x.dcm", scan.with_array(array, {1: "liver"}), source=tmp_path / "scan", form=form)
    assert not caplog.records
