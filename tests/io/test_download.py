"""Downloads are whole and checked, or not there; what was cut off goes on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from ivos.errors import InputError
from ivos.io.download import copy, download
from tests.server import Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"".join(number.to_bytes(3, "big") for number in range(100_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(net_pth=CONTENT) as made:
        yield made


def fetch(site: Site, path: Path, sha256: str | None = SHA256, name: str = "net.pth") -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    digest = download(
        f"{site.address}/{name}", path, sha256=sha256, progress=lambda done, total: seen.append((done, total))
    )
    assert digest == SHA256
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return seen


def refusal(site: Site, path: Path, sha256: str | None = SHA256, name: str = "net.pth") -> str:
    with pytest.raises(InputError) as caught:
        fetch(site, path, sha256, name)
    assert not path.exists()
    return str(caught.value)


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], None])
def test_a_whole_file_with_its_checksum_a_part_of_it_or_none(site: Site, tmp_path: Path, sha256: str | None) -> None:
    seen = fetch(site, tmp_path / "new" / "net.pth", sha256)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_what_was_cut_off_goes_on(site: Site, tmp_path: Path) -> None:
    site.cut_after = 100_000
    message = refusal(site, tmp_path / "net.pth")
    assert "broke off after 100000 of 300000 bytes" in message
    assert (tmp_path / "net.pth.part").read_bytes() == CONTENT[:100_000]
    site.cut_after = None
    seen = fetch(site, tmp_path / "net.pth")
    assert site.asked == [("net.pth", None), ("net.pth", "bytes=100000-")]
    assert seen[0][0] > 100_000


def test_a_server_that_cannot_resume_sends_all_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(b"something else")
    site.resumes = False
    fetch(site, tmp_path / "net.pth")


def test_more_than_the_file_is_not_its_beginning(site: Site, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(CONTENT + b"and more")
    fetch(site, tmp_path / "net.pth")
    assert site.asked[-1] == ("net.pth", None)


def test_a_wrong_checksum_leaves_nothing(site: Site, tmp_path: Path) -> None:
    assert "its sha256 is" in refusal(site, tmp_path / "net.pth", "0" * 8)
    assert list(tmp_path.iterdir()) == []


def test_the_beginning_of_another_file_is_found_out(site: Site, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(b"?" * 1000)
    assert "not the published file" in refusal(site, tmp_path / "net.pth")
    fetch(site, tmp_path / "net.pth")


def test_a_page_instead_of_the_file(site: Site, tmp_path: Path) -> None:
    site.kind = "text/html; charset=utf-8"
    assert "a page came instead" in refusal(site, tmp_path / "net.pth")
    assert list(tmp_path.iterdir()) == []


def test_no_such_file_and_no_such_server(site: Site, tmp_path: Path) -> None:
    assert "answers 404" in refusal(site, tmp_path / "a", name="other.pth")
    site.address = "http://127.0.0.1:9"  # where nobody listens
    assert "cannot be reached" in refusal(site, tmp_path / "a")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/net.pth", "http://[/net.pth"])
def test_other_addresses_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError):
        download(address, tmp_path / "a", sha256=None, progress=lambda *_: None)


def test_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(CONTENT)
    assert copy(tmp_path / "net.pth", tmp_path / "to" / "net.pth", sha256=SHA256) == SHA256
    assert [p.name for p in (tmp_path / "to").iterdir()] == ["net.pth"]
    with pytest.raises(InputError, match="not the published file"):
        copy(tmp_path / "net.pth", tmp_path / "other" / "net.pth", sha256="0")
    assert list((tmp_path / "other").iterdir()) == []
    assert (tmp_path / "net.pth").exists()
    with pytest.raises(InputError, match="no such file"):
        copy(tmp_path / "no.pth", tmp_path / "to.pth", sha256=None)


def test_a_place_that_cannot_be_written_to(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        fetch(site, tmp_path / "file" / "net.pth")
