"""Pseudonyms: the same for the same patient and key, and a key that only its owner reads."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from ivos.errors import InputError
from ivos.io.dicom.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "clinic.key"
    first = Pseudonyms.of_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Pseudonyms.of_key_file(path).of("MRN0815") == first.of("MRN0815 ")
    assert first.of("MRN0815") != first.of("MRN0816")
    assert Pseudonyms.of_key_file(tmp_path / "other.key").of("MRN0815") != first.of("MRN0815")
    assert "MRN0815" not in first.of("MRN0815")
    assert path.read_text().strip() not in repr(first)
    assert [p.name for p in path.parent.iterdir()] == ["clinic.key"]


def test_the_pseudonym_is_that_of_rfc_2104_with_sha_256() -> None:
    """The second test case of RFC 4231, whose key is too short for a file but not for the method."""
    assert Pseudonyms(b"Jefe").of("what do ya want for nothing?") == "IVOS-5bdcc146bf60754e"


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("abc\n")
    with pytest.raises(InputError, match="3 bytes are no key"):
        Pseudonyms.of_key_file(tmp_path / "short")
    with pytest.raises(InputError, match="cannot be read or made"):
        Pseudonyms.of_key_file(tmp_path)
