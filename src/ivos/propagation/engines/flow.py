"""Carries masks along dense optical flow: no training, no weights; the baseline for every learned engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from ivos.propagation.masks import Masks
from ivos.volume.box import bounding_box

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import BoolArray, FloatArray, Slice

_MARGIN_PIXELS = 24  # flow looks this far around the structures
_SHORT_SIDE_PIXELS = 256  # the flow's finest scale is half a pixel's width too coarse for small structures below this


class FlowEngine:
    """Warps the previous slice's masks by the flow between the two slices' first channel (soft tissue).

    References:
        Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search, ECCV 2016.
    """

    fuses = False

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._image: npt.NDArray[np.uint8] | None = None
        self._masks: FloatArray | None = None

    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:  # noqa: ARG002
        """Go on from this slice and these masks."""
        self._image, self._masks = _grey(image), masks.dense()

    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The masks carried along the flow from the last slice to this one."""
        if self._image is None or self._masks is None:
            raise RuntimeError("predict before observe")
        current, previous, masks = _grey(image), self._image, self._masks
        carried = np.zeros_like(masks)
        region = bounding_box(np.any(masks > 0, axis=0), margin=_MARGIN_PIXELS)
        if region is not None:
            displacement = self._displacement(current[region], previous[region])
            for mask, out in zip(masks, carried, strict=True):
                if mask[region].any():
                    out[region] = _warp(mask[region], displacement)
        self._image, self._masks = current, carried
        return Masks.of(carried)

    def reset(self) -> None:
        """Forget the last slice."""
        self._image = self._masks = None

    def _displacement(self, current: npt.NDArray[np.uint8], previous: npt.NDArray[np.uint8]) -> FloatArray:
        """(H, W, 2) pixels (x, y) from each point of the current slice to where it lay in the previous one."""
        height, width = current.shape
        scale = max(1.0, _SHORT_SIDE_PIXELS / min(height, width))
        size = (round(width * scale), round(height * scale))
        larger = [cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR) for picture in (current, previous)]
        flow = self._flow.calc(larger[0], larger[1], None)
        displacement = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(displacement / np.array([size[0] / width, size[1] / height]), np.float32)


def _grey(image: Slice) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(image.image[0] * 255), np.uint8)


def _warp(mask: FloatArray, displacement: FloatArray) -> FloatArray:
    rows, columns = np.indices(mask.shape, dtype=np.float32)
    x, y = columns + displacement[..., 0], rows + displacement[..., 1]
    return np.asarray(cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)
