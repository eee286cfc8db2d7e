"""Carries masks by three memories, as the published XMem does: sensory, working and long-term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.device import check_not_forked, pick_device
from ivos.nets.inference import for_inference, loaded_xmem
from ivos.nets.stcn import aggregate
from ivos.nets.xmem import SENSORY_CHANNELS, Decoded, XMem, XMemFeatures
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
    """A predicted slice whose part in the memories is not settled yet: an annotation of it may still come."""

    index: int
    image: Tensor  # (1, 3, h, w) normalised and padded
    features: XMemFeatures
    masks: Tensor  # (K, h, w)
    sensory: Tensor  # (K, 64, h/16, w/16) after it, if it stays a prediction


class XMemEngine:
    """Reads each slice's masks from memory, and keeps a state of each structure that runs along with the walk.

    Annotated slices stay in memory for good, where the published engine keeps the first slice of a video alone. A
    structure that no annotation has spoken of yet is nowhere, and where it is absent nothing is amiss.

    Args:
        network: the network, loaded, or as :func:`~ivos.nets.inference.for_inference` has made it.
        device: where it runs.
        memory_budget_bytes: what working and long-term memory may take.
        top_k: memory positions that each position reads from.
        memory_every: a predicted slice is remembered when it is so many slices from the last remembered one.
        deep_update_every: states are refreshed by the values of a remembered slice when it is so many slices from the
            last such one, None for every remembered slice; those then take no other update.
        long_term: sizes of the long-term memory; None for none.
        working_size: slices are scaled so that their longer side has this many pixels; None for no scaling.
        bfloat16: whether features are computed and remembered in bfloat16: faster where the hardware has it, and not
            quite the same.

    References:
        Cheng, Schwing: XMem: Long-Term Video Object Segmentation with an Atkinson-Shiffrin Memory Model, ECCV 2022.
    """

    fuses = False

    def __init__(
        self,
        network: XMem,
        *,
        device: torch.device,
        memory_budget_bytes: int,
        top_k: int = 30,
        memory_every: int = 5,
        deep_update_every: int | None = None,
        long_term: LongTermSizes | None = PUBLISHED_SIZES,
        working_size: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        dtype = torch.bfloat16 if bfloat16 else torch.float32
        winograd = device.type == "cpu" and not bfloat16
        self._network = for_inference(network.to(device), dtype=dtype, winograd=winograd)
        self._grid = WorkingGrid(working_size, device, dtype)
        self._budget_bytes, self._long_term = memory_budget_bytes, long_term
        self._top_k, self._memory_every, self._deep_every = top_k, memory_every, deep_update_every
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._memory = Memory(self._budget_bytes, self._long_term)
        self._observed: dict[int, Masks] = {}
        self._spoken = torch.zeros(0, dtype=torch.bool)  # (K,) the structures that some annotation speaks of
        self._sensory: Tensor | None = None  # (K, 64, h/16, w/16)
        self._last: _Seen | None = None
        self._index = self._remembered = self._refreshed = 0  # last slice, last remembered, last deep update

    @torch.inference_mode()
    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:
        """Remember an annotated slice for good, and go on from it."""
        check_not_forked()
        fresh = self._sensory is None or abs(image.index - self._index) > 1
        if self._last is not None and (fresh or self._last.index == image.index):
            self._last = None  # the walk has left it, or what was predicted of it is superseded
        self._settle()
        value = self._learned(image, masks, torch.from_numpy(known))
        if self._sensory is None or fresh:
            self._sensory = value.new_zeros(len(value), SENSORY_CHANNELS, *value.shape[2:], dtype=torch.float32)
        if fresh or self._refreshes(image.index):
            self._refresh(image.index, value)
        self._index = self._remembered = image.index

    @torch.inference_mode()
    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The structures on the next slice."""
        self._settle()
        if self._sensory is None:
            raise RuntimeError("predict before observe")
        pixels = self._grid.image(image)
        features = self._network.encode_key(pixels)
        query = Query(features.key[0].flatten(1), features.selection[0].flatten(1))
        readout = self._memory.read(query, self._top_k)  # (K, 512, h/16 * w/16)
        decoded = self._decoded(readout.reshape(len(readout), -1, *features.key.shape[2:]), features, image.index)
        shares = self._shares(decoded.probabilities)
        after = self._sensory if decoded.sensory is None else decoded.sensory
        self._last = _Seen(image.index, pixels, features, shares, after)
        self._index = image.index
        return Masks.of(self._grid.restored(shares, image.image.shape[1:]))

    def _learned(self, image: Slice, masks: Masks, known: Tensor) -> Tensor:
        """The values (K, 512, h/16, w/16) of an annotated slice, which is put into memory unless it is there."""
        before, held = self._observed.get(image.index), self._memory.value(image.index)
        if before is not None and held is not None and np.array_equal(before.dense(), masks.dense()):
            assert self._sensory is not None  # noqa: S101 - something has been observed
            return held.reshape(*held.shape[:2], *self._sensory.shape[2:])
        self._observed[image.index] = masks
        pixels = self._grid.image(image)
        features = self._network.encode_key(pixels)
        known = known.to(pixels.device)
        self._spoken = known if not len(self._spoken) else self._spoken | known
        values = values_of(self._network, pixels, features.f16, self._shares(self._grid.masks(masks)))
        self._memory.add(image.index, self._encoded(features, values), known, Keep.ALWAYS)
        return values

    def _settle(self) -> None:
        """Take up the slice predicted before this one: late, since an annotation of it may replace the prediction."""
        last, self._last = self._last, None
        if last is None:
            return
        self._sensory = last.sensory
        if not self._is_due(last.index):
            return
        values = values_of(self._network, last.image, last.features.f16, last.masks)
        self._memory.add(last.index, self._encoded(last.features, values), self._spoken, Keep.WHILE_ROOM)
        self._remembered = last.index
        if self._refreshes(last.index):
            self._refresh(last.index, values)

    def _decoded(self, readout: Tensor, features: XMemFeatures, index: int) -> Decoded:
        """What the network says of all structures, some at a time."""
        assert self._sensory is not None  # noqa: S101 - predict has asked
        update = self._deep_every is not None or not self._is_due(index)
        parts = [
            self._network.decode(part, sensory, features, update=update)
            for part, sensory in zip(
                torch.split(readout, STRUCTURES_AT_ONCE), torch.split(self._sensory, STRUCTURES_AT_ONCE), strict=True
            )
        ]
        after = [part.sensory for part in parts if part.sensory is not None]
        return Decoded(torch.cat([part.probabilities for part in parts]), torch.cat(after) if update else None)

    def _shares(self, probabilities: Tensor) -> Tensor:
        """Shares (K, h, w) of structures that are spoken of, zero for the others, from probabilities for each alone."""
        shares = torch.zeros_like(probabilities)
        shares[self._spoken] = aggregate(probabilities[self._spoken])[1:]
        return shares

    def _is_due(self, index: int) -> bool:
        return abs(index - self._remembered) >= self._memory_every

    def _refreshes(self, index: int) -> bool:
        return self._deep_every is None or abs(index - self._refreshed) >= self._deep_every

    def _refresh(self, index: int, values: Tensor) -> None:
        assert self._sensory is not None  # noqa: S101 - there is a state wherever there are values
        updated = self._network.deep_update(values, self._sensory)
        self._sensory = updated * self._spoken[:, None, None, None]
        self._refreshed = index

    def _encoded(self, features: XMemFeatures, values: Tensor) -> Encoded:
        selection = None if self._long_term is None else features.selection[0].flatten(1)
        return Encoded(features.key[0].flatten(1), values.flatten(2), features.shrinkage.flatten(), selection)


def _create(options: EngineOptions) -> XMemEngine:
    if options.checkpoint is None:
        raise ValueError("XMem has no bundled weights")
    device = pick_device(options.device)
    return XMemEngine(
        loaded_xmem(options.checkpoint, device, bfloat16=options.bfloat16),
        device=device,
        memory_budget_bytes=options.memory_budget_bytes,
        working_size=PUBLISHED_SIZE,
        bfloat16=options.bfloat16,
    )


_OFFICIAL_AND_OURS = ("key_proj.d_proj.weight", "key_proj.shrinkage.weight")
ENTRY = EngineEntry(
    _create, "XMem", checkpoint="required", own_weights=_OFFICIAL_AND_OURS, has_bfloat16=True, long_term="always"
)
