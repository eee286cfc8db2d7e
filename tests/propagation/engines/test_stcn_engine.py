"""The STCN engine beyond parity: several structures, open ones, scaling, and work done once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ivos.nets.stcn import STCN, aggregate
from ivos.propagation.engines.protocol import Slice
from ivos.propagation.engines.stcn import STCNEngine
from ivos.propagation.masks import Masks
from ivos.propagation.propagate import propagate
from tests.propagation.scenes import drawn_on, moving_discs


@pytest.fixture(scope="module")
def network() -> STCN:
    torch.manual_seed(0)
    made = STCN().eval()
    with torch.no_grad():  # random weights blow up through the blocks; keep outputs away from 0 and 1
        made.decoder.pred.weight.mul_(0.02)
    return made


def engine(network: STCN, **settings: int | bool | None) -> STCNEngine:
    return STCNEngine(network, device=torch.device("cpu"), memory_budget_bytes=10**8, **settings)  # type: ignore[arg-type]


def slices(count: int, shape: tuple[int, int] = (40, 52)) -> list[Slice]:
    rng = np.random.default_rng(0)
    images = [rng.random((3, *shape)).astype(np.float32) for _ in range(count)]
    return [Slice(n, image, (1.0, 1.0), ahead=image) for n, image in enumerate(images)]


def squares(k: int, shape: tuple[int, int] = (40, 52)) -> np.ndarray:
    masks = np.zeros((k, *shape), np.float32)
    for n in range(k):
        masks[n, 4:30, 3 + 2 * n : 5 + 2 * n] = 1
    return masks


@pytest.mark.parametrize("k", [1, 17])  # 17: more than are decoded at once
@pytest.mark.parametrize("working_size", [None, 32, 96])
def test_probabilities_of_every_pixel_sum_to_one_at_most(network: STCN, k: int, working_size: int | None) -> None:
    made = engine(network, working_size=working_size)
    first, second, third = slices(3)
    made.observe(first, Masks.of(squares(k)), np.ones(k, bool))
    for image in (second, third):
        found = made.predict(image, None).dense()
        assert found.shape == (k, 40, 52)
        assert found.dtype == np.float32
        assert found.min() >= 0
        assert found.sum(axis=0).max() < 1 + 1e-5


def test_the_order_of_structures_does_not_matter(network: STCN) -> None:
    first, second, third = slices(3)
    order = np.array([2, 0, 1])
    results = []
    for masks in (squares(3), squares(3)[order]):
        made = engine(network)
        made.observe(first, Masks.of(masks), np.ones(3, bool))
        made.predict(second, None)
        results.append(made.predict(third, None).dense())
    np.testing.assert_allclose(results[1], results[0][order], atol=1e-5)


def test_bfloat16_gives_nearly_the_same(network: STCN) -> None:
    first, second, third = slices(3)
    results = []
    for bfloat16 in (False, True):
        made = engine(network, bfloat16=bfloat16)
        made.observe(first, Masks.of(squares(3)), np.ones(3, bool))
        made.predict(second, None)
        results.append(made.predict(third, None).dense())
    exact, near = results
    assert 0 < np.abs(near - exact).max() < 0.02


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[torch.Tensor]]:
    """What the network is given to decode, and what it encodes."""
    seen: dict[str, list[torch.Tensor]] = {"decode": [], "encode_value": []}
    for method, place in (("decode", 1), ("encode_value", 3)):
        original = getattr(STCN, method)

        def record(*a: Any, method: str = method, place: int = place, original: Any = original) -> Any:
            seen[method].append(a[place])
            return original(*a)

        monkeypatch.setattr(STCN, method, record)
    return seen


def test_a_slice_that_leaves_a_structure_open_says_nothing_of_it(
    network: STCN, recorded: dict[str, list[torch.Tensor]]
) -> None:
    first, second, third = slices(3)
    one, other = squares(2), squares(2)
    one[1], other[0] = 0, 0
    made = engine(network)
    made.observe(first, Masks.of(one), np.array([True, False]))
    made.observe(second, Masks.of(other), np.array([False, True]))
    made.predict(third, None)
    alone = engine(network)
    alone.observe(first, Masks.of(one[:1]), np.array([True]))
    alone.predict(third, None)
    together, apart = recorded["decode"]
    torch.testing.assert_close(together[:1], apart, atol=1e-4 * float(apart.abs().max()), rtol=1e-4)


def test_a_slice_observed_twice_is_encoded_once(network: STCN, recorded: dict[str, list[torch.Tensor]]) -> None:
    made = engine(network)
    first, second = slices(2)
    for _ in range(3):
        made.observe(first, Masks.of(squares(2)), np.ones(2, bool))
    made.predict(second, None)
    assert len(recorded["encode_value"]) == 1  # and the last slice of a pass is not encoded at all


def test_from_drawn_slices_to_a_volume(network: STCN) -> None:
    scan, labels = moving_discs(slices=5, size=48)
    drawn = drawn_on(labels, 0, 4)
    first, second = (propagate(scan, drawn, engine=engine(network)).labels.array for _ in range(2))
    np.testing.assert_array_equal(first[[0, 4]], drawn.array[[0, 4]])
    np.testing.assert_array_equal(first, second)


def test_aggregate_by_hand() -> None:
    """Two structures at 0.5 each: the background's product is 0.25, odds 1, 1 and 1/3, shares 3/7, 3/7 and 1/7."""
    shares = aggregate(torch.full((2, 1, 1), 0.5))
    torch.testing.assert_close(shares.flatten(), torch.tensor([1 / 7, 3 / 7, 3 / 7]))
