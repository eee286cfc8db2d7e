"""Synthetic images from label maps, in any contrast and resolution.

References:
    Billot et al.: SynthSeg: Segmentation of brain MRI scans of any contrast and resolution without retraining,
    MedIA 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ivos.phantom.degrade import blend_slices, degrade, simulate_motion
from ivos.phantom.fields import Field, smooth_field

if TYPE_CHECKING:
    from ivos.types import LabelArray
    from ivos.volume.geometry import Shape, Triple


_PIXEL_MM = (0.8, 2.2)
_SLICE_MM, _THICK_MM = (1.0, 5.0), (5.0, 10.0)
_THICK = 0.2  # share of volumes with thick slices
_MOST = (56, 176, 176)  # voxels of a volume
_LEAST_SIDE, _LEAST_SLICES = 64, 8
_FINE_MM = 1.5  # thick slices are averaged from sub-slices of about this distance
_UPRIGHT = 0.5  # share of volumes cut along the map's own slices; the others along another axis
_TURN_DEGREES = 15.0
_SCALE = (0.85, 1.2)
_BEND_MM, _BEND_WAVELENGTH_MM = (0.0, 5.0), (30.0, 80.0)


@dataclass(frozen=True)
class Cut:
    """A part of a label map on a new grid.

    Attributes:
        labels: (Z * fine, Y, X).
        spacing_mm: of the slices that are to come of it, (z, y, x).
        fine: sub-slices to a slice.
    """

    labels: LabelArray
    spacing_mm: Triple
    fine: int


def synthetic_image(
    labels: LabelArray, spacing_mm: Triple, rng: np.random.Generator
) -> tuple[Field, LabelArray, Triple]:
    """A synthetic scan of a label map.

    The map is deformed, cut in any plane at a random resolution and filled with random tissues, some of which several
    structures share, so that not every border can be seen.

    Args:
        labels: (Z, Y, X), 0 where the map says nothing.
        spacing_mm: of the map, (z, y, x).
        rng: what is drawn.

    Returns:
        Intensities (N, H, W) in [0, 1], labels (N, H, W), and their spacing.
    """
    cut = cut_at_random(labels, spacing_mm, rng)
    intensities = _average(_paint(cut, rng), cut.fine)
    middle = cut.labels[cut.fine // 2 :: cut.fine]
    intensities, middle = simulate_motion(blend_slices(intensities, rng), middle, rng)
    return degrade(intensities, rng), middle, cut.spacing_mm


def cut_at_random(labels: LabelArray, spacing_mm: Triple, rng: np.random.Generator) -> Cut:
    """A deformed part of a label map (Z, Y, X), about some labelled voxel, in a random plane and resolution."""
    axes = (0, 1, 2) if rng.random() < _UPRIGHT else tuple(int(n) for n in rng.permutation(3))
    labels = labels.transpose(axes)
    spacing = np.array([spacing_mm[axis] for axis in axes])
    pixel_mm = float(rng.uniform(*_PIXEL_MM))
    slice_mm = (
        float(rng.uniform(*_THICK_MM)) if rng.random() < _THICK else float(np.exp(rng.uniform(*np.log(_SLICE_MM))))
    )
    fine = int(np.clip(round(slice_mm / _FINE_MM), 1, 4))
    extent = np.array(labels.shape) * spacing
    slices = int(np.clip(1.3 * extent[0] / slice_mm, _LEAST_SLICES, _MOST[0]))
    height, width = (
        int(np.clip(1.15 * length / pixel_mm, _LEAST_SIDE, most)) // 16 * 16
        for length, most in zip(extent[1:], _MOST[1:], strict=True)
    )
    shape = (slices * fine, height, width)
    steps = (slice_mm / fine, pixel_mm, pixel_mm)
    places = np.flatnonzero(labels)
    anchor = np.array(np.unravel_index(int(rng.choice(places)) if places.size else labels.size // 2, labels.shape))
    whole = np.minimum(np.array(shape) * steps / extent, 1)  # a part that holds all of the map lies about its middle
    centre = (anchor + 0.5) * spacing * (1 - whole) + extent / 2 * whole
    found = _look_up(labels, spacing, centre, shape, steps, rng)
    return Cut(found, (slice_mm, pixel_mm, pixel_mm), fine)


def _look_up(
    labels: LabelArray,
    spacing: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    shape: Shape,
    steps: Triple,
    rng: np.random.Generator,
) -> LabelArray:
    """Labels at the points of a turned, scaled and bent grid about a centre in mm; 0 beyond the map."""
    turn = Rotation.from_euler("zyx", rng.uniform(-_TURN_DEGREES, _TURN_DEGREES, 3), degrees=True).as_matrix()
    matrix = turn * rng.uniform(*_SCALE, 3) * rng.choice([-1, 1], 3)
    bend_mm, wavelength_mm = float(rng.uniform(*_BEND_MM)), float(rng.uniform(*_BEND_WAVELENGTH_MM))
    lines = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * np.float32(s) for n, s in zip(shape, steps, strict=True)]
    z, y, x = np.meshgrid(*lines, indexing="ij", sparse=True)
    inside, index = np.ones(shape, bool), []
    for row, length, size, middle in zip(matrix, labels.shape, spacing, centre, strict=True):
        bend = bend_mm * smooth_field(rng, shape, steps, wavelength_mm)
        place = (row[0] * z + row[1] * y + row[2] * x + bend + middle) / size - 0.5
        rounded = np.rint(place).astype(np.int32)
        inside &= (rounded >= 0) & (rounded < length)
        index.append(rounded.clip(0, length - 1))
    return np.where(inside, labels[tuple(index)], 0).astype(np.uint8)


def _paint(cut: Cut, rng: np.random.Generator) -> Field:
    """Intensities of about 0..1 for every voxel of a cut."""
    labels, last = cut.labels, int(cut.labels.max())
    steps = (cut.spacing_mm[0] / cut.fine, *cut.spacing_mm[1:])
    tissues = rng.uniform(0.08, 1, int(rng.integers(2, 4 + max(2, last // 2)))).astype(np.float32)
    own = rng.random(last + 1) < rng.choice([0.1, 0.4, 0.8])  # brightness of one's own, or that of a shared tissue
    means = np.where(own, rng.uniform(0.05, 1, last + 1), rng.choice(tissues, last + 1)).astype(np.float32)
    means += rng.normal(0, 0.02, last + 1).astype(np.float32)
    grains = rng.choice([0.0, 0.015, 0.04], last + 1).astype(np.float32)
    image = means[labels]
    empty = labels == 0
    image[empty] = _filler(labels, steps, tissues, rng)[empty]
    slow = smooth_field(rng, labels.shape, steps, float(rng.uniform(10, 40)))
    image += np.float32(rng.uniform(0, 0.06)) * slow
    texture = rng.standard_normal(labels.shape, dtype=np.float32)
    sigma = float(rng.uniform(0.5, 2))
    texture = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in texture])
    return np.asarray(image + grains[labels] * texture / max(float(texture.std()), 1e-6), np.float32)


def _filler(labels: LabelArray, steps: Triple, tissues: Field, rng: np.random.Generator) -> Field:
    """What lies where the map says nothing: random tissues, those of the structures among them; air further away."""
    count = int(rng.integers(3, 8))
    values = np.where(rng.random(count) < 0.5, rng.choice(tissues, count), rng.uniform(0, 1, count)).astype(np.float32)
    field = smooth_field(rng, labels.shape, steps, float(rng.uniform(25, 90)))
    filler = values[np.clip((field * 0.9 + 1.2) / 2.4 * count, 0, count - 1).astype(np.int64)]
    if rng.random() < 0.5:
        reach_mm = float(rng.uniform(4, 40))
        coarse = (slice(None, None, 2),) * 3
        sampling = [2 * s for s in steps]
        away = ndimage.distance_transform_edt(labels[coarse] == 0, sampling).astype(np.float32)
        away = away.repeat(2, 0).repeat(2, 1).repeat(2, 2)[tuple(slice(n) for n in labels.shape)]
        wavy = reach_mm * (1 + 0.3 * smooth_field(rng, labels.shape, steps, 50.0))
        filler = np.where(away > wavy, np.float32(rng.uniform(0, 0.05)), filler)
    return np.asarray(filler, np.float32)


def _average(image: Field, fine: int) -> Field:
    """Slices averaged over the given number of sub-slices."""
    return np.asarray(image.reshape(-1, fine, *image.shape[1:]).mean(axis=1), np.float32)
