"""Carries masks with the small network: every structure in a view of its own, all of them in one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.propagation.engines.nearest import with_background
from ivos.propagation.tracks import Track, answer, gather, reference_of

if TYPE_CHECKING:
    from ivos.nets.fast import FastNet
    from ivos.propagation.engines.protocol import BoolArray, FloatArray, Slice


class FastEngine:
    """Follows each structure by what its drawn slices and the last slice say of it.

    Args:
        network: the network, loaded.
        device: where it runs.
    """

    def __init__(self, network: FastNet, *, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._tracks: list[Track] = []

    def reset(self) -> None:
        """Forget every structure."""
        self._tracks = []

    def observe(self, image: Slice, masks: FloatArray, known: BoolArray) -> None:
        """Remember the drawn structures of a slice, and go on from it."""
        if not self._tracks:
            self._tracks = [Track(image.image, mask) for mask in masks]
        for track, mask, drawn in zip(self._tracks, masks, known, strict=True):
            track.image, track.mask = image.image, mask
            if drawn and image.index not in (reference.index for reference in track.references):
                reference = reference_of(image.index, image.image, mask)
                track.references += [reference] if reference is not None else []

    @torch.inference_mode()
    def predict(self, image: Slice) -> FloatArray:
        """Probabilities (K + 1, H, W) of the next slice."""
        if not self._tracks:
            raise RuntimeError("predict before observe")
        everything = sum(track.mask for track in self._tracks)
        found = [track for track in self._tracks if track.look()]
        probabilities = np.zeros((0, 1, 1), np.float32)
        if found:
            others = [np.clip(everything - track.mask, 0, 1) for track in found]
            batch = gather(found, [image.image] * len(found), others, [image.index] * len(found))
            logits, presence = answer(self._network, batch.to(self._device))
            probabilities = (logits.squeeze(1).sigmoid() * (presence.sigmoid() > 0.5)[:, None, None]).cpu().numpy()
        for track in self._tracks:
            track.image, track.mask = image.image, np.zeros_like(track.mask)
        for track, seen in zip(found, probabilities, strict=True):
            assert track.view is not None  # noqa: S101 - it was found
            track.mask = track.view.paste(seen, (track.mask.shape[0], track.mask.shape[1]))
        masks = np.stack([track.mask for track in self._tracks])
        masks /= np.maximum(masks.sum(axis=0, keepdims=True), 1.0)
        for track, mask in zip(self._tracks, masks, strict=True):
            track.mask = mask
        return with_background(masks)
