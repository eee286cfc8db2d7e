"""The small network that makes a mask of strokes, in a view about the structure.

Legend: B views, S their side in pixels (a multiple of 32), x2 .. x32 features at that stride.

References:
    Sofiiuk, Petrov, Konushin: Reviving Iterative Training with Mask Guidance for Interactive Segmentation, ICIP 2022
    (the previous mask as input).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.blocks import Residual, conv, residuals, upsampled

if TYPE_CHECKING:
    from torch import Tensor

EVIDENCE = (
    "first window",
    "second window",
    "third window",
    "stretched",
    "close",
    "mask",
    "near positive",
    "near negative",
    "box",
    "connected",
)


class StrokesNet(nn.Module):
    """A slice, what is drawn on it, and the mask so far to the mask that is meant.

    Evidence is the slice in three windows, in the contrast of the view and in that of what is drawn; the mask so far;
    nearness to positive and to negative strokes; the box, filled; and how much like what is drawn a place and a way
    to it look.
    """

    def __init__(self) -> None:
        super().__init__()
        c2, c4, c8, c16, c32 = 16, 32, 64, 80, 80
        self.in2 = nn.Sequential(nn.PixelUnshuffle(2), conv(4 * len(EVIDENCE), c2))
        self.in4 = nn.Sequential(conv(c2, c4, stride=2), *residuals(2, c4))
        self.in8 = nn.Sequential(conv(c4, c8, stride=2), *residuals(2, c8))
        self.in16 = nn.Sequential(conv(c8, c16, stride=2), *residuals(2, c16))
        self.in32 = nn.Sequential(conv(c16, c32, stride=2), Residual(c32))
        self.up16 = conv(c16 + c32, c16)
        self.up8 = nn.Sequential(conv(c8 + c16, c8), Residual(c8))
        self.up4 = nn.Sequential(conv(c4 + c8, c4), Residual(c4))
        self.up2 = conv(c2 + c4, c2)
        self.out = nn.Conv2d(c2, 4, 3, padding=1)

    def forward(self, evidence: Tensor) -> Tensor:
        """Mask logits (B, 1, S, S) from evidence (B, 10, S, S) in the order of :data:`EVIDENCE`."""
        x2 = self.in2(evidence)
        x4 = self.in4(x2)
        x8 = self.in8(x4)
        x16 = self.in16(x8)
        y = self.up16(torch.cat([x16, upsampled(self.in32(x16))], 1))
        y = self.up8(torch.cat([x8, upsampled(y)], 1))
        y = self.up4(torch.cat([x4, upsampled(y)], 1))
        y = self.up2(torch.cat([x2, upsampled(y)], 1))
        return F.pixel_shuffle(self.out(y), 2)
