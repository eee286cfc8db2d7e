from __future__ import annotations

import pytest
import torch

from ivos.nets.fast import EVIDENCE, SCALARS, FastNet, MemorySlice


@pytest.mark.parametrize("side", [64, 96])
@pytest.mark.parametrize("references", [1, 2])
def test_shapes_and_independence_of_views(side: int, references: int) -> None:
    torch.manual_seed(0)
    network = FastNet().eval()
    g = torch.Generator().manual_seed(1)
    evidence, scalars = torch.rand(3, len(EVIDENCE), side, side, generator=g), torch.zeros(3, len(SCALARS))
    drawn, masks = torch.rand(3, 2, side, side, generator=g), torch.rand(3, 1, side, side, generator=g)

    def answer(rows: slice, times: int) -> tuple[torch.Tensor, torch.Tensor]:
        part = network.remember(masks[rows], network.encode(drawn[rows]))
        memory = MemorySlice(part.keys.repeat(1, times, 1), part.values.repeat(1, times, 1))
        logits, presence = network(evidence[rows], scalars[rows], memory)
        return logits, presence

    with torch.inference_mode():
        logits, presence = answer(slice(0, 3), references)
        alone, _ = answer(slice(1, 2), references)
        once, _ = answer(slice(0, 3), 1)
    assert logits.shape == (3, 1, side, side)
    assert presence.shape == (3,)
    torch.testing.assert_close(logits[1:2], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logits, once, atol=1e-4, rtol=1e-4)  # reading a slice twice changes nothing


def test_it_is_small() -> None:
    assert sum(p.numel() for p in FastNet().parameters()) < 4_000_000
