"""The XMem network, its faster copy, and its checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.nets.checkpoints import load_xmem
from ivos.nets.inference import for_inference
from ivos.nets.stcn import STCN
from ivos.nets.xmem import SensoryUpdate, XMem
from ivos.propagation.engines.registry import create_engine, engine_for_weights
from ivos.propagation.engines.xmem import XMemEngine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def network() -> XMem:
    torch.manual_seed(0)
    return XMem().eval()


@torch.inference_mode()
def test_the_faster_copy_computes_the_same(network: XMem) -> None:
    g = torch.Generator().manual_seed(1)
    image, masks = torch.randn(1, 3, 32, 48, generator=g), torch.rand(2, 1, 32, 48, generator=g)
    readout, state = torch.randn(2, 512, 2, 3, generator=g), torch.rand(2, 64, 2, 3, generator=g)
    fast, results = for_inference(network, winograd=True), []
    for one in (network, fast):
        features = one.encode_key(image)
        values = one.encode_value(image, features.f16, masks, masks.flip(0))
        decoded = one.decode(readout, state, features, update=True)
        assert decoded.sensory is not None
        results.append([features.key, values, one.deep_update(values, state), decoded.probabilities, decoded.sensory])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-4)
    again = fast.decode(readout, state, features, update=False)
    torch.testing.assert_close(again.probabilities, results[1][3])
    assert again.sensory is None


@torch.inference_mode()
def test_shrinkage_and_selection_are_in_their_ranges(network: XMem) -> None:
    features = network.encode_key(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)))
    assert features.shrinkage.min() >= 1
    assert features.selection.min() >= 0
    assert features.selection.max() <= 1


@settings(max_examples=10)
@given(scale=st.floats(0.01, 100), seed=st.integers(0, 99))
def test_a_state_never_leaves_minus_one_to_one(scale: float, seed: int) -> None:
    torch.manual_seed(seed)
    update, state = SensoryUpdate(8), torch.zeros(1, 64, 2, 2)
    with torch.inference_mode():
        for _ in range(5):
            state = update(scale * torch.randn(1, 8, 2, 2), state)
            assert state.abs().max() <= 1


def light(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Names and shapes of a network's weights, in files that are small."""
    return {name: torch.zeros((), dtype=torch.half).expand(v.shape) for name, v in network.state_dict().items()}


def test_an_engine_knows_its_weights(network: XMem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivos.propagation.engines.xmem.for_inference", lambda given, **_: given)
    torch.save(light(network), tmp_path / "w.pth")
    assert isinstance(engine_for_weights(tmp_path / "w.pth", device="cpu"), XMemEngine)


def test_incomplete_and_other_weights_are_refused(network: XMem, tmp_path: Path) -> None:
    weights = light(network)
    del weights["decoder.sensory.g4_conv.bias"]
    weights["reinforce.transform.bias"] = torch.zeros(7)
    torch.save(weights, tmp_path / "part.pth")
    with pytest.raises(InputError, match=r"1 missing \(decoder\.sensory\.g4_conv\.bias\); 1 of another shape"):
        load_xmem(tmp_path / "part.pth")
    torch.save(
        {"key_proj.d_proj.weight": torch.zeros(1), "decoder.fuser.block1.conv1.weight": torch.zeros(1)},
        tmp_path / "official.pth",
    )
    torch.save(light(STCN()), tmp_path / "stcn.pth")
    for name in ("official", "stcn"):
        with pytest.raises(InputError, match=r"not the weights of XMem"):
            load_xmem(tmp_path / f"{name}.pth")


def test_a_truncated_file_is_refused(network: XMem, tmp_path: Path) -> None:
    torch.save(light(network), tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:20_000])
    with pytest.raises(InputError, match="truncated"):
        load_xmem(tmp_path / "w.pth")


def test_options_that_an_engine_does_not_have_are_refused() -> None:
    with pytest.raises(InputError, match="needs weights: --checkpoint with a published XMem"):
        create_engine("xmem")
    with pytest.raises(InputError, match="'xmem', which has one anyway"):
        create_engine("xmem", long_term=True)
    with pytest.raises(InputError, match="'fast', which has none"):
        create_engine("fast", long_term=True)
