"""Networks are loaded once a process, by file and device, and not without bound."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import ivos
from ivos.errors import InputError
from ivos.nets import runners
from ivos.nets.checkpoints import load_fast, save_propagation
from ivos.nets.loaded import LoadedNetworks
from ivos.prompts.segmenters import stroke_segmenter
from ivos.propagation.corrections.difference_aware import difference_aware
from ivos.propagation.engines.registry import create_engine
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.nets.fast import FastNet

CPU = torch.device("cpu")


@pytest.fixture
def weights(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{name}.safetensors" for name in "abcd"]
    for number, path in enumerate(files):
        path.write_bytes(b"x" * 100 * (number + 1))
    return files


def test_a_file_is_loaded_once_for_a_device_and_settings(weights: list[Path]) -> None:
    networks, made = LoadedNetworks(), []

    def make() -> object:
        made.append(object())
        return made[-1]

    first = networks.get("kind", weights[0], CPU, make)
    assert networks.get("kind", weights[0].parent / "." / weights[0].name, CPU, make) is first
    assert networks.get("kind", weights[0], torch.device("meta"), make) is not first
    assert networks.get("other", weights[0], CPU, make) is not first
    assert networks.get("kind", weights[0], CPU, make, True) is not first
    assert networks.get("kind", weights[1], CPU, make) is not first
    assert len(made) == len(networks) == 5


def test_a_file_that_was_written_again_is_loaded_again(weights: list[Path]) -> None:
    networks = LoadedNetworks()
    first = networks.get("kind", weights[0], CPU, object)
    weights[0].write_bytes(b"other content")
    assert networks.get("kind", weights[0], CPU, object) is not first
    assert len(networks) == 1


def test_those_not_asked_for_longest_go_first(weights: list[Path]) -> None:
    few, small = LoadedNetworks(most=2), LoadedNetworks(most_bytes=450)
    kept = [few.get("kind", path, CPU, object) for path in weights[:2]]
    assert few.get("kind", weights[0], CPU, object) is kept[0]
    few.get("kind", weights[2], CPU, object)
    assert few.get("kind", weights[0], CPU, object) is kept[0]
    assert few.get("kind", weights[1], CPU, object) is not kept[1]
    for path in weights:  # of 100, 200, 300, 400 bytes
        small.get("kind", path, CPU, object)
    assert len(small) == 1  # the last one, alone within the bound
    tiny = LoadedNetworks(most_bytes=1)
    assert tiny.get("kind", weights[3], CPU, object) is tiny.get("kind", weights[3], CPU, object)


def test_what_cannot_be_loaded_is_not_kept(tmp_path: Path, weights: list[Path]) -> None:
    networks = LoadedNetworks()

    def refuse() -> object:
        raise InputError("damaged")

    for path in (weights[0], tmp_path / "none.safetensors"):
        with pytest.raises(InputError, match="damaged"):
            networks.get("kind", path, CPU, refuse)
    assert len(networks) == 0


def test_several_threads_wait_for_one_that_loads(weights: list[Path]) -> None:
    networks, loads, gate = LoadedNetworks(), [], threading.Event()

    def make() -> object:
        gate.wait(10)
        loads.append(object())
        return loads[-1]

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(networks.get, "kind", weights[0], CPU, make) for _ in range(4)]
        gate.set()
        assert len({id(answer.result()) for answer in answers}) == len(loads) == 1


def test_engines_segmenters_and_sessions_share_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiled: list[FastNet] = []
    of_network = runners.runner_for

    def counted(network: FastNet, device: torch.device) -> runners.Runner:
        compiled.append(network)
        return of_network(network, device)

    monkeypatch.setattr(runners, "runner_for", counted)
    path = tmp_path / "own.safetensors"
    save_propagation(load_fast(), path)
    scan, labels = moving_discs()
    results = [
        ivos.propagate(scan, drawn_on(labels, 2), engine=create_engine("fast", checkpoint=path)) for _ in range(3)
    ]
    assert len(compiled) == 1
    for result in results[1:]:
        np.testing.assert_array_equal(result.labels.array, results[0].labels.array)
    assert stroke_segmenter() is stroke_segmenter()
    assert difference_aware() is difference_aware()
    assert create_engine("fast") is not create_engine("fast")  # an engine remembers slices


def test_threads_that_propagate_at_once_do_not_disturb_each_other() -> None:
    scans = [moving_discs(size=size) for size in (40, 48, 56, 64)]

    def propagated(number: int) -> bytes:
        scan, labels = scans[number]
        return ivos.propagate(scan, drawn_on(labels, 2)).labels.array.tobytes()

    alone = [propagated(number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(propagated, range(4))) == alone
