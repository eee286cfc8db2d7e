"""What makes the network fast changes nothing: sharing, folding and Winograd's way against the plain computation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.inference import for_inference
from ivos.nets.stcn import STCN, KeyFeatures
from ivos.nets.winograd import WinogradConv


def scaled(network: nn.Module) -> nn.Module:
    """Weights that keep the size of what passes through, batch norms that do something."""
    g = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if value.dim() > 1:
            value.normal_(0, value[0].numel() ** -0.5, generator=g)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=g).add_(1.0 if name.endswith(("weight", "running_var")) else 0.0)
    return network


@pytest.fixture(scope="module", params=[True, False], ids=["attention", "none"])
def network(request: pytest.FixtureRequest) -> STCN:
    made = scaled(STCN(attention=request.param, key_bias=not request.param)).eval().requires_grad_(requires_grad=False)
    assert isinstance(made, STCN)
    return made


def inputs(height: int, width: int, k: int) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(1)
    image = torch.randn(1, 3, height, width, generator=g)
    masks = torch.rand(k, 1, height, width, generator=g) / k
    readout = torch.randn(k, 512, height // 16, width // 16, generator=g)
    return image, masks, masks.sum(0, keepdim=True) - masks, readout


def plain_block(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y: torch.Tensor = block.conv2(F.relu(block.conv1(F.relu(x))))  # type: ignore[operator]
    y += block.downsample(x)  # type: ignore[operator]
    return y


def plain_value(network: STCN, seen: torch.Tensor, f16: torch.Tensor) -> torch.Tensor:
    """One structure, all its channels put together, as published."""
    fuser = network.value_encoder.fuser
    x = plain_block(fuser.block1, torch.cat([network.value_encoder.resnet(seen)[0], f16], 1))
    if fuser.attention is not None:
        x = x + fuser.attention(x)
    return plain_block(fuser.block2, x)


def plain_decode(network: STCN, readout: torch.Tensor, features: KeyFeatures) -> torch.Tensor:
    x = plain_block(network.decoder.compress, torch.cat([readout, features.content], 1))
    for up, skip in ((network.decoder.up_16_8, features.f8), (network.decoder.up_8_4, features.f4)):
        larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = plain_block(up.out_conv, up.skip_conv(skip) + larger)
    logits = F.interpolate(network.decoder.pred(F.relu(x)), scale_factor=4, mode="bilinear", align_corners=False)
    probabilities: torch.Tensor = logits[:, 0].sigmoid()
    return probabilities


@pytest.mark.parametrize("size", [(48, 80), (64, 64)])  # at stride 16 no multiple of 4, and one
@pytest.mark.parametrize("winograd", [False, True])
def test_structures_together_are_structures_one_by_one(network: STCN, size: tuple[int, int], *, winograd: bool) -> None:
    image, masks, others, readout = inputs(*size, k=3)
    fast = for_inference(network, winograd=winograd)
    with torch.inference_mode():
        features = network.encode_key(image)
        found = fast.encode_key(image)
        torch.testing.assert_close(found.key, features.key, atol=0, rtol=0)  # the choice of the top k hangs on it
        values = fast.encode_value(image, found.f16, masks, others)
        probabilities = fast.decode(readout, found)
        for n in range(3):
            seen = torch.cat([image, masks[n : n + 1], others[n : n + 1]], 1)
            expected = plain_value(network, seen, features.f16)
            torch.testing.assert_close(values[n : n + 1], expected, atol=1e-4, rtol=1e-4)
            expected = plain_decode(network, readout[n : n + 1], features)
            torch.testing.assert_close(probabilities[n : n + 1], expected, atol=1e-4, rtol=0)


def test_the_network_given_stays_as_it_was(network: STCN) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fast = for_inference(network, winograd=True)
    image, masks, others, readout = inputs(32, 32, k=2)
    with torch.inference_mode():
        features = fast.encode_key(image)
        fast.encode_value(image, features.f16, masks, others)
        fast.decode(readout, features)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 4), (5, 7), (3, 40), (33, 18), (64, 64)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("onto", [True, False])
@pytest.mark.parametrize("activate", [True, False])
def test_winograd_convolves(height: int, width: int, *, bias: bool, onto: bool, activate: bool) -> None:
    g = torch.Generator().manual_seed(height)
    conv = nn.Conv2d(6, 10, 3, padding=1, bias=bias).requires_grad_(requires_grad=False)
    x = torch.randn(3, 6, height, width, generator=g).to(memory_format=torch.channels_last)
    base = torch.randn(3, 10, height, width, generator=g).to(memory_format=torch.channels_last)
    expected = conv(F.relu(x) if activate else x) + (base if onto else 0)
    found = WinogradConv(conv)(x, activate=activate, onto=base if onto else None)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
