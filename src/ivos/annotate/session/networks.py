"""What computes behind the page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ivos.annotate.session.auto_segment import AutoSegmenter
    from ivos.device import DeviceChoice
    from ivos.prompts.prompts import Strokes, StrokeSegmenter
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import BoolArray, FloatArray, Progress
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class Networks:
    """All that there are.

    Attributes:
        engine: makes the engine of a session; None for the bundled network.
        strokes: makes masks of strokes; None for none.
        find: looks for organs by itself; None where there are no weights for it.
    """

    engine: Callable[[], Engine] | None = None
    strokes: StrokeSegmenter | None = None
    find: AutoSegmenter | None = None

    @staticmethod
    def load(
        reference: Sequence[Path], propagation: Path | None, strokes: Path | None, device: DeviceChoice
    ) -> Networks:
        """Those of some weights, which are read now so that wrong ones are refused; the bundled ones come by and by.

        Args:
            reference: of reference networks; none for no finding of organs.
            propagation: of a network that propagates; None for the bundled one.
            strokes: of a network that makes masks of strokes; None for the bundled one.
            device: where they run.

        Raises:
            InputError: weights are not there, or of another network; the device is not there.
        """
        engine = None if propagation is None and device == "auto" else _engine_maker(propagation, device)
        return Networks(engine, LateStrokes(strokes, device), finder(reference, device) if reference else None)


class LateStrokes:
    """A network for strokes, read in the background: neither the start nor the first stroke has to wait for it.

    Args:
        weights: of the network; None for the bundled ones.
        device: where it runs.
    """

    def __init__(self, weights: Path | None, device: DeviceChoice) -> None:
        self._segmenter = ThreadPoolExecutor(max_workers=1).submit(_stroke_segmenter, weights, device)
        if weights is not None:  # others than the bundled ones may be unfit: then the start is the time to say so
            self._segmenter.result()

    def __call__(self, image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
        """See :class:`~ivos.prompts.prompts.StrokeSegmenter`."""
        return self._segmenter.result()(image, strokes, mask)


def finder(reference: Sequence[Path], device: DeviceChoice) -> AutoSegmenter:
    """Looks for organs by reference networks and propagation.

    Args:
        reference: their weights.
        device: where they run.
    """
    from ivos.segmentation.segmenter import Segmenter
    from ivos.segmentation.settings import SegmentationSettings

    segmenter, one_at_a_time = Segmenter(SegmentationSettings(reference=tuple(reference), device=device)), Lock()

    def find(scan: Volume, progress: Progress) -> Volume:
        with one_at_a_time:
            return segmenter(scan, progress=progress).labels

    return find


def _engine_maker(weights: Path | None, device: DeviceChoice) -> Callable[[], Engine]:
    from ivos.propagation.engines.registry import engine_for_weights

    engine_for_weights(weights, device=device)  # every session has its own: an engine remembers slices
    return lambda: engine_for_weights(weights, device=device)


def _stroke_segmenter(weights: Path | None, device: DeviceChoice) -> StrokeSegmenter:
    from ivos.prompts.segmenters import stroke_segmenter

    return stroke_segmenter(weights, device=device)
