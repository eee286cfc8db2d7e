"""Tables of patients: names match as people write them, and what does not match is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivos.errors import InputError
from ivos.training.data.patients import read_patients

CASES = ["visit_00", "visit_01", "Visit 02", "jos\u00e9"]


def _table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "patients.csv"
    path.write_bytes(text.encode(encoding))
    return path


SPELLINGS = ["visit_00", "visit_00_0000", "visit_00.nii.gz", "visit_00_0000.nii.gz", "VISIT_00", " visit_00 "]


@pytest.mark.parametrize(
    "name", [*SPELLINGS, "images/visit_00.nii", "images\\visit_00_0000.mha", "Visit_00.NII.GZ", "visit_00-label.nii.gz"]
)
def test_a_name_matches_however_it_is_written(tmp_path: Path, name: str) -> None:
    found = read_patients(_table(tmp_path, f"case,patient\n{name},p\n"), CASES)
    assert found.whose == {"visit_00": "p"}
    assert not found.unknown


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_encodings_separators_and_heads(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [("Patient", "Case", "age"), ("p", "jose\u0301", "3"), ("q", "visit  02", "")]
    found = read_patients(_table(tmp_path, "\r\n".join(separator.join(row) for row in rows), encoding), CASES)
    assert found.whose == {"jos\u00e9": "p", "Visit 02": "q"}
    assert found.without == ("visit_00", "visit_01")


def test_what_does_not_match_is_told(tmp_path: Path) -> None:
    path = _table(tmp_path, "case,patient\nvisit_00,p\nvisit_07,p\nvisit_01,\n")
    found = read_patients(path, CASES)
    assert found.unknown == ("visit_07",)
    unknown, without = found.notes(path)
    assert "match no case: visit_07" in unknown
    assert "visit_01, Visit 02, jos\u00e9" in without


def test_a_name_of_btcv_is_that_of_its_case(tmp_path: Path) -> None:
    assert read_patients(_table(tmp_path, "case,patient\nimg0001.nii.gz,p\n"), ["0001"]).whose == {"0001": "p"}


def test_one_patient_in_several_spellings_is_one(tmp_path: Path) -> None:
    found = read_patients(_table(tmp_path, "case,patient\nvisit_00,Ann  B\nvisit_01,ann b\n"), CASES)
    assert len(set(found.whose.values())) == 1


def test_a_case_whose_name_is_written_exactly_so_goes_before_one_that_is_alike(tmp_path: Path) -> None:
    found = read_patients(_table(tmp_path, "case,patient\na,p\nA,q\n"), ["a", "A"])
    assert found.whose == {"a": "p", "A": "q"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case,patient\nx,p\n", "none of its 1 names matches a case; it has x; the cases are visit_00"),
        ("case,patient\n", "none of its 0 names"),
        ("case,patient\nvisit_00,p\nvisit_00.nii.gz,q\n", "visit_00 has two patients, p and q"),
        ("case,patient\n,p\n", "line 2: patient p without a case"),
        ("name,patient\nvisit_00,p\n", "columns 'case' and 'patient'"),
        ("", "columns 'case' and 'patient'"),
        ('case,patient\n"visit_00,p\n', "columns 'case' and 'patient'"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_patients(_table(tmp_path, text), CASES)
    with pytest.raises(InputError, match=r"VISIT_00 may be visit_00 or Visit_00"):
        read_patients(_table(tmp_path, "case,patient\n VISIT_00,p\n"), ["visit_00", "Visit_00"])
    with pytest.raises(InputError, match="not in UTF-8"):
        read_patients(_table(tmp_path, "case,patient\njos\u00e9,p\n", "latin-1"), CASES)
