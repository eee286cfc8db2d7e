"""What came instead of weights is called by its name, whichever command or reader meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from ivos.errors import InputError
from ivos.nets.checkpoints import load_stcn, load_strokes, read_weights
from ivos.nets.imagenet import load_resnet
from ivos.nets.recognise import recognise
from ivos.nets.reference_file import ReferenceInfo, load_reference, save_reference
from tests.cli.runner import refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES = {
    "plain": b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
    "short": b"<html>",
    "old": b'\n\r\n <HTML LANG="de"><TITLE>\n Sign in </TITLE>',
    "xhtml": b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">',
    "comment": b"<!-- saved from url=(0014)about:internet -->\n<!doctype html>",
    "marked": b"\xef\xbb\xbf<!doctype html>",
    "utf-16": "<!doctype html><p>\u00e9".encode("utf-16"),
    "latin-1": b"<html><p>\xe9</p>",
    "long": b"<!doctype html>" + b"<p>Google Drive cannot scan this file for viruses.</p>" * 5000,
}
MESSAGES = {
    "xml": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "json": b'{"error": "rate limit exceeded"}',
    "words": b"404: Not Found",
}
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def said(path: Path, reader: Callable[[Path], object] = read_weights) -> str:
    with pytest.raises(InputError) as caught:
        reader(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.pt"])
def test_a_web_page(tmp_path: Path, page: str, name: str) -> None:
    (tmp_path / name).write_bytes(PAGES[page])
    message = said(tmp_path / name)
    assert message.startswith("a web page")
    assert ("('Sign in')" in message) == (page in ("plain", "old"))


@pytest.mark.parametrize("reader", [load_stcn, load_strokes, recognise, load_reference])
def test_every_reader_calls_a_web_page_so(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(PAGES["plain"])
        assert said(tmp_path / name, reader).startswith("a web page ('Sign in'), not weights")
    (tmp_path / "w.pth").write_bytes(PAGES["plain"])
    assert said(tmp_path / "w.pth", lambda path: load_resnet(torch.nn.Linear(1, 1), path)).startswith("a web page")


def test_vision_transformers_too(tmp_path: Path) -> None:
    (tmp_path / "vit.npz").write_bytes(PAGES["plain"])
    assert said(tmp_path / "vit.npz", recognise).startswith("a web page")
    (tmp_path / "vit.npz").write_bytes(b"PK\x03\x04" + bytes(100))
    assert said(tmp_path / "vit.npz", recognise).startswith("truncated: cut off after 104 bytes")


@pytest.mark.parametrize("text", MESSAGES)
def test_a_message_of_a_server_is_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "w.pth").write_bytes(MESSAGES[text])
    message = said(tmp_path / "w.pth")
    assert message.startswith("a server's message, not weights")
    assert MESSAGES[text].decode()[:20] in message


def test_a_pointer_and_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(LFS)
    assert "git lfs pull" in said(tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes(b"")
    assert said(tmp_path / "w.pth") == "is empty; download it again"


def test_what_is_nothing_known_is_not_said_to_hold_code(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(bytes(range(17, 256)) * 4)
    assert said(tmp_path / "w.pth") == "not a PyTorch checkpoint, or damaged; download it again"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    weights = {f"layer{number}.weight": torch.rand(20, 30) for number in range(5)}
    torch.save(weights, folder / "zip.pth")
    torch.save(weights, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(weights, folder / "w.safetensors", {"kind": "x"})
    for path in folder.iterdir():
        assert read_weights(path).keys() == weights.keys()
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True), name=st.sampled_from(["zip.pth", "old.pth", "w.safetensors"]))
def test_wherever_it_is_cut_a_file_is_called_cut(
    tmp_path: Path, whole: dict[str, bytes], share: float, name: str
) -> None:
    content = whole[name]
    (tmp_path / name).write_bytes(content[: max(9, int(share * len(content)))])  # fewer bytes may be anything
    assert "cut off" in said(tmp_path / name)


def test_a_cut_reference_network_is_called_cut_by_a_command(tmp_path: Path) -> None:
    info = ReferenceInfo(network="small", structures=(1,), names={1: "x"}, size=32, neighbours=0)
    path = tmp_path / "reference.safetensors"
    save_reference(info.made(), info, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert f"cut off after {len(content) // 2:,} of at least {len(content):,} bytes" in said(path, load_reference)
    assert "cut off after" in refused("weights", "import", path, "-o", tmp_path / "weights")
