"""The XMem engine beyond parity: structures that come and go, long walks, and what its three memories do."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from ivos.nets.inference import for_inference
from ivos.nets.xmem import XMem
from ivos.propagation.engines import xmem
from ivos.propagation.engines.protocol import Slice
from ivos.propagation.engines.xmem import XMemEngine
from ivos.propagation.masks import Masks
from ivos.propagation.memory.long_term import LongTermSizes
from ivos.propagation.memory.store import Memory
from ivos.propagation.propagate import propagate
from tests.propagation.scenes import drawn_on, moving_discs

SHAPE = (30, 44)
SMALL = LongTermSizes(working=2, kept=1, prototypes=4, elements=8)


@pytest.fixture(scope="module")
def network() -> XMem:
    torch.manual_seed(0)
    made = XMem().eval()
    with torch.no_grad():  # random weights blow up through the blocks; keep outputs away from 0 and 1
        made.decoder.pred.weight.mul_(0.02)
    return made


@functools.cache
def prepared(network: XMem, dtype: torch.dtype) -> XMem:
    return for_inference(network, dtype=dtype)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing a network takes longer than any of these walks: once, and without what pays on large slices."""
    monkeypatch.setattr(xmem, "for_inference", lambda network, *, dtype, winograd: prepared(network, dtype))  # noqa: ARG005


def engine(network: XMem, **settings: Any) -> XMemEngine:
    return XMemEngine(network, device=torch.device("cpu"), memory_budget_bytes=10**8, **settings)


def slices(count: int) -> list[Slice]:
    rng = np.random.default_rng(0)
    images = [rng.random((3, *SHAPE)).astype(np.float32) for _ in range(count)]
    return [Slice(n, image, (1.0, 1.0), ahead=image) for n, image in enumerate(images)]


def squares(k: int) -> Masks:
    masks = np.zeros((k, *SHAPE), np.float32)
    for n in range(k):
        masks[n, 4:26, 3 + 2 * n : 5 + 2 * n] = 1
    return Masks.of(masks)


def known(*flags: bool) -> np.ndarray:
    return np.array(flags)


@pytest.mark.parametrize(("k", "working_size"), [(1, 64), (17, 32)])  # 17: more than are decoded at once
def test_probabilities_of_every_pixel_sum_to_one_at_most(network: XMem, k: int, working_size: int | None) -> None:
    made = engine(network, working_size=working_size, memory_every=1)
    first, second, third = slices(3)
    made.observe(first, squares(k), np.ones(k, bool))
    for image in (second, third):
        found = made.predict(image, None).dense()
        assert found.shape == (k, *SHAPE)
        assert found.min() >= 0
        assert 0 < found.sum(axis=0).max() < 1 + 1e-5


def test_the_order_of_structures_does_not_matter(network: XMem) -> None:
    first, *others = slices(3)
    order = [2, 0, 1]
    results = []
    for masks in (squares(3).dense(), squares(3).dense()[order]):
        made = engine(network, memory_every=1)
        made.observe(first, Masks.of(masks), np.ones(3, bool))
        results.append([made.predict(image, None).dense() for image in others][-1])
    np.testing.assert_allclose(results[1], results[0][order], atol=1e-5)


def test_bfloat16_gives_nearly_the_same(network: XMem) -> None:
    first, *others = slices(3)
    results = []
    for bfloat16 in (False, True):
        made = engine(network, bfloat16=bfloat16)
        made.observe(first, squares(3), np.ones(3, bool))
        results.append([made.predict(image, None).dense() for image in others][-1])
    assert 0 < np.abs(results[1] - results[0]).max() < 0.05


def test_a_structure_that_appears_later_is_nowhere_before_and_does_not_disturb_the_others(network: XMem) -> None:
    first, second, third, fourth = slices(4)
    one, both = squares(2).dense(), squares(2)
    one[1] = 0
    made, alone = (engine(network, memory_every=1) for _ in range(2))
    made.observe(first, Masks.of(one), known(True, False))
    alone.observe(first, Masks.of(one[:1]), known(True))
    for image in (second, third):
        found = made.predict(image, None).dense()
        assert not found[1].any()
        np.testing.assert_allclose(found[:1], alone.predict(image, None).dense(), atol=1e-4)
    made.observe(third, both, known(False, True))
    assert made.predict(fourth, None).dense()[1].any()


