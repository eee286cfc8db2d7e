"""Random parameters of a patient and scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ivos.volume.geometry import Geometry, Shape, Triple

_TISSUE_HU: dict[str, tuple[float, float, float, float]] = {
    # native, arterial, portal venous, delayed
    "liver": (58, 72, 112, 92),
    "spleen": (48, 118, 122, 96),
    "cortex": (33, 195, 178, 150),
    "medulla": (33, 70, 152, 150),
    "pancreas": (42, 108, 100, 78),
    "aorta": (42, 310, 165, 112),
    "cava": (40, 85, 150, 112),
    "portal": (42, 105, 178, 115),
    "hepatic_vein": (42, 68, 172, 114),
    "adrenal": (32, 78, 70, 58),
    "gut_wall": (42, 92, 90, 72),
    "muscle": (55, 60, 64, 62),
    "gallbladder": (8, 8, 9, 10),
    "fluid": (12, 12, 12, 12),
}
PHASES = ("native", "arterial", "portal venous", "delayed")


@dataclass(frozen=True)
class Patient:
    """A body, its contrast phase and its scan.

    Attributes:
        phase: index into :data:`PHASES`.
        half_width_mm: of the body, from side to side.
        half_depth_mm: of the body, from front to back.
        fat_mm: thickness of the fat under the skin.
        noise_hu: standard deviation of the scanner's noise.
        grain_pixels: how coarse that noise is.
        blur_pixels: how far the scanner smears edges.
    """

    phase: int
    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    noise_hu: float
    grain_pixels: float
    blur_pixels: float
    tissue_shift_hu: float

    @staticmethod
    def random(rng: np.random.Generator) -> Patient:
        """A patient of random build, phase and scanner."""
        fat_mm = float(rng.uniform(10, 30))
        return Patient(
            phase=int(rng.choice(4, p=(0.1, 0.25, 0.5, 0.15))),
            half_width_mm=float(rng.uniform(142, 158)) + fat_mm,
            half_depth_mm=float(rng.uniform(92, 102)) + fat_mm,
            fat_mm=fat_mm,
            noise_hu=float(rng.uniform(8, 24)),
            grain_pixels=float(rng.uniform(0.6, 1.1)),
            blur_pixels=float(rng.uniform(0.4, 0.8)),
            tissue_shift_hu=float(rng.uniform(-8, 8)),
        )

    def hu(self, tissue: str) -> float:
        """Mean intensity of a tissue in this phase."""
        return _TISSUE_HU[tissue][self.phase] + self.tissue_shift_hu * (0.2 if tissue == "fluid" else 1.0)


def random_grid(rng: np.random.Generator, patient: Patient, shape: Shape | None, spacing_mm: Triple | None) -> Geometry:
    """The voxels of the scan, in mm from the body's centre.

    The field of view holds the body in plane, and reaches from below the kidneys to above the diaphragm.

    Args:
        rng: draws what is not given.
        patient: who lies in it.
        shape: voxels (z, y, x); by default 512 or fewer in plane, and as many slices as the length takes.
        spacing_mm: voxel spacing (z, y, x); by default 0.6 to 1 mm in plane and 1 to 5 mm through it, or what the
            field of view needs where the shape is given.
    """
    top, bottom = float(rng.uniform(118, 150)), float(rng.uniform(-150, -108))
    field_mm = 2 * patient.half_width_mm * float(rng.uniform(1.04, 1.15))
    plane_mm = float(np.clip(field_mm / 512, 0.6, 1.0))
    through_mm = float(rng.choice([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0], p=(0.05, 0.1, 0.15, 0.3, 0.2, 0.1, 0.1)))
    if shape is None:
        through_mm, plane_mm = (through_mm, plane_mm) if spacing_mm is None else (spacing_mm[0], spacing_mm[2])
        side = min(512, round(field_mm / plane_mm))
        shape = (max(2, round((top - bottom) / through_mm)), side, side)
    if spacing_mm is None:
        plane_mm = max(field_mm / shape[2], field_mm * 0.8 / shape[1])
        spacing_mm = ((top - bottom) / shape[0] if shape[0] else through_mm, plane_mm, plane_mm)
    middle = (top + bottom) / 2
    z, y, x = (-(n - 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True))
    return Geometry(shape, spacing_mm, (x, y + 6.0, z + middle))
