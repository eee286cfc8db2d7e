"""A correction's difference carried as published: by how alike the keys of the corrected slice and of another are.

References:
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation: Interaction-to-Mask, Propagation and
    Difference-Aware Fusion, CVPR 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ivos.propagation.carry import Difference
from ivos.propagation.masks import Masks
from ivos.propagation.similarity import Keys, Query, similarity

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.nets.stcn import STCN
    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.engines.working_grid import WorkingGrid

_STRIDE = 16  # of keys


class AffinityCarrier:
    """Carries from the corrected slice to each other one at once, so that nothing drifts on the way.

    Args:
        network: whose keys are compared, loaded, on the grid's device.
        grid: the size at which it works.
        top_k: positions of the corrected slice that each position of another reads from.
    """

    def __init__(self, network: STCN, grid: WorkingGrid, *, top_k: int = 20) -> None:
        self._network, self._grid, self._top_k = network, grid, top_k

    @torch.inference_mode()
    def begin(self, image: Slice, difference: Difference) -> None:
        """Start from the corrected slice."""
        key = self._key(image)[0].flatten(1)  # (C, P)
        self._keys = Keys(key.T, key.square().sum(0), None)
        both = torch.cat([self._grid.masks(difference.added), self._grid.masks(difference.removed)])
        self._changed = F.avg_pool2d(both, _STRIDE).flatten(1)  # (2K, P)

    @torch.inference_mode()
    def carry(self, image: Slice) -> Difference:
        """The difference at the places that look like those where it was made."""
        key = self._key(image)
        alike = similarity(Query(key[0].flatten(1)), self._keys)  # (M, P)
        best, where = alike.topk(min(self._top_k, alike.shape[1]), dim=1)
        read = (self._changed[:, where] * best.softmax(1)).sum(2)  # (2K, M)
        maps = read.reshape(1, -1, *key.shape[2:])
        large = F.interpolate(maps, scale_factor=_STRIDE, mode="bilinear", align_corners=False)[0]
        dense = self._grid.restored(large, image.image.shape[1:])
        half = len(dense) // 2
        return Difference(Masks.of(dense[:half]), Masks.of(dense[half:]))

    def _key(self, image: Slice) -> Tensor:
        """(1, C, h/16, w/16)."""
        return self._network.encode_key(self._grid.image(image)).key.float()
