"""`ivos weights`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

import ivos as package
from ivos.nets.checkpoints import read_weights
from ivos.nets.published import PUBLISHED
from tests.cli.runner import ivos, refused
from tests.server import Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(range(256)) * 100
BUNDLED = Path(package.__file__).parent / "nets" / "fast.safetensors"


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(fusion_pth=CONTENT) as site:
        site.files["R50+ViT-B_16.npz"] = CONTENT
        site.files["resnet18-f37072fd.pth"] = CONTENT
        yield site


def test_list() -> None:
    listed = ivos("weights", "list").stdout
    for known in PUBLISHED:
        assert known.name in listed
        assert known.address in listed
    rows = json.loads(ivos("weights", "list", "--json").stdout)
    assert [row["name"] for row in rows] == [known.name for known in PUBLISHED]


def test_download_from_a_mirror_goes_on_where_it_was_cut_off(mirror: Site, tmp_path: Path) -> None:
    mirror.cut_after = 1000
    command = ("weights", "download", "fusion", "-o", tmp_path, "--from", f"{mirror.address}/")
    assert "broke off after 1000 of 25600 bytes; the same command goes on" in refused(*command)
    mirror.cut_after = None
    assert "fusion.pth: downloaded; no checksum is known, its sha256 is" in ivos(*command).stdout
    assert mirror.asked[-1] == ("fusion.pth", "bytes=1000-")
    assert (tmp_path / "fusion.pth").read_bytes() == CONTENT
    assert "exists already" in ivos(*command).stdout
    assert len(mirror.asked) == 2


def test_names_with_signs_are_found_on_a_mirror(mirror: Site, tmp_path: Path) -> None:
    done = ivos("weights", "download", "r50-vit-b16", "-o", tmp_path, "--from", mirror.address)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "R50+ViT-B_16.npz").exists()


def test_what_cannot_be_fetched_is_refused(mirror: Site, tmp_path: Path) -> None:
    def told(name: str, *place: object) -> str:
        return refused("weights", "download", name, "-o", tmp_path / "to", *place)

    assert "choose one of stcn" in told("sctn")
    assert "answers 404" in told("stcn", "--from", mirror.address)
    assert "cannot be reached" in told("stcn", "--from", "http://127.0.0.1:9")
    assert "begins with http" in told("stcn", "--from", "ftp://127.0.0.1")
    assert "no such file" in told("stcn", "--from", tmp_path)
    assert "not the published file" in told("resnet18", "--from", mirror.address)
    assert list((tmp_path / "to").iterdir()) == []


def test_download_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "fusion.pth").write_bytes(CONTENT)
    assert ivos("weights", "download", "fusion", "-o", tmp_path / "to", "--from", tmp_path).returncode == 0
    assert (tmp_path / "to" / "fusion.pth").read_bytes() == CONTENT
    (tmp_path / "resnet18-f37072fd.pth").write_bytes(CONTENT)
    assert "is another file" in refused("weights", "download", "resnet18", "-o", tmp_path)


def test_import(tmp_path: Path) -> None:
    weights = read_weights(BUNDLED)
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "mine.ckpt")
    done = ivos("weights", "import", tmp_path / "mine.ckpt", "-o", tmp_path / "to")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "to" / "mine.safetensors"
    assert f"written to {path}: ivos propagate --engine fast --checkpoint {path}" in done.stdout
    assert list((tmp_path / "to").iterdir()) == [path]
    assert all(torch.equal(value, weights[name]) for name, value in read_weights(path).items())
    assert "exists; choose another folder" in refused("weights", "import", path, "-o", tmp_path / "to")


def test_unknown_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(1)}, tmp_path / "w.pth")
    message = refused("weights", "import", tmp_path / "w.pth", "-o", tmp_path / "to")
    assert "w.pth: not of a network that ivos knows: it begins with a.weight" in message
    assert not (tmp_path / "to").exists()