def test_a_structure_that_is_known_to_be_absent_is_no_error(network: XMem) -> None:
    first, second, third = slices(3)
    made = engine(network)
    made.observe(third, Masks.of(np.zeros((2, *SHAPE), np.float32)), known(True, True))
    masks = squares(2).dense()
    masks[1] = 0
    made.observe(first, Masks.of(masks), known(True, True))
    assert np.isfinite(made.predict(second, None).dense()).all()
    made.observe(third, Masks.of(np.zeros((2, *SHAPE), np.float32)), known(True, True))


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The sensory memory with which the network decodes."""
    seen: list[torch.Tensor] = []
    original = XMem.decode

    def record(self: XMem, readout: torch.Tensor, sensory: torch.Tensor, *a: Any, **k: Any) -> Any:
        seen.append(sensory)
        return original(self, readout, sensory, *a, **k)

    monkeypatch.setattr(XMem, "decode", record)
    return seen


def test_the_state_is_of_the_slice_that_the_walk_starts_from(network: XMem, states: list[torch.Tensor]) -> None:
    first, second, *_, last = slices(8)
    for far in ([], [last]):
        made = engine(network)
        for image in (*far, first):
            made.observe(image, squares(2), known(True, True))
        made.predict(second, None)
    torch.testing.assert_close(states[1], states[0])
    assert states[0].any()


def test_an_annotation_that_is_reached_replaces_what_was_predicted_there(
    network: XMem, states: list[torch.Tensor]
) -> None:
    first, second, third = slices(3)
    made, direct = (engine(network) for _ in range(2))
    for one in (made, direct):
        one.observe(first, squares(2), known(True, True))
    made.predict(second, None)
    for one in (made, direct):
        one.observe(second, squares(2), known(True, True))
        one.predict(third, None)
    torch.testing.assert_close(states[-1], states[-2])


def test_a_slice_observed_again_is_encoded_once(network: XMem, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[torch.Tensor] = []
    original = XMem.encode_value

    def record(self: XMem, image: torch.Tensor, *a: torch.Tensor) -> torch.Tensor:
        encoded.append(image)
        return original(self, image, *a)

    monkeypatch.setattr(XMem, "encode_value", record)
    first, second, _, last = slices(4)
    made = engine(network)
    for image in (last, first, first, second):
        made.observe(image, squares(2), known(True, True))
    made.observe(last, squares(2), known(True, True))
    assert len(encoded) == 3


def test_a_long_walk_is_consolidated_and_keeps_its_annotations(network: XMem, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[tuple[int, list[int]]] = []
    original = Memory.read

    def record(self: Memory, *a: Any) -> torch.Tensor:
        held.append((self.prototypes, self.indices))
        return original(self, *a)

    monkeypatch.setattr(Memory, "read", record)
    images = slices(8)
    made = engine(network, memory_every=1, long_term=SMALL)
    for image in (images[-1], images[0]):
        made.observe(image, squares(2), known(True, True))
    for image in images[1:-1]:
        assert np.isfinite(made.predict(image, None).dense()).all()
    assert max(prototypes for prototypes, _ in held) == SMALL.elements
    assert all(indices[:2] == [7, 0] and len(indices) <= 2 + SMALL.working for _, indices in held)


def test_states_that_are_refreshed_less_often_differ(network: XMem) -> None:
    images = slices(4)
    results = []
    for every in (None, 2):
        made = engine(network, memory_every=1, deep_update_every=every)
        made.observe(images[0], squares(2), known(True, True))
        results.append([made.predict(image, None).dense() for image in images[1:]])
    assert np.abs(results[0][-1] - results[1][-1]).max() > 1e-6


def test_from_drawn_slices_to_a_volume(network: XMem) -> None:
    scan, labels = moving_discs(slices=4, size=32)
    drawn = drawn_on(labels, 0, 3)
    first, second = (propagate(scan, drawn, engine=engine(network)).labels.array for _ in range(2))
    np.testing.assert_array_equal(first[[0, 3]], drawn.array[[0, 3]])
    np.testing.assert_array_equal(first, second)


def test_predict_before_observe_is_refused(network: XMem) -> None:
    with pytest.raises(RuntimeError, match="before observe"):
        engine(network).predict(slices(1)[0], None)
