"""Refinement after the passes, with networks whose answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ivos
from ivos.nets.refine import NUMBERS, PLANES, RefineNet
from ivos.propagation.annotations import annotations_along
from ivos.propagation.bidirectional import SliceStack, walk
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.refine.evidence import gather
from ivos.propagation.refine.grid import box_about
from ivos.propagation.refine.refine import Refiner
from ivos.propagation.refine.soft_labels import SoftLabels
from ivos.types import Axis
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from ivos.propagation.refine.evidence import Evidence

CPU = torch.device("cpu")


class Adds(nn.Module):
    """Adds a constant to all logits, and says how present the structure is."""

    def __init__(self, added: float, presence: float = 5.0) -> None:
        super().__init__()
        self.added, self.presence = added, presence

    def forward(self, planes: Tensor, numbers: Tensor, scalars: Tensor) -> tuple[Tensor, Tensor]:
        assert planes.shape[2] == len(PLANES)
        assert numbers.shape[2] == len(NUMBERS)
        assert scalars.shape == (1, 2)
        return torch.full_like(planes[:, :, 0], self.added), torch.full_like(numbers[:, :, 0], self.presence)


def refined(network: nn.Module, *slices: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels without and with a refinement, and the truth."""
    scan, labels = moving_discs()
    drawn, engine = drawn_on(labels, *slices), create_engine("nearest")
    plain = ivos.propagate(scan, drawn, engine=engine).labels.array
    better = ivos.propagate(scan, drawn, engine=engine, refiner=Refiner(network, CPU)).labels.array  # type: ignore[arg-type]
    return plain, better, labels.array


def test_a_correction_of_zero_changes_nothing() -> None:
    plain, better, _ = refined(Adds(0.0), 5)
    np.testing.assert_array_equal(plain, better)


def test_an_untrained_network_changes_nothing() -> None:
    torch.manual_seed(0)
    plain, better, _ = refined(RefineNet(), 5)
    np.testing.assert_array_equal(plain, better)


@pytest.mark.parametrize("network", [Adds(-20.0), Adds(0.0, presence=-20.0)])
def test_what_is_annotated_stays_as_annotated(network: nn.Module) -> None:
    _, better, truth = refined(network, 2, 7)
    for z in range(len(truth)):
        np.testing.assert_array_equal(better[z], truth[z] if z in (2, 7) else 0)


def test_what_is_added_reaches_the_box_alone() -> None:
    plain, better, _ = refined(Adds(20.0), 5)
    grown = (better > 0) & (plain == 0)
    assert grown.any()
    rows, columns = np.nonzero((plain > 0).any(axis=0))
    far = np.ones(plain.shape[1:], bool)
    far[max(0, rows.min() - 20) : rows.max() + 21, max(0, columns.min() - 20) : columns.max() + 21] = False
    assert not grown[:, far].any()


def gathered(*slices: int, complete: bool = False) -> Evidence:
    scan, labels = moving_discs()
    annotations = annotations_along(drawn_on(labels, *slices), Axis.AXIAL, complete=complete)
    stack = SliceStack.of(scan, Axis.AXIAL, "ct")
    soft = SoftLabels(len(stack), (64, 64), 2)
    for item in walk(stack, annotations, create_engine("nearest")):
        if item is not None:
            soft.keep(item.index, item.masks)
    box = box_about(soft.extents()[0], len(soft))
    assert box is not None
    found = gather(stack, annotations, 0, box, {n: soft.masks(n) for n in range(len(soft))})
    assert found is not None
    return found


def test_the_network_is_told_which_slices_are_annotated_and_how_far_they_are() -> None:
    found = gathered(2, 8)
    numbers = dict(zip(NUMBERS, found.numbers.T, strict=True))
    assert np.flatnonzero(numbers["present"]).tolist() == [2, 8]
    assert np.flatnonzero(~found.asked).tolist() == [2, 8]
    assert not numbers["absent"].any()
    np.testing.assert_allclose(numbers["since"][5] * 12, 3)
    np.testing.assert_allclose(numbers["until"][5] * 12, 3)
    np.testing.assert_array_equal(numbers["has before"], [0, 0] + [1] * 10)
    np.testing.assert_array_equal(numbers["has after"], [1] * 9 + [0] * 3)


def test_shape_moves_from_one_annotated_slice_to_the_other() -> None:
    found = gathered(2, 8)
    shape = found.planes[:, PLANES.index("shape")] > 0.5
    columns = [np.nonzero(mask)[1].mean() for mask in shape[2:9] if mask.any()]
    assert columns == sorted(columns)


def test_intensity_tells_the_structure_from_what_is_around_it() -> None:
    found = gathered(5)
    own = found.planes[5, PLANES.index("propagated")] > 0.5
    likelihood = found.planes[5, PLANES.index("likelihood")]
    assert np.median(likelihood[own]) > 0.5
    assert np.median(likelihood[~own]) < 0
