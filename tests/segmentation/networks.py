"""Reference networks that need no training: they know structures by their brightness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ivos.nets.reference_file import ReferenceInfo
from ivos.segmentation.reference_networks import ReferenceNetwork, ReferenceNetworks
from ivos.volume.windows import CT_WINDOWS_HU

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from ivos.segmentation.settings import Combination

STRUCTURES = (3, 8)  # as in `moving_discs`
_HU = (-40.0, 180.0, 80.0)  # of background and structures


class ByBrightness(nn.Module):
    """Says of each pixel the class whose HU is nearest.

    Args:
        spoils: changes logits (B, classes, H, W) of slices at places (B,) in the scan.
    """

    def __init__(self, spoils: Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        low, high = CT_WINDOWS_HU[0]
        self.targets = (torch.tensor(_HU) - low) / (high - low)
        self.spoils, self.seen = spoils, 0

    def encode(self, image: Tensor) -> list[Tensor]:
        """See :class:`ivos.nets.reference.ReferenceNetwork`."""
        self.seen += len(image)
        return [torch.nn.functional.avg_pool2d(image[:, :1], 3, 1, 1, count_include_pad=False)]

    def decode(self, features: list[Tensor], position: Tensor) -> Tensor:
        """See :class:`ivos.nets.reference.ReferenceNetwork`."""
        logits = -400 * (features[0] - self.targets[None, :, None, None]) ** 2
        return logits if self.spoils is None else self.spoils(logits, position)


def networks(
    *members: nn.Module, combination: Combination = "mean", mirrored: bool = False, size: int = 64, neighbours: int = 0
) -> ReferenceNetworks:
    names: dict[int, str] = {3: "bright", 8: "grey"}
    info = ReferenceInfo(network="small", structures=STRUCTURES, names=names, size=size, neighbours=neighbours)
    there: Sequence[nn.Module] = members or (ByBrightness(),)
    return ReferenceNetworks(
        tuple(ReferenceNetwork(n, info) for n in there), torch.device("cpu"), combination, mirrored
    )
