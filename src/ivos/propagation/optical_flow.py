"""Masks carried along the dense optical flow between two slices.

References:
    Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from ivos.propagation.masks import Masks
from ivos.propagation.patch import Patch
from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    from ivos.types import BoolArray, FloatArray

_MARGIN_PIXELS = 24  # flow looks this far around the structures
_SHORT_SIDE_PIXELS = 256  # the flow's finest scale is half a pixel's width too coarse for small structures below this

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Flow:
    """Where the points of a part of a slice lay in the slice before it; elsewhere nothing has moved.

    Attributes:
        field: (h, w, 2) pixels (x, y).
        top: first row of the part in the slice.
        left: first column.
    """

    field: FloatArray
    top: int = 0
    left: int = 0


def grey(image: FloatArray) -> Grey:
    """What flow is computed on: the first channel (soft tissue) of a slice (C, H, W) in [0, 1]."""
    return np.asarray(np.rint(image[0] * 255), np.uint8)


def flow_around(places: BoolArray, current: Grey, previous: Grey) -> Flow | None:
    """The flow in and about some places (H, W) of the previous slice; None where there are none."""
    region = bounding_box(places, margin=_MARGIN_PIXELS)
    if region is None:
        return None
    rows, columns = region
    return Flow(displacement(current[region], previous[region]), rows.start, columns.start)


def carried(masks: Masks, current: Grey, previous: Grey) -> Masks:
    """The masks of the previous slice on the current one, by the flow around them."""
    flow = flow_around(masks.total() > 0, current, previous)
    return masks if flow is None else moved(masks, flow)


def displacement(current: Grey, previous: Grey) -> FloatArray:
    """(H, W, 2) pixels (x, y) from each point of the current slice to where it lay in the previous one."""
    height, width = current.shape
    scale = max(1.0, _SHORT_SIDE_PIXELS / min(height, width))
    size = (round(width * scale), round(height * scale))
    larger = [cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR) for picture in (current, previous)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(larger[0], larger[1], None)
    smaller = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller / np.array([size[0] / width, size[1] / height]), np.float32)


def moved(masks: Masks, flow: Flow) -> Masks:
    """Masks along the flow of a part of the slice; nothing beyond it."""
    place = flow.field, flow.top, flow.left
    return Masks(masks.shape, tuple(patch and _warped(patch, *place) for patch in masks.patches))


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
