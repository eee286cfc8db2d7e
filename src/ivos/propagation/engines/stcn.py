"""Carries masks by matching slices against a memory of slices: the published STCN network as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.device import check_not_forked, pick_device
from ivos.nets.inference import for_inference, loaded_stcn
from ivos.nets.stcn import STCN, KeyFeatures, aggregate
from ivos.propagation.engines.encoding import STRUCTURES_AT_ONCE, values_of
from ivos.propagation.engines.protocol import EngineEntry, EngineOptions
from ivos.propagation.engines.working_grid import PUBLISHED_SIZE, WorkingGrid
from ivos.propagation.masks import Masks
from ivos.propagation.memory.buffers import Encoded
from ivos.propagation.memory.long_term import PUBLISHED_SIZES
from ivos.propagation.memory.similarity import Query
from ivos.propagation.memory.store import Keep, Memory

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.memory.long_term import LongTermSizes
    from ivos.types import BoolArray


@dataclass(frozen=True)
class _Seen:
    """A predicted slice that has not been remembered yet."""

    index: int
    image: Tensor  # (1, 3, h, w) normalised and padded
    features: KeyFeatures
    masks: Tensor  # (K, h, w)


class STCNEngine:
    """Reads each slice's masks from memory; annotated slices stay in it for good.

    Args:
        network: the network, loaded, or as :func:`~ivos.nets.inference.for_inference` has made it.
        device: where it runs.
        memory_budget_bytes: what the memory may take.
        top_k: memory positions that each position reads from.
        memory_every: predicted slices whose number is a multiple of this are remembered, as long as there is room.
        keep_last: whether the last slice is remembered until the next.
        long_term: sizes of a long-term memory, into which remembered slices go before they are forgotten, and which
            keeps the cost of a slice the same however long the scan is; the published network has none.
        working_size: slices are scaled so that their longer side has this many pixels; None for no scaling.
        bfloat16: whether features are computed and remembered in bfloat16: faster where the hardware has it, and not
            quite the same.

    References:
        Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
        Segmentation, NeurIPS 2021.
    """

    fuses = False

    def __init__(
        self,
        network: STCN,
        *,
        device: torch.device,
        memory_budget_bytes: int,
        top_k: int = 20,
        memory_every: int = 5,
        keep_last: bool = True,
        long_term: LongTermSizes | None = None,
        working_size: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        dtype = torch.bfloat16 if bfloat16 else torch.float32
        winograd = device.type == "cpu" and not bfloat16
        self._network = for_inference(network.to(device), dtype=dtype, winograd=winograd)
        self._grid = WorkingGrid(working_size, device, dtype)
        self._budget_bytes, self._long_term = memory_budget_bytes, long_term
        self._top_k, self._memory_every, self._keep_last = top_k, memory_every, keep_last
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._memory = Memory(self._budget_bytes, self._long_term)
        self._observed: dict[int, Masks] = {}
        self._last: _Seen | None = None

    @torch.inference_mode()
    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:
        """Remember an annotated slice for good."""
        check_not_forked()
        self._last = None  # what was predicted of this slice is superseded
        before = self._observed.get(image.index)
        if before is not None and np.array_equal(before.dense(), masks.dense()):
            return
        self._observed[image.index] = masks
        pixels = self._grid.image(image)
        drawn = aggregate(self._grid.masks(masks))[1:]
        seen = _Seen(image.index, pixels, self._network.encode_key(pixels), drawn)
        self._remember(seen, torch.from_numpy(known), Keep.ALWAYS)

    @torch.inference_mode()
    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The structures on the next slice."""
        if not self._observed:
            raise RuntimeError("predict before observe")
        self._remember_last()
        pixels = self._grid.image(image)
        features = self._network.encode_key(pixels)
        height, width = features.key.shape[2:]
        readout = self._memory.read(Query(features.key[0].flatten(1)), self._top_k)  # (K, 512, h/16 * w/16)
        maps = readout.reshape(len(readout), -1, height, width)
        parts = [self._network.decode(part, features) for part in torch.split(maps, STRUCTURES_AT_ONCE)]
        shares = aggregate(torch.cat(parts))[1:]
        self._last = _Seen(image.index, pixels, features, shares)
        return Masks.of(self._grid.restored(shares, image.image.shape[1:]))

    def _remember_last(self) -> None:
        """Take up the slice predicted before this one: late, since the last slice of a pass is never needed."""
        if self._last is None:
            return
        lasting = self._last.index % self._memory_every == 0
        if lasting or self._keep_last:
            everything = torch.ones(len(self._last.masks), dtype=torch.bool)
            self._remember(self._last, everything, Keep.WHILE_ROOM if lasting else Keep.UNTIL_NEXT)
        self._last = None

    def _remember(self, seen: _Seen, known: Tensor, keep: Keep) -> None:
        values = values_of(self._network, seen.image, seen.features.f16, seen.masks)
        encoded = Encoded(seen.features.key[0].flatten(1), values.flatten(2))
        self._memory.add(seen.index, encoded, known, keep)


def _create(options: EngineOptions) -> STCNEngine:
    if options.checkpoint is None:
        raise ValueError("STCN has no bundled weights")
    device = pick_device(options.device)
    return STCNEngine(
        loaded_stcn(options.checkpoint, device, bfloat16=options.bfloat16),
        device=device,
        memory_budget_bytes=options.memory_budget_bytes,
        working_size=PUBLISHED_SIZE,
        bfloat16=options.bfloat16,
        long_term=PUBLISHED_SIZES if options.long_term else None,
    )


ENTRY = EngineEntry(_create, "STCN or IVOS", checkpoint="required", has_bfloat16=True, long_term="optional")
