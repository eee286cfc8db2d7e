"""The whole way of a scan by settings: networks loaded once, then scan after scan."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.io.download import checksum
from ivos.nets.checkpoints import BUNDLED
from ivos.propagation.engines.registry import engine_for_weights
from ivos.propagation.fusion import fuse, fuse_by_sum, fuse_smallest_first
from ivos.segmentation.postprocess import fill_holes, keep_largest_components
from ivos.segmentation.reference_networks import load_reference_networks
from ivos.segmentation.reference_slices import RULES
from ivos.segmentation.two_stage import Sampling, segment, segment_slices
from ivos.volume.checks import check_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ivos.propagation.fusion import Fusion
    from ivos.segmentation.settings import FusionName, SegmentationSettings, Structures
    from ivos.segmentation.two_stage import Segmentation
    from ivos.types import Progress
    from ivos.volume.volume import Volume


class Segmenter:
    """Segments scans.

    Args:
        settings: how.

    Attributes:
        networks: the reference networks.

    Raises:
        InputError: weights are missing or not what they should be; a label id that the networks do not have.
    """

    def __init__(self, settings: SegmentationSettings) -> None:
        self._settings = settings
        self.networks = load_reference_networks(
            *settings.reference,
            combination=settings.ensemble,
            mirrored=settings.tta_mirror,
            device=settings.device,
        )
        self._one_piece = self.structures(settings.largest_component)
        self._filled = self.structures(settings.fill_holes)
        self._segment: Callable[..., Segmentation]
        if settings.propagation == "none":
            self._segment = partial(segment_slices, networks=self.networks, modality=settings.modality)
            return
        weights = None if settings.propagation == "bundled" else Path(settings.propagation)
        self._segment = partial(
            segment,
            networks=self.networks,
            engine=engine_for_weights(weights, device=settings.device),
            sampling=Sampling(settings.stride, settings.max_slices),
            choose=RULES[settings.reference_selection](settings.max_references),
            fusion=_fusion(settings.fusion),
            agreement=settings.fuse_with_reference,
            modality=settings.modality,
        )

    @property
    def made_by(self) -> str:
        """A checksum of weights and settings: what holds of some of its segmentations holds of others with the same."""
        weights, propagation = [*self._settings.reference], self._settings.propagation
        if propagation != "none":
            weights.append(BUNDLED if propagation == "bundled" else Path(propagation))
        plain = json.dumps(self._settings.as_recorded(), separators=(",", ":"))
        return hashlib.sha256("".join([plain, *map(checksum, weights)]).encode()).hexdigest()

    def __call__(
        self,
        scan: Volume,
        *,
        probabilities: Sequence[int] = (),
        progress: Progress | None = None,
    ) -> Segmentation:
        """Segment a scan.

        Args:
            scan: the scan.
            probabilities: label ids whose probabilities are kept.
            progress: called with slices visited and slices to visit.

        Raises:
            InputError: a scan that :func:`ivos.read` would refuse.
        """
        check_scan(scan)
        result = self._segment(scan, probabilities=probabilities, progress=progress)
        keep_largest_components(result.labels.array, self._one_piece)
        fill_holes(result.labels.array, self._filled)
        return result

    def structures(self, chosen: Structures) -> tuple[int, ...]:
        """Label ids, all of the networks' for ``"all"``.

        Raises:
            InputError: one that the networks do not have.
        """
        there = self.networks.structures
        if chosen == "all":
            return there
        for label in chosen:
            if label not in there:
                raise InputError(f"label {label}: the reference network has {', '.join(str(n) for n in there)}")
        return tuple(chosen)


def _fusion(name: FusionName | None) -> Fusion | None:
    match name:
        case None:
            return None
        case "distance-confidence":
            return fuse
        case "sum":
            return fuse_by_sum
        case "smallest-structure-first":
            return fuse_smallest_first
