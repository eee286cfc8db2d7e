from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.nets.reference_file import ReferenceInfo
from ivos.propagation.engines.flow import FlowEngine
from ivos.segmentation.reference_networks import ReferenceNetwork, ReferenceNetworks
from ivos.segmentation.reference_slices import least_uncertain, non_empty
from ivos.segmentation.two_stage import Sampling, segment, segment_slices
from tests.propagation.scenes import RecordingEngine, dice, moving_discs, volume_of
from tests.segmentation.networks import STRUCTURES, ByBrightness, networks

if TYPE_CHECKING:
    from torch import Tensor


def blind_above(place: float) -> ByBrightness:
    """Sees nothing in the upper part of the scan."""

    def spoil(logits: Tensor, position: Tensor) -> Tensor:
        logits = logits.clone()
        logits[position > place, 0] += 1000
        return logits

    return ByBrightness(spoil)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("every", [1, 3, 50])
@pytest.mark.parametrize("at_most", [None, 1, 4])
def test_sampled_slices_lie_evenly_in_the_scan(count: int, every: int, at_most: int | None) -> None:
    numbers = Sampling(every, at_most).numbers(count)
    assert numbers == sorted(set(numbers))
    assert 0 <= numbers[0] <= numbers[-1] < count
    assert len(numbers) == min(-(-count // every), at_most or count)
    gaps = np.diff(numbers)
    assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_every_slice_by_itself_finds_what_the_network_knows() -> None:
    scan, labels = moving_discs()
    result = segment_slices(scan, networks())
    for structure in STRUCTURES:
        assert dice(result.labels.array == structure, labels.array == structure) > 0.85
    assert result.references == ()
    assert dict(result.labels.names) == {3: "bright", 8: "grey"}


def test_propagation_brings_back_what_the_network_misses_between_references() -> None:
    scan, labels = moving_discs(slices=12)

    def misses(logits: Tensor, position: Tensor) -> Tensor:
        """Does not see the bright disc but on every third slice."""
        logits, numbers = logits.clone(), (position * 11).round().long()
        logits[numbers % 3 != 1, 1] -= 1000
        return logits

    spoilt, true = networks(ByBrightness(misses)), labels.array == 3
    assert dice(segment_slices(scan, spoilt).labels.array == 3, true) < 0.6
    result = segment(scan, spoilt, FlowEngine(), sampling=Sampling(3), choose=non_empty, agreement=False)
    assert result.references == (1, 4, 7, 10)
    assert dice(result.labels.array == 3, true) > 0.85


def test_a_network_that_finds_nothing_gives_an_empty_volume() -> None:
    scan, _ = moving_discs()
    result = segment(scan, networks(blind_above(-1)), RecordingEngine(), sampling=Sampling(), choose=non_empty)
    assert not result.labels.array.any()
    assert result.references == ()
    assert (result.confidence.array == 255).all()


def test_fewer_slices_than_the_step_are_enough() -> None:
    scan, labels = moving_discs(slices=2)
    result = segment(scan, networks(), FlowEngine(), sampling=Sampling(50), choose=non_empty)
    assert result.references == (1,)
    assert dice(result.labels.array > 0, labels.array > 0) > 0.85


def test_only_the_sampled_slices_are_looked_at_without_agreement_and_in_batches() -> None:
    scan, _ = moving_discs(slices=12)
    network = ByBrightness()
    segment(scan, networks(network), FlowEngine(), sampling=Sampling(3), choose=non_empty, agreement=False)
    assert network.seen == 4
    network.seen = 0
    segment(scan, networks(network), FlowEngine(), sampling=Sampling(3), choose=non_empty, agreement=True)
    assert network.seen == 12


def test_a_reference_slice_comes_back_as_the_network_gave_it_without_agreement() -> None:
    scan, _ = moving_discs()
    alone = segment_slices(scan, networks()).labels.array
    choose = lambda candidates: least_uncertain(candidates, at_most=2)  # noqa: E731
    result = segment(scan, networks(), FlowEngine(), sampling=Sampling(2), choose=choose, agreement=False)
    assert len(result.references) == 2
    for number in result.references:
        np.testing.assert_array_equal(result.labels.array[number], alone[number])


def test_probabilities_are_those_of_the_labels() -> None:
    scan, _ = moving_discs()
    result = segment(scan, networks(), FlowEngine(), sampling=Sampling(), choose=non_empty, probabilities=STRUCTURES)
    for structure in STRUCTURES:
        there = result.labels.array == structure
        np.testing.assert_array_equal(result.probabilities[structure][there], result.confidence.array[there])
        assert (result.probabilities[structure][~there] <= 128).all()


def test_progress_ends_where_it_said_it_would() -> None:
    scan, _ = moving_discs()
    calls: list[tuple[int, int]] = []
    segment(
        scan,
        networks(),
        FlowEngine(),
        sampling=Sampling(),
        choose=non_empty,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert [done for done, _ in calls] == list(range(1, len(calls) + 1))
    assert calls[-1][0] == calls[-1][1]


def shifted(towards: int) -> ByBrightness:
    """Favours one class."""

    def spoil(logits: Tensor, _: Tensor) -> Tensor:
        logits = logits.clone()
        logits[:, towards] += 2.0
        return logits

    return ByBrightness(spoil)


def test_several_networks_answer_together() -> None:
    scan, _ = moving_discs()
    one, two = shifted(1), shifted(2)

    def windows(number: int) -> np.ndarray:
        from ivos.volume.windows import CT_WINDOWS_HU, channels

        return channels(scan.array[number], CT_WINDOWS_HU)

    def said(*members: ByBrightness, **options: str) -> np.ndarray:
        return np.stack(list(networks(*members, **options).probabilities(windows, range(12), 12)))  # type: ignore[arg-type]

    first, second = said(one), said(two)
    np.testing.assert_array_equal(said(one, two, combination="first"), first)
    np.testing.assert_array_equal(said(one, two, combination="second"), second)
    np.testing.assert_allclose(said(one, two, combination="mean"), (first + second) / 2, atol=1e-6)
    largest = np.maximum(first, second)
    np.testing.assert_allclose(said(one, two, combination="max"), largest / largest.sum(1, keepdims=True), atol=1e-6)


def test_a_mirrored_view_is_mirrored_back() -> None:
    scan, _ = moving_discs()
    plain, both = (segment_slices(scan, networks(mirrored=mirrored)) for mirrored in (False, True))
    np.testing.assert_array_equal(plain.labels.array, both.labels.array)


def test_validation_of_a_training_may_compute_in_bfloat16() -> None:
    scan, _ = moving_discs()
    info = ReferenceInfo(network="small", structures=STRUCTURES, names={}, size=64, neighbours=0)
    network = ReferenceNetwork(info.made(), info)
    with torch.autocast("cpu", torch.bfloat16):
        labels = segment_slices(scan, ReferenceNetworks((network,), torch.device("cpu"))).labels
    assert labels.array.shape == scan.array.shape


def test_neighbours_are_seen_too() -> None:
    scan, _ = moving_discs()

    class Middle(ByBrightness):
        def encode(self, image: Tensor) -> list[Tensor]:
            assert image.shape[1] == 9
            return super().encode(image)

    np.testing.assert_array_equal(
        segment_slices(scan, networks(Middle(), neighbours=1)).labels.array,
        segment_slices(scan, networks()).labels.array,
    )


def test_slices_of_another_size_than_the_network_s() -> None:
    scan, labels = moving_discs()
    small = volume_of(scan.array[:, ::2, ::2])
    result = segment(small, networks(size=32), FlowEngine(), sampling=Sampling(), choose=non_empty)
    assert result.labels.array.shape == small.array.shape
    assert dice(result.labels.array > 0, labels.array[:, ::2, ::2] > 0) > 0.8


@pytest.fixture(autouse=True)
def _same_every_time() -> None:
    torch.manual_seed(0)
