"""What the bundled weights say does not depend on what it must not depend on."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.nets.checkpoints import load_fast
from ivos.nets.runners import OpenVINORunner, Runner, TorchRunner, runner_for
from ivos.phantom import abdomen
from ivos.propagation.engines.fast import FastEngine
from ivos.propagation.propagate import propagate
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from ivos.phantom.case import Phantom
    from ivos.types import Array

_CPU = torch.device("cpu")
_DRAWN = (3, 11, 19)
_TOLERATED = 1e-3  # of all voxels


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return abdomen(5, shape=(24, 128, 128))


@pytest.fixture(scope="module")
def runner() -> Runner:
    return runner_for(load_fast(), _CPU)


@pytest.fixture(scope="module")
def plain(phantom: Phantom, runner: Runner) -> Array:
    return _labels(phantom.scan, _drawn(phantom.labels), runner)


def _drawn(labels: Volume) -> Volume:
    array = np.zeros_like(labels.array)
    array[_DRAWN, :] = labels.array[_DRAWN, :]
    return labels.with_array(array)


def _labels(scan: Volume, drawn: Volume, runner: Runner) -> Array:
    return propagate(scan, drawn, engine=FastEngine(runner), axis="axial").labels.array


def test_the_same_weights_give_the_same_labels_twice(phantom: Phantom, runner: Runner, plain: Array) -> None:
    np.testing.assert_array_equal(_labels(phantom.scan, _drawn(phantom.labels), runner), plain)


def test_both_back_ends_agree(phantom: Phantom, plain: Array) -> None:
    pytest.importorskip("openvino")
    network = load_fast()
    found = [
        _labels(phantom.scan, _drawn(phantom.labels), made)
        for made in (TorchRunner(network, _CPU), OpenVINORunner(network))
    ]
    assert (found[0] != found[1]).mean() < _TOLERATED
    assert min((made != plain).mean() for made in found) == 0  # one of the two is what is used


def test_without_openvino_pytorch_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with caplog.at_level(logging.WARNING, logger="ivos"):
        assert type(runner_for(load_fast(), _CPU)) is TorchRunner
    assert "OpenVINO is not installed" in caplog.text


def test_an_interrupt_while_openvino_takes_the_network_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = pytest.importorskip("openvino.frontend.pytorch.ts_decoder").TorchScriptPythonDecoder
    given, asked = decoder.get_op_type, []

    def interrupted_once(self: object) -> str:
        asked.append(True)
        if len(asked) == 50:
            signal.raise_signal(signal.SIGINT)
        return str(given(self))

    monkeypatch.setattr(decoder, "get_op_type", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        runner_for(load_fast(), _CPU)


def test_the_order_of_labels_does_not_matter(phantom: Phantom, runner: Runner, plain: Array) -> None:
    drawn = _drawn(phantom.labels)
    ids = np.unique(drawn.array)
    other = np.zeros(256, np.uint8)
    other[ids[1:]] = np.roll(ids[1:][::-1], 4)
    renamed = _labels(phantom.scan, drawn.with_array(other[drawn.array]), runner)
    assert (renamed != other[plain]).mean() < _TOLERATED


def test_intensity_scale_does_not_matter_in_mr(phantom: Phantom, runner: Runner) -> None:
    drawn = _drawn(phantom.labels)
    found = []
    for scale, offset in ((1.0, 1000.0), (0.37, 60.0)):
        grid = phantom.scan.geometry
        scan = Volume.from_array(
            scale * phantom.scan.array.astype(np.float32) + np.float32(offset), grid, modality="MR"
        )
        found.append(_labels(scan, drawn, runner))
    assert (found[0] != found[1]).mean() < _TOLERATED


def test_orientation_does_not_matter(phantom: Phantom, runner: Runner, plain: Array) -> None:
    def turned(volume: Volume) -> Volume:
        """The same points, stored with axes x, z, y, two of them the other way."""
        g = volume.geometry
        array = volume.array.transpose(2, 0, 1)[:, ::-1, ::-1]
        corner = g.points_mm([[g.shape[0] - 1, g.shape[1] - 1, 0]])[0]
        axes = (g.axes[2], _back(g.axes[0]), _back(g.axes[1]))
        spacing = (g.spacing_mm[2], g.spacing_mm[0], g.spacing_mm[1])
        grid = Geometry(array.shape, spacing, (float(corner[0]), float(corner[1]), float(corner[2])), axes)
        return Volume.from_array(array, grid, modality=volume.modality, names=volume.names)

    found = propagate(turned(phantom.scan), turned(_drawn(phantom.labels)), engine=FastEngine(runner), axis="axial")
    assert (found.labels.array != plain).mean() < _TOLERATED


def _back(axis: tuple[float, float, float]) -> tuple[float, float, float]:
    return -axis[0], -axis[1], -axis[2]
