"""3 x 3 convolutions in a quarter of the multiplications.

References:
    Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, CVPR 2016.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

_TILES_AT_ONCE = 128  # so many fit into the processor's cache
_LEAST_CHANNELS = 256
_TO_DOMAIN = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL_TO_DOMAIN_24 = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24))  # times 24
_FROM_DOMAIN = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class WinogradConv(nn.Module):
    """A 3 x 3 convolution in a quarter of the multiplications: F(4 x 4, 3 x 3) of the paper.

    Tiles of 6 x 6 pixels, 4 apart, and the kernels are brought into a domain where convolving is multiplying, so that
    36 matrix products over channels give tiles of 4 x 4. The result differs from the direct one by rounding alone.

    Args:
        conv: a convolution with stride 1 and padding 1; its weights are copied.
    """

    kernels: Tensor
    bias: Tensor | None
    to_domain: Tensor
    from_domain: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach()
        g = torch.tensor(_KERNEL_TO_DOMAIN_24, dtype=torch.float64, device=weight.device) / 24
        kernels = torch.einsum("ip,jq,ocpq->ijco", g, g, weight.double()).flatten(0, 1)
        there, back = torch.tensor(_TO_DOMAIN), torch.tensor(_FROM_DOMAIN)
        self.register_buffer("kernels", kernels.to(weight.dtype).contiguous())  # (36, C, O)
        self.register_buffer("bias", conv.bias)
        self.register_buffer("to_domain", torch.kron(there, there).to(weight))  # (36, 36)
        self.register_buffer("from_domain", torch.kron(back, back).to(weight))  # (16, 36)

    @staticmethod
    def suits(conv: nn.Conv2d) -> bool:
        """Whether it gains: with fewer channels, bringing tiles there and back costs more than it saves."""
        return conv.kernel_size == (3, 3) and conv.stride == (1, 1) and min(conv.weight.shape[:2]) >= _LEAST_CHANNELS

    def forward(self, x: Tensor, *, activate: bool = False, onto: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to (B, O, H, W), both channels last.

        Args:
            x: the input.
            activate: whether negative inputs count as zero.
            onto: (B, O, H, W) to add the result to; it may be written over.
        """
        count, _, height, width = x.shape
        rows, columns = -(-height // 4), -(-width // 4)
        shape = (count, rows, 4, columns, 4, self.kernels.shape[2])
        in_place = onto is not None and onto.is_contiguous(memory_format=torch.channels_last)
        if onto is not None and in_place and height % 4 == width % 4 == 0:
            self._convolve(x, onto.permute(0, 2, 3, 1).view(shape), activate=activate, add=True)
            return onto
        out = x.new_empty(shape)
        self._convolve(x, out, activate=activate, add=False)
        out = out.view(count, 4 * rows, 4 * columns, -1)[:, :height, :width].permute(0, 3, 1, 2)
        return out if onto is None else out.add_(onto)

    def _convolve(self, x: Tensor, out: Tensor, *, activate: bool, add: bool) -> None:
        """Fill or add to ``out`` (B, H/4, 4, W/4, 4, O), some tiles at a time in buffers that are filled again."""
        count, rows, _, columns, _, width = out.shape
        channels = x.shape[1]
        images = min(count, max(1, _TILES_AT_ONCE // (rows * columns)))
        lines = min(rows, max(1, _TILES_AT_ONCE // columns))
        most = images * lines * columns
        before, domain = (x.new_empty(36 * most * channels) for _ in range(2))
        products, pixels = (x.new_empty(size * most * width) for size in (36, 16))
        for first, top in itertools.product(range(0, count, images), range(0, rows, lines)):
            place = out[first : first + images, top : top + lines]
            tiles = _tiles(x[first : first + images].permute(0, 2, 3, 1), top, place.shape[1], columns)
            n = len(place) * place.shape[1] * columns
            torch.clamp(tiles, min=0 if activate else -math.inf, out=_shaped(before, *tiles.shape))
            torch.mm(self.to_domain, _shaped(before, 36, n * channels), out=_shaped(domain, 36, n * channels))
            torch.bmm(_shaped(domain, 36, n, channels), self.kernels, out=_shaped(products, 36, n, width))
            torch.mm(self.from_domain, _shaped(products, 36, n * width), out=_shaped(pixels, 16, n * width))
            done = _shaped(pixels, 4, 4, len(place), place.shape[1], columns, width)
            if self.bias is not None:
                done += self.bias
            done = done.permute(2, 3, 0, 4, 1, 5)
            _ = place.add_(done) if add else place.copy_(done)


def _tiles(images: Tensor, top: int, lines: int, columns: int) -> Tensor:
    """Overlapping tiles (6, 6, B, lines, columns, C) of images (B, H, W, C), from line ``top`` of tiles on."""
    begin, end = 4 * top - 1, 4 * (top + lines) + 1
    inside = images[:, max(begin, 0) : end]
    above = max(-begin, 0)
    below = end - begin - above - inside.shape[1]
    padded = F.pad(inside, (0, 0, 1, 1 + 4 * columns - images.shape[2], above, below))
    return padded.unfold(1, 6, 4).unfold(2, 6, 4).permute(4, 5, 0, 1, 2, 3)


def _shaped(buffer: Tensor, *shape: int) -> Tensor:
    return buffer[: math.prod(shape)].view(shape)
