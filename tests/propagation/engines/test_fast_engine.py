"""The small network as an engine, with weights as they are before any training: it then follows the image by flow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ivos.nets.checkpoints import load_fast
from ivos.nets.fast import FastNet
from ivos.nets.runners import TorchRunner
from ivos.propagation.engines.fast import FastEngine
from ivos.propagation.propagate import propagate
from tests.propagation.scenes import dice, drawn_on, moving_discs


@pytest.fixture(scope="module")
def network() -> FastNet:
    torch.manual_seed(0)
    made = FastNet().eval()
    with torch.no_grad():  # nothing learned, nothing added: the carried mask alone
        for parameter in made.out.parameters():
            parameter.mul_(0)
    return made


def engine(network: FastNet) -> FastEngine:
    return FastEngine(TorchRunner(network, torch.device("cpu")))


def test_untrained_it_follows_what_moves(network: FastNet) -> None:
    scan, labels = moving_discs()
    result = propagate(scan, drawn_on(labels, 0, 11), engine=engine(network)).labels.array
    assert min(dice(result[6] == k, labels.array[6] == k) for k in (3, 8)) > 0.85


def test_the_order_of_labels_does_not_matter(network: FastNet) -> None:
    scan, labels = moving_discs()
    names = np.array([0, 0, 0, 200, 0, 0, 0, 0, 1], np.uint8)
    drawn = drawn_on(labels, 5)
    plain = propagate(scan, drawn, engine=engine(network)).labels.array
    renamed = propagate(scan, drawn.with_array(names[drawn.array]), engine=engine(network)).labels.array
    assert (renamed != names[plain]).mean() < 1e-3


def test_intensity_scale_does_not_matter_in_mr(network: FastNet) -> None:
    scan, labels = moving_discs()
    louder = scan.with_array(scan.array.astype(np.float32) * 3 + 100)
    drawn = drawn_on(labels, 5)
    first, second = (propagate(s, drawn, engine=engine(network), modality="mr").labels.array for s in (scan, louder))
    assert (first != second).mean() < 1e-3


def test_a_structure_that_is_lost_stays_lost(network: FastNet) -> None:
    scan, labels = moving_discs()
    emptied = scan.with_array(scan.array.copy())
    made = engine(network)
    with torch.no_grad():
        network.presence.bias.sub_(50)
    try:
        result = propagate(emptied, drawn_on(labels, 5), engine=made).labels.array
    finally:
        with torch.no_grad():
            network.presence.bias.add_(50)
    assert not result[[z for z in range(12) if z != 5]].any()


def test_the_bundled_weights_let_a_structure_end_where_flow_alone_does_not(network: FastNet) -> None:
    scan, labels = moving_discs(slices=14)
    bare, _ = moving_discs(slices=14)
    scan.array[7:] = np.where(labels.array[7:] > 0, np.roll(bare.array[7:], 30, axis=1), scan.array[7:])
    after = []
    for made in (FastEngine(TorchRunner(load_fast(), torch.device("cpu"))), engine(network)):
        result = propagate(scan, drawn_on(labels, 2), engine=made).labels.array
        assert min(dice(result[6] == k, labels.array[6] == k) for k in (3, 8)) > 0.85
        after.append(int((result[8:] > 0).sum()))
    assert after[0] < 0.3 * after[1]
