"""Other tools in their own environment: what they are given, and what becomes of what they give."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.peers import run
from benchmarks.peers.run import Peer, peer_of

from ivos.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

COPIES = """
import sys
import numpy as np
task = np.load(sys.argv[1])
assert task["full"].tolist() == [1], task["full"]
assert task["scan"].shape == task["annotated"].shape
np.save(sys.argv[2], np.repeat(task["annotated"][1][None], len(task["scan"]), axis=0))
"""


def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Peer:
    path = tmp_path / "program.py"
    path.write_text(program)
    monkeypatch.setattr(run, "_PROGRAMS", {"tool": path})
    return peer_of(f"tool={sys.executable}")


def scene() -> tuple[np.ndarray, np.ndarray]:
    annotated = np.zeros((4, 6, 6), np.uint16)
    annotated[1, 1:3, 1:3], annotated[1, 4, 4] = 300, 7
    return np.zeros(annotated.shape, np.int16), annotated


def test_labels_come_back_under_their_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, annotated = scene()
    found = peer(tmp_path, monkeypatch, COPIES).labels_from(scan, annotated, [1])
    np.testing.assert_array_equal(found, np.repeat(annotated[1][None], 4, axis=0))
    assert found.dtype == annotated.dtype


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit('no device')", "no device"),
        ("", "failed"),
        ("import sys, numpy; numpy.save(sys.argv[2], numpy.zeros((2, 2)))", r"gave \(2, 2\)"),
        ("import sys, numpy; numpy.save(sys.argv[2], numpy.full((4, 6, 6), 9))", "other than those annotated"),
    ],
)
def test_a_tool_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        peer(tmp_path, monkeypatch, program).labels_from(*scene(), [1])


@pytest.mark.parametrize("text", ["itk", "itk=", "itk=/no/such/python", f"slicer={sys.executable}"])
def test_what_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="one of biomedisa, itk"):
        peer_of(text)


@pytest.fixture
def python() -> str:
    if "IVOS_PEERS" not in os.environ:
        pytest.skip("other tools are not here: set IVOS_PEERS to the Python with benchmarks/peers/requirements.txt")
    return os.environ["IVOS_PEERS"]


@pytest.mark.parametrize(("name", "full"), [("itk", [2, 6]), ("biomedisa", [2, 6]), ("biomedisa", [])])
def test_the_tools_fill_between_slices(python: str, name: str, full: list[int]) -> None:
    truth = np.zeros((9, 24, 24), np.uint8)
    truth[1:8, 8:16, 8:16] = 5
    truth[1:8, 18:22, 8:16] = 9
    annotated = np.zeros_like(truth)
    annotated[[2, 6]] = truth[[2, 6]]
    found = peer_of(f"{name}={python}").labels_from((20 * truth).astype(np.int16), annotated, full)
    assert (found[3:6] != truth[3:6]).mean() < 0.02
