"""A process that was forked from one that has computed says so instead of waiting for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import multiprocessing, sys
import numpy as np
import torch
torch.set_num_threads(int(sys.argv[1]))
import ivos
from tests.propagation.scenes import drawn_on, moving_discs
from ivos.propagation.engines.nearest import NearestEngine
from ivos.prompts.prompts import Strokes, click

scan, labels = moving_discs(size=40)
session = ivos.InteractiveSession(scan)
session.add(1, "one")
segmenter = ivos.stroke_segmenter()

def propagate(): return ivos.propagate(scan, drawn_on(labels, 2)).labels.array.sum()
def go_on():
    session.draw(2, 1, labels.array[2] == 3)
    return len(list(session.propagate()))
def stroke():
    shape = (40, 40)
    strokes = Strokes.none(shape).with_stroke(click(shape, 5, 5), positive=True)
    return segmenter(np.zeros((3, *shape), np.float32), strokes, np.zeros(shape, bool)).sum()
def without_network(): return ivos.propagate(scan, drawn_on(labels, 2), engine=NearestEngine()).labels.array.sum()

def tried(what):
    try:
        return f"{what.__name__} {what()}"
    except ivos.InputError as error:
        return f"{what.__name__} refused: {error}"

def forked():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        for what in (propagate, go_on, stroke, without_network):
            print(pool.apply_async(tried, [what]).get(timeout=60))

if sys.argv[2] == "computes":
    propagate()
forked()
"""


def _printed(threads: int, first: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(threads), first],
        capture_output=True, text=True, timeout=600, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks on Windows")
def test_a_fork_of_a_process_that_computes_is_told_to_be_spawned() -> None:
    printed = _printed(2, "computes")
    assert len(printed) == 4
    for line in printed[:3]:
        assert "refused: this process was forked" in line
        assert "get_context('spawn')" in line
    assert printed[3].startswith("without_network ")
    assert "refused" not in printed[3]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks on Windows")
def test_with_one_thread_a_fork_works() -> None:
    printed = _printed(1, "computes")
    assert len(printed) == 4
    assert not any("refused" in line for line in printed)
