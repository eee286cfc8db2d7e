"""The small network that follows any structure: it refines evidence, in a view centred on the structure.

Legend: B views, S their side in pixels (a multiple of 16), x2, x4, x8, x16 features at that stride, M remembered
positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.blocks import Residual, conv, residuals, upsampled
from ivos.nets.calibration import Calibration

if TYPE_CHECKING:
    from torch import Tensor

EVIDENCE = (
    "current",
    "previous",
    "ahead",
    "mask",
    "carried",
    "likelihood",
    "others",
    "opposite",
    "anchor",
    "current close",
    "previous close",
    "ahead close",
)
SCALARS = ("distance", "growth", "ahead", "present ahead", "absent ahead", "opposite")
KEY_CHANNELS, VALUE_CHANNELS = 48, 48
_CARRIED = EVIDENCE.index("carried")
_ENCODED = [EVIDENCE.index("current"), EVIDENCE.index("current close")]
_PRIOR = 5.0
_IMAGE_CHANNELS = 48  # of the encoder at stride 4


@dataclass(frozen=True)
class EncodedSlice:
    """What the encoder sees in views (B, 2, S, S)."""

    x4: Tensor  # (B, 48, S/4, S/4)
    x8: Tensor  # (B, 64, S/8, S/8)
    key: Tensor  # (B, 48, S/8, S/8), of length 1


@dataclass(frozen=True)
class MemorySlice:
    """Keys and values of drawn slices."""

    keys: Tensor  # (B, M, 48)
    values: Tensor  # (B, M, 48)


class FastNet(nn.Module):
    """Evidence about a structure in a slice to its mask there, and whether it is there at all.

    Evidence is the current slice, the previous one and the one ahead, each in the contrast of the whole view and in
    that of the structure itself; the previous mask, and that mask carried by optical flow; the intensity likelihood
    learned on a drawn slice; the masks of other structures; what the pass from the other side said of this slice; and
    the last drawn mask carried here by flow alone. Beside it stands what the drawn slices hold where they look like
    this one (affinity).

    Args:
        channels: at strides 2, 4, 8 and 16.

    Attributes:
        calibration: of its mask logits, fitted after training; kept beside the weights, not learned.
    """

    def __init__(self, channels: tuple[int, int, int, int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        self.calibration = Calibration()
        c2, c4, c8, c16 = channels
        self.encode4 = nn.Sequential(nn.PixelUnshuffle(4), conv(32, _IMAGE_CHANNELS), Residual(_IMAGE_CHANNELS))
        self.encode8 = nn.Sequential(conv(_IMAGE_CHANNELS, 64, stride=2), *residuals(3, 64))
        self.key = nn.Conv2d(64, KEY_CHANNELS, 1)
        self.value = nn.Sequential(conv(64 + 64, 64), nn.Conv2d(64, VALUE_CHANNELS, 3, padding=1))
        self.sharpness = nn.Parameter(torch.tensor(2.5))  # log
        self.in2 = nn.Sequential(nn.PixelUnshuffle(2), conv(4 * len(EVIDENCE), c2), Residual(c2))
        self.in4 = conv(c2, c4, stride=2)
        self.scalars = nn.Sequential(nn.Linear(len(SCALARS), 32), nn.ReLU(), nn.Linear(32, c4))
        self.mix4 = nn.Sequential(conv(c4 + _IMAGE_CHANNELS, c4), *residuals(3, c4))
        self.in8 = conv(c4, c8, stride=2)
        self.mix8 = nn.Sequential(conv(c8 + 64 + VALUE_CHANNELS, c8), *residuals(4, c8))
        self.in16 = nn.Sequential(conv(c8, c16, stride=2), *residuals(4, c16))
        self.presence = nn.Linear(2 * c16, 1)
        self.up8 = nn.Sequential(conv(c8 + c16, c8), *residuals(2, c8))
        self.up4 = nn.Sequential(conv(c4 + c8, c4), *residuals(2, c4))
        self.up2 = nn.Sequential(conv(c2 + c4, c2), Residual(c2))
        self.out = nn.Conv2d(c2, 4, 3, padding=1)

    def encode(self, views: Tensor) -> EncodedSlice:
        """Features of views (B, 2, S, S) in [0, 1], in wide and in close contrast."""
        x4 = self.encode4(views)
        x8 = self.encode8(x4)
        return EncodedSlice(x4, x8, F.normalize(self.key(x8), dim=1))

    def remember(self, masks: Tensor, seen: EncodedSlice) -> MemorySlice:
        """Keys and values of drawn views: their masks (B, 1, S, S) and what the encoder sees in them."""
        values = self.value(torch.cat([F.pixel_unshuffle(masks, 8), seen.x8], 1))
        return MemorySlice(_tokens(seen.key), _tokens(values))

    def forward(self, evidence: Tensor, scalars: Tensor, memory: MemorySlice) -> tuple[Tensor, Tensor]:
        """Mask logits (B, 1, S, S) and presence logits (B,).

        Args:
            evidence: (B, 12, S, S) in the order of :data:`EVIDENCE`.
            scalars: (B, 6) in the order of :data:`SCALARS`.
            memory: of the drawn slices.
        """
        current = self.encode(evidence[:, _ENCODED])
        x2 = self.in2(evidence)
        x4 = self.in4(x2) + self.scalars(scalars)[:, :, None, None]
        x4 = self.mix4(torch.cat([x4, current.x4], 1))
        x8 = self.mix8(torch.cat([self.in8(x4), current.x8, self._recalled(current.key, memory)], 1))
        x16 = self.in16(x8)
        presence = self.presence(torch.cat([x16.mean((2, 3)), x16.amax((2, 3))], 1)).squeeze(1)
        y = self.up8(torch.cat([x8, upsampled(x16)], 1))
        y = self.up4(torch.cat([x4, upsampled(y)], 1))
        y = self.up2(torch.cat([x2, upsampled(y)], 1))
        prior = _PRIOR * (evidence[:, _CARRIED : _CARRIED + 1] - 0.5)  # there is something to improve on from the start
        return self.calibration(prior + F.pixel_shuffle(self.out(y), 2), scalars), presence + 2

    def _recalled(self, query: Tensor, memory: MemorySlice) -> Tensor:
        """Values at the places of a query (B, 48, h, w), by softmax of cosine similarity: (B, 48, h, w)."""
        queries = _tokens(query) * self.sharpness.exp()
        keys, values = memory.keys.to(queries.dtype), memory.values.to(queries.dtype)
        readout = F.scaled_dot_product_attention(queries[:, None], keys[:, None], values[:, None], scale=1.0)
        recalled: Tensor = readout[:, 0].transpose(1, 2).reshape(-1, VALUE_CHANNELS, *query.shape[2:])
        return recalled


def _tokens(x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, hw, C)."""
    return x.flatten(2).transpose(1, 2)
