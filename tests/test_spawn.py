"""Windows and macOS start processes anew instead of forking: what training sends to them has to arrive whole."""

from __future__ import annotations

import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ivos.phantom import abdomen
from ivos.training.data.store import store
from ivos.training.fast.examples import Examples as WalkExamples
from ivos.training.fast.scans import OwnScans
from ivos.training.propagation_settings import STCNSettings
from ivos.training.reference.slices import Alternating, LabelledSlices, UnlabelledSlices
from ivos.training.stcn.clips import ClipSamples
from ivos.training.streaming import StreamingDataset
from ivos.training.strokes.examples import Examples as StrokesExamples
from tests.processes import completed

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent


def first_three(dataset: Any) -> list[Any]:
    """Of one whose examples have numbers, or of the first scan of one without end."""
    if isinstance(dataset, StreamingDataset):
        return list(islice(dataset.examples(0, np.random.default_rng(0)), 3))
    return [dataset[number] for number in range(3)]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("stored")
    phantom = abdomen(3, shape=(16, 48, 48))
    paths = [folder / "labelled.b2nd", folder / "unlabelled.b2nd"]
    store(paths[0], phantom.scan, phantom.labels, case="labelled", fingerprint="1")
    store(paths[1], phantom.scan, None, case="unlabelled", fingerprint="2")
    clips = ClipSamples(paths[:1], paths[1:], STCNSettings(name="stcn", size=32), steps=4, per_step=2, seed=0)
    labelled = LabelledSlices(paths[:1], [1, 2, 3], size=32, neighbours=1, seed=0)
    unlabelled = UnlabelledSlices(paths[1:], size=32, neighbours=1, seed=0)
    own = OwnScans([labelled._scans[0]])
    return [Alternating([labelled, unlabelled]), clips, WalkExamples(own), StrokesExamples(own)]


def test_examples_are_the_same_in_a_process_that_was_started_anew(datasets: list[Any]) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = list(pool.map(first_three, datasets))
    for dataset, found in zip(datasets, there, strict=True):
        assert pickle.dumps(found) == pickle.dumps(first_three(dataset)), type(dataset)


def test_what_workers_are_given_besides_can_be_sent() -> None:
    from ivos.training.reference.slices import collate
    from ivos.training.stcn.clips import collate_clips

    given: list[Callable[..., Any]] = [collate, collate_clips]
    assert pickle.loads(pickle.dumps(given)) == given  # noqa: S301 - our own


def test_text_files_name_their_encoding() -> None:
    """Otherwise it is the machine's: on Windows another one than on Linux."""
    rule = ["check", "--isolated", "--no-cache", "--preview", "--select", "PLW1514", "--output-format", "concise"]
    done = completed([sys.executable, "-m", "ruff", *rule, ROOT / "src"])
    assert done.returncode == 0, done.stdout + done.stderr
