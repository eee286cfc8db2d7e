"""Crops of propagated structures with their ground truth: the training data of the refinement network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ivos.nets.refine import PLANES
from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import SliceStack, walk
from ivos.propagation.engines.protocol import Slice
from ivos.propagation.refine.evidence import Evidence, gather
from ivos.propagation.refine.grid import box_about
from ivos.propagation.refine.soft_labels import SoftLabels
from ivos.training.data.store import UNKNOWN
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.propagation.engines.protocol import Engine
    from ivos.training.fast.scans import LabelledScan
    from ivos.types import Array, BoolArray, FloatArray

_LEAST_VOXELS, _LEAST_SLICES, _LEAST_PIXELS, _LARGEST_SHARE = 150, 4, 16, 0.4
_MOST_STRUCTURES = (1, 3, 6, 10)
_EVERY_NTH = 0.25  # share of volumes with fully annotated slices at even distances
_LARGEST_SLICE, _SECOND_SLICE = 0.7, 0.3
_LIKELIHOOD = PLANES.index("likelihood")
_LIKELIHOOD_RANGE = 2.5
_PROPAGATED = PLANES.index("propagated")


@dataclass(frozen=True)
class Crop:
    """A structure in its box, in eight bits.

    Attributes:
        planes: (Z, P, rows, columns); likelihoods from -2.5 to 2.5, all others from 0 to 1.
        numbers: (Z, N).
        scalars: (2,).
        asked: (Z,).
        truth: (Z, rows, columns) the share of each cell that is the structure's.
        case: the volume that it is of.
    """

    planes: npt.NDArray[np.uint8]
    numbers: FloatArray
    scalars: FloatArray
    asked: BoolArray
    truth: npt.NDArray[np.uint8]
    case: str

    @property
    def dsc(self) -> float:
        """Of what the passes found, on the slices that are asked for."""
        found, true = self.planes[self.asked, _PROPAGATED] > 127, self.truth[self.asked] > 127
        return 2 * float((found & true).sum()) / max(float(found.sum() + true.sum()), 1)

    def evidence(self) -> Evidence:
        """As the network is shown it."""
        planes = np.asarray(self.planes / np.float32(255), np.float32)
        planes[:, _LIKELIHOOD] = (planes[:, _LIKELIHOOD] - 0.5) * 2 * _LIKELIHOOD_RANGE
        return Evidence(planes, self.numbers, self.scalars, self.asked)


@dataclass(frozen=True)
class _ImageStack(SliceStack):
    """Slices whose windows have been applied already: the array is (N, C, H, W), 0..255."""

    def __getitem__(self, index: int) -> Slice:
        seen = np.asarray(self.array[index] / np.float32(255), np.float32)
        return Slice(index, seen, self.spacing_mm, ahead=seen)

    def channel(self, index: int, number: int) -> FloatArray:
        """One window of a slice, (H, W) in [0, 1]."""
        return np.asarray(self.array[index, number] / np.float32(255), np.float32)


def crops_of(scan: LabelledScan, engine: Engine, rng: np.random.Generator) -> list[Crop]:
    """Some structures of a volume, propagated from some slices of it."""
    labels = np.where(scan.labels == UNKNOWN, 0, scan.labels)
    annotations = _annotate(labels, rng)
    if annotations is None:
        return []
    through, *in_plane = scan.spacing_mm
    stack = _ImageStack(scan.images, ((0.0, 1.0),) * 3, (in_plane[0], in_plane[1]), through)
    soft = SoftLabels(len(labels), labels.shape[1:], len(annotations.structures))
    for finished in walk(stack, annotations, engine):
        if finished is not None:
            soft.keep(finished.index, finished.masks)
    masks = {index: soft.masks(index) for index in range(len(soft))}
    crops = []
    for number, (structure, extents) in enumerate(zip(annotations.structures, soft.extents(), strict=True)):
        box = box_about(extents, len(soft))
        evidence = None if box is None else gather(stack, annotations, number, box, masks)
        if box is None or evidence is None or not evidence.asked.any():
            continue
        truth = [box.shrink(box.cut((labels[n] == structure).astype(np.float32))) for n in range(box.first, box.last)]
        crops.append(_pack(evidence, np.stack(truth), scan.case))
    return crops


def _annotate(labels: Array, rng: np.random.Generator) -> Annotations | None:
    """Slices of some structures, as a person might annotate them; None where there is nothing to annotate."""
    areas = {}
    for label in structures_in(labels):
        area = (labels == label).sum(axis=(1, 2))
        large = _LEAST_PIXELS <= area.max() < _LARGEST_SHARE * labels[0].size
        if large and area.sum() >= _LEAST_VOXELS and (area > 0).sum() >= _LEAST_SLICES:
            areas[label] = area
    if not areas:
        return None
    weights = np.array([area.sum() for area in areas.values()]) ** 0.4
    count = min(len(areas), int(rng.choice(_MOST_STRUCTURES)))
    chosen = sorted(int(n) for n in rng.choice(list(areas), count, replace=False, p=weights / weights.sum()))
    annotated = np.zeros_like(labels)
    if rng.random() < _EVERY_NTH:
        step = int(rng.integers(3, 13))
        full = list(range(int(rng.integers(step)), len(labels), step))
        annotated[full] = np.where(np.isin(labels[full], chosen), labels[full], 0)
        present = [label for label in chosen if (annotated == label).any()]
        return Annotations(annotated, tuple(present), frozenset(full)) if present else None
    for label in chosen:
        area = areas[label]
        good = np.flatnonzero(area >= 0.5 * area.max())
        slices = [int(area.argmax()) if rng.random() < _LARGEST_SLICE else int(rng.choice(good))]
        far = [n for n in np.flatnonzero(area >= 0.25 * area.max()) if abs(n - slices[0]) > 2]
        if far and rng.random() < _SECOND_SLICE:
            slices.append(int(rng.choice(far)))
        for index in slices:
            annotated[index][labels[index] == label] = label
    return Annotations(annotated, tuple(chosen))


def _pack(evidence: Evidence, truth: FloatArray, case: str) -> Crop:
    planes = evidence.planes.copy()
    planes[:, _LIKELIHOOD] = planes[:, _LIKELIHOOD] / (2 * _LIKELIHOOD_RANGE) + 0.5
    eight = np.rint(255 * np.clip(planes, 0, 1)).astype(np.uint8)
    return Crop(eight, evidence.numbers, evidence.scalars, evidence.asked, np.rint(255 * truth).astype(np.uint8), case)


def save_crops(crops: list[Crop], path: Path) -> None:
    """All crops of a volume in one file."""
    tables: dict[str, Any] = {f"{n} {name}": getattr(crop, name) for n, crop in enumerate(crops) for name in _FIELDS}
    cases = np.array([crop.case for crop in crops], dtype=str)
    np.savez_compressed(path, allow_pickle=False, cases=cases, **tables)


def load_crops(path: Path) -> list[Crop]:
    """Those of a file again."""
    with np.load(path) as kept:
        cases = kept["cases"].tolist()
        return [Crop(**{name: kept[f"{n} {name}"] for name in _FIELDS}, case=case) for n, case in enumerate(cases)]


_FIELDS = ("planes", "numbers", "scalars", "asked", "truth")


def part_of(crop: Crop, slices: slice) -> Crop:
    """Some slices of a crop."""
    return replace(
        crop,
        planes=crop.planes[slices],
        numbers=crop.numbers[slices],
        asked=crop.asked[slices],
        truth=crop.truth[slices],
    )
