"""Masks carried along the dense optical flow between two slices.

References:
    Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from ivos.propagation.masks import Masks
from ivos.propagation.patch import Patch
from ivos.volume.box import bounding_box

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import FloatArray

_MARGIN_PIXELS = 24  # flow looks this far around the structures
_SHORT_SIDE_PIXELS = 256  # the flow's finest scale is half a pixel's width too coarse for small structures below this

Grey = npt.NDArray[np.uint8]


def grey(image: FloatArray) -> Grey:
    """What flow is computed on: the first channel (soft tissue) of a slice (C, H, W) in [0, 1]."""
    return np.asarray(np.rint(image[0] * 255), np.uint8)


def carried(masks: Masks, current: Grey, previous: Grey) -> Masks:
    """The masks of the previous slice on the current one, by the flow around them."""
    region = bounding_box(masks.total() > 0, margin=_MARGIN_PIXELS)
    if region is None:
        return masks
    rows, columns = region
    return moved(masks, displacement(current[region], previous[region]), top=rows.start, left=columns.start)


def displacement(current: Grey, previous: Grey) -> FloatArray:
    """(H, W, 2) pixels (x, y) from each point of the current slice to where it lay in the previous one."""
    height, width = current.shape
    scale = max(1.0, _SHORT_SIDE_PIXELS / min(height, width))
    size = (round(width * scale), round(height * scale))
    larger = [cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR) for picture in (current, previous)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(larger[0], larger[1], None)
    smaller = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller / np.array([size[0] / width, size[1] / height]), np.float32)


def moved(masks: Masks, field: FloatArray, *, top: int = 0, left: int = 0) -> Masks:
    """Masks along a displacement (h, w, 2) of the part of the slice that begins at (top, left); nothing beyond it."""
    return Masks(masks.shape, tuple(patch and _warped(patch, field, top, left) for patch in masks.patches))


def _warped(patch: Patch, field: FloatArray, top: int, left: int) -> Patch | None:
    """A patch where the flow brings it, sought as far around it as flow looks."""
    height, width = patch.values.shape
    first_row, first_column = (max(start - _MARGIN_PIXELS, 0) for start in (patch.top - top, patch.left - left))
    near = field[
        first_row : patch.top - top + height + _MARGIN_PIXELS, first_column : patch.left - left + width + _MARGIN_PIXELS
    ]
    rows, columns = np.indices(near.shape[:2], dtype=np.float32)
    x = columns + near[..., 0] + np.float32(first_column + left - patch.left)
    y = rows + near[..., 1] + np.float32(first_row + top - patch.top)
    found = Patch.of(cv2.remap(patch.values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
    return found and Patch(first_row + top + found.top, first_column + left + found.left, found.values)
