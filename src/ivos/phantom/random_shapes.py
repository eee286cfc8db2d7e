"""Scans without anatomy: random structures of every form, size and brightness, to train propagation.

A network that is to follow any structure in any modality must not learn anatomy or intensities; it learns from shapes
and contrasts that are never the same twice.

References:
    Hoffmann et al.: SynthMorph: learning contrast-invariant registration without acquired images, IEEE TMI 2022.
    Billot et al.: SynthSeg: Segmentation of brain MRI scans of any contrast and resolution, MedIA 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.phantom.canvas import Canvas
from ivos.phantom.case import Phantom
from ivos.phantom.contents import paint_structure
from ivos.phantom.degrade import blend_slices, degrade, simulate_motion
from ivos.phantom.fields import smooth_field
from ivos.phantom.forms import random_structure
from ivos.phantom.tissue import Palette, paint_tissue
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.phantom.shapes import Point
    from ivos.volume.geometry import Shape

_STRUCTURES = (5, 12)  # on a slice of 128 mm, more on a wider one
_LEAST_MM = 2.5
_LARGEST = 0.27  # half-width of the largest structures, of the slice's width


def random_shapes(seed: int, *, shape: Shape = (24, 128, 128), step_mm: float | None = None) -> Phantom:
    """A scan full of random structures: the same seed gives the same one.

    Ellipsoids and lumps, tubes that bend, branch, taper and end, thin sheets, hollow structures with something in them,
    touching neighbours, in half of the scans on densely packed irregular regions; small ones beside large ones, most of
    them beginning or ending inside the volume; any brightness, hardly visible ones among them; thin layers between
    structures, borders that cannot be seen, lesions, vessels, texture; thick slices, motion, shading, blur, noise,
    streaks, reversed contrast.

    Args:
        seed: which case.
        shape: voxels (z, y, x) of 1 mm in plane.
        step_mm: distance of slices; 1 to 6 mm, drawn, by default.
    """
    rng = np.random.default_rng(seed)
    step = float(np.exp(rng.uniform(0, np.log(6)))) if step_mm is None else step_mm
    grid = _centred_grid(shape, step)
    canvas = Canvas(grid, rng, warp_mm=float(rng.uniform(0, 4)), wavelength_mm=60.0)
    palette = Palette.random(rng)
    label, last = paint_tissue(canvas, palette, rng), (0.0, 0.0, 0.0, 1.0)
    for size in _sizes(shape[2], rng):
        centre = _next_to(last, size, rng) if rng.random() < 0.4 else _somewhere(grid, rng)
        label += paint_structure(canvas, random_structure(centre, size, shape[2], rng), label + 1, palette, rng)
        last = (*centre, size)
    _divide(canvas.labels, grid, rng)
    intensities, labels = simulate_motion(blend_slices(canvas.hu, rng), canvas.labels, rng)
    scan = Volume.from_array(np.rint(1000 * degrade(intensities, rng)).astype(np.int16), grid)
    return Phantom(scan, scan.with_array(labels))


def _divide(labels: npt.NDArray[np.uint8], grid: Geometry, rng: np.random.Generator) -> None:
    """Some labels in two, where nothing is to be seen, as a vessel's and an organ's segments are."""
    for _ in range(int(rng.integers(0, 4))):
        ids = np.unique(labels[labels > 0])
        if not ids.size:
            return
        across = smooth_field(rng, grid.shape, grid.spacing_mm, float(rng.uniform(30, 90)))
        part = labels == rng.choice(ids)
        labels[part & (across > np.median(across[part]))] = int(ids[-1]) + 1


def _centred_grid(shape: Shape, step_mm: float) -> Geometry:
    spacing_mm = (step_mm, 1.0, 1.0)
    z, y, x = (-(n - 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True))
    return Geometry(shape, spacing_mm, (x, y, z))


def _sizes(width_mm: int, rng: np.random.Generator) -> list[float]:
    """Half-widths in mm, the largest first, so that small structures come to lie over large ones."""
    count = round(int(rng.integers(*_STRUCTURES, endpoint=True)) * max(1.0, width_mm / 128))
    largest = max(_LARGEST * width_mm, 2 * _LEAST_MM)
    sizes: npt.NDArray[np.float64] = np.exp(rng.uniform(np.log(_LEAST_MM), np.log(largest), count))
    sizes[0] = rng.uniform(_LEAST_MM, 1.5 * _LEAST_MM)  # a small one is always there
    return [float(size) for size in np.sort(sizes)[::-1]]


def _somewhere(grid: Geometry, rng: np.random.Generator) -> Point:
    z, y, x = (0.5 * n * s for n, s in zip(grid.shape, grid.spacing_mm, strict=True))
    return float(rng.uniform(-0.75, 0.75) * x), float(rng.uniform(-0.75, 0.75) * y), float(rng.uniform(-0.9, 0.9) * z)


def _next_to(last: tuple[float, float, float, float], size: float, rng: np.random.Generator) -> Point:
    """A centre at which a structure of this size touches the last one."""
    direction = rng.normal(0, 1, 3)
    x, y, z = np.array(last[:3]) + direction / np.linalg.norm(direction) * (last[3] + size) * rng.uniform(0.7, 1.0)
    return float(x), float(y), float(z)
