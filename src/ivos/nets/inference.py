"""Networks that carry masks, made faster where they are only used: copies that compute the same.

Batch norms go into the convolutions before them, and the wide convolutions take Winograd's way.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.checkpoints import load_stcn, load_xmem
from ivos.nets.loaded import LOADED
from ivos.nets.resnet import fold_batch_norms
from ivos.nets.stcn import STCN, JoiningBlock, ResBlock
from ivos.nets.winograd import WinogradConv
from ivos.nets.xmem import XMem

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

Network = TypeVar("Network", STCN, XMem)
_MADE: WeakSet[nn.Module] = WeakSet()  # what for_inference has made and somebody still uses
_OF_KEYS = ("key_encoder", "key_comp")  # in float32 they stay bit for bit the published ones: the choice of top k jumps


def for_inference(network: Network, *, dtype: torch.dtype = torch.float32, winograd: bool = False) -> Network:
    """A copy that computes the same, faster, and can no longer be trained or saved; such a copy itself as it is.

    Args:
        network: a loaded network; it is left as it is.
        dtype: of weights and features; keys are in float32 all the same.
        winograd: whether the wide convolutions of decoder and value encoder take Winograd's way, which pays on a CPU in
            float32 and takes four times the memory of their weights.
    """
    if network in _MADE:
        return network
    made = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    for name, part in made.named_children():
        if name == "key_proj" or (name in _OF_KEYS and dtype is torch.float32):
            continue
        fold_batch_norms(part)
        part.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if winograd and name not in _OF_KEYS:
            _take_winograd(part)
    _MADE.add(made)
    return made


def loaded_stcn(path: Path, device: torch.device, *, bfloat16: bool) -> STCN:
    """An STCN network ready for inference, loaded once a process.

    Raises:
        InputError: see :func:`ivos.nets.checkpoints.load_stcn`; this process was forked.
    """
    return LOADED.get("stcn", path, device, lambda: _ready(load_stcn(path), device, bfloat16=bfloat16), bfloat16)


def loaded_xmem(path: Path, device: torch.device, *, bfloat16: bool) -> XMem:
    """An XMem network ready for inference, loaded once a process.

    Raises:
        InputError: see :func:`ivos.nets.checkpoints.load_xmem`; this process was forked.
    """
    return LOADED.get("xmem", path, device, lambda: _ready(load_xmem(path), device, bfloat16=bfloat16), bfloat16)


def _ready(network: Network, device: torch.device, *, bfloat16: bool) -> Network:
    """As the engines want it: Winograd's way pays on a CPU in float32."""
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    return for_inference(network.to(device), dtype=dtype, winograd=device.type == "cpu" and not bfloat16)


def _take_winograd(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, ResBlock):
            setattr(module, name, WinogradBlock(child))
        elif isinstance(child, JoiningBlock):
            setattr(module, name, JoiningWinogradBlock(child))
        elif isinstance(child, nn.Conv2d) and WinogradConv.suits(child):
            setattr(module, name, WinogradConv(child))
        else:
            _take_winograd(child)


class WinogradBlock(nn.Module):
    """What a residual block computes; it may write over its input."""

    def __init__(self, block: ResBlock) -> None:
        super().__init__()
        shortcut = block.downsample
        self.downsample = WinogradConv(shortcut) if isinstance(shortcut, nn.Conv2d) else shortcut
        self.conv1, self.conv2 = WinogradConv(block.conv1), WinogradConv(block.conv2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, H, W)."""
        y = self.conv1(x, activate=True)
        total: Tensor = self.conv2(y, activate=True, onto=self.downsample(x))
        return total


class JoiningWinogradBlock(nn.Module):
    """What a joining block computes; the shared channels, met once a slice, are convolved directly."""

    def __init__(self, block: JoiningBlock) -> None:
        super().__init__()
        self.own, self.shared = nn.ModuleList(), nn.ModuleList()
        for conv in (block.conv1, block.downsample):
            own, shared = conv.parts()
            self.own.append(WinogradConv(own))
            self.shared.append(shared)
        self.conv2 = WinogradConv(block.conv2)

    def forward(self, x: Tensor, shared: Tensor) -> Tensor:
        """(K, own, H, W) and (1, shared, H, W) to (K, out, H, W)."""
        y = self.own[0](x, activate=True)
        y += self.shared[0](F.relu(shared))
        shortcut = self.own[1](x)
        shortcut += self.shared[1](shared)
        total: Tensor = self.conv2(y, activate=True, onto=shortcut)
        return total
