"""A reference network over a whole scan: labels from single slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ivos.nets.reference import logits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    from torch import nn

    from ivos.propagation.engines.protocol import FloatArray

_AT_ONCE = 8


@torch.inference_mode()
def segmented_slices(
    network: nn.Module,
    image: Callable[[int], FloatArray],
    count: int,
    *,
    size: int,
    device: torch.device,
) -> Iterator[npt.NDArray[np.int16]]:
    """Class numbers (H, W) of every slice, in order.

    Args:
        network: a reference network.
        image: gives a slice's channels (C, H, W) by its number.
        count: of slices.
        size: the longer side at which the network works.
        device: where it runs.
    """
    network = network.to(device).eval()
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, count))
        images = [image(number) for number in numbers]
        height, width = images[0].shape[1:]
        seen = np.stack([at_size(planes, size) for planes in images])
        position = torch.tensor([relative_position(number, count) for number in numbers])
        logits = logits_of(network, torch.from_numpy(seen).to(device), position.to(device))
        full = torch.nn.functional.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
        yield from full.argmax(1).to(torch.int16).cpu().numpy()


def at_size(image: FloatArray, size: int) -> FloatArray:
    """A slice (C, H, W) whose longer side has ``size`` pixels, averaged where it gets smaller."""
    height, width = image.shape[1:]
    scale = size / max(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(plane, inner, interpolation=method) for plane in image])


def relative_position(index: int, count: int) -> float:
    """A slice's place in its scan: 0 for the first, 1 for the last."""
    return index / max(count - 1, 1)
