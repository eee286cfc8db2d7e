"""A synthetic abdominal CT scan with its true labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.phantom.body import paint_body
from ivos.phantom.canvas import Canvas
from ivos.phantom.case import Phantom
from ivos.phantom.fields import scanner_noise
from ivos.phantom.organs import paint_organs
from ivos.phantom.patient import Patient, random_grid
from ivos.volume.labels import bundled_scheme
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from ivos.volume.geometry import Shape, Triple


_WARP_MM, _WARP_WAVELENGTH_MM = 3.0, 150.0  # of the deformation that the whole body gets


def abdomen(seed: int, *, shape: Shape | None = None, spacing_mm: Triple | None = None) -> Phantom:
    """A synthetic abdomen in HU with its 13 organs under their FLARE22 ids: the same seed gives the same one.

    Cases vary in build, in place, size and form of every organ, in contrast phase, noise, blur and field of view.

    Args:
        seed: which case.
        shape: voxels (z, y, x); drawn by default, with 512 or fewer in plane.
        spacing_mm: voxel spacing (z, y, x); by default drawn (0.6 to 1 mm in plane, 1 to 5 mm through it), or what
            it takes for ``shape`` to hold the body.
    """
    rng = np.random.default_rng(seed)
    patient = Patient.random(rng)
    grid = random_grid(rng, patient, shape, spacing_mm)
    canvas = Canvas(grid, rng, warp_mm=_WARP_MM, wavelength_mm=_WARP_WAVELENGTH_MM)
    paint_body(canvas, patient, rng)
    paint_organs(canvas, patient, rng)
    scan = Volume.from_array(_simulate_scanner(canvas, patient, rng), grid, modality="CT")
    return Phantom(scan, scan.with_array(canvas.labels, bundled_scheme("flare22").names))


def _simulate_scanner(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """What the scanner makes of it: smeared a little, noisy, whole HU."""
    hu = canvas.hu
    for z in range(len(hu)):
        hu[z] = cv2.GaussianBlur(hu[z], (0, 0), patient.blur_pixels)
    hu += scanner_noise(rng, canvas.grid.shape, patient.noise_hu, patient.grain_pixels)
    return np.rint(np.clip(hu, -1024, 3071)).astype(np.int16)
