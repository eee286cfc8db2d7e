"""The networks for single slices: shapes, sizes, neighbours as channels, and that they learn."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from ivos.nets.reference import ReferenceName, logits_of, reference_network


@pytest.mark.parametrize("name", get_args(ReferenceName))
def test_slices_of_any_size_with_neighbours_as_channels(name: ReferenceName) -> None:
    torch.manual_seed(0)
    network = reference_network(name, classes=4, channels=9, size=64).eval()
    with torch.inference_mode():
        logits = logits_of(network, torch.rand(2, 9, 70, 64), torch.tensor([0.0, 1.0]))
    assert logits.shape == (2, 4, 70, 64)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", ["small", "transunet"])
def test_the_place_in_the_scan_counts(name: ReferenceName) -> None:
    torch.manual_seed(0)
    network = reference_network(name, classes=3, channels=3, size=64).eval()
    image = torch.rand(1, 3, 64, 64).expand(2, -1, -1, -1)
    with torch.inference_mode():
        low, high = logits_of(network, image, torch.tensor([0.0, 1.0]))
    assert (low - high).abs().max() > 1e-3
