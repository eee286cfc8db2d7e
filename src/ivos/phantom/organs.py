"""The 13 labelled organs of FLARE22."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.phantom.body import cavity_distance, diaphragm_mm
from ivos.phantom.shapes import Ellipsoid, Point, Shape3d, Tube, Union3d

if TYPE_CHECKING:
    from ivos.phantom.canvas import Canvas, Region
    from ivos.phantom.fields import Field
    from ivos.phantom.patient import Patient

_GAS_HU = -960.0


@dataclass(frozen=True)
class Organ:
    """An organ's shape and how it is filled.

    Attributes:
        label: its FLARE22 id.
        shape: its outline before bumps and neighbours.
        tissue: what it is made of.
        bump_mm: deviation of its own surface.
        texture_hu: deviation of its inside.
    """

    label: int
    shape: Shape3d
    tissue: str
    bump_mm: float
    texture_hu: float = 4.0


def paint_organs(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Paint the organs, the soft ones first: what is painted later lies over them."""
    for organ in random_organs(rng):
        region = canvas.around(organ.shape)
        if region is None:
            continue
        distance = organ.shape.distance(region.x, region.y, region.z)
        distance = distance + np.float32(organ.bump_mm) * canvas.bumps(organ.label, region.box)
        distance = _confine(organ, region, distance, patient)
        texture = np.float32(organ.texture_hu) * canvas.bumps(organ.label + 1, region.box)
        canvas.paint(region, distance, patient.hu(organ.tissue) + texture, organ.label)
        _paint_inside(canvas, organ, region, distance, patient, rng)


def random_organs(rng: np.random.Generator) -> list[Organ]:
    """The organs of one person, every one a little elsewhere, larger or smaller, and turned."""

    def near(x: float, y: float, z: float, spread_mm: float = 4.0) -> Point:
        dx, dy, dz = rng.normal(0, spread_mm, 3)
        return x + dx, y + dy, z + dz

    def sized(*radii: float) -> Point:
        scale = rng.normal(1, 0.07) * rng.normal(1, 0.05, 3)
        a, b, c = np.asarray(radii) * np.clip(scale, 0.8, 1.25)
        return float(a), float(b), float(c)

    def turned(x: float, y: float, z: float) -> Point:
        a, b, c = np.array([x, y, z]) + rng.normal(0, 6, 3)
        return float(a), float(b), float(c)

    def tube(points: list[Point], radii: list[float], spread_mm: float = 2.5, flat: float = 1.0) -> Tube:
        scale = float(np.clip(rng.normal(1, 0.08), 0.82, 1.2))
        return Tube(tuple(near(*p, spread_mm) for p in points), tuple(r * scale for r in radii), flat)

    liver = Union3d(
        (
            Ellipsoid(near(-72, 2, 34), sized(66, 80, 78), turned(0, 14, 8)),
            Ellipsoid(near(-6, -42, 56), sized(78, 30, 34), turned(0, 12, 10)),
            Ellipsoid(near(-58, -26, 8), sized(42, 42, 50), turned(0, 10, 0)),
        ),
        blend_mm=18,
    )
    stomach = tube(
        [(66, 10, 78), (70, -8, 48), (58, -36, 18), (28, -52, -6), (-8, -50, -6), (-24, -42, -2)],
        [26, 34, 28, 22, 15, 10],
        4,
    )
    pylorus = stomach.points[-1]
    duodenum = tube(
        [pylorus, (-40, -22, -2), (-46, -8, -26), (-44, 4, -54), (-18, 12, -64), (18, 12, -58), (26, 2, -38)],
        [11, 12, 12.5, 12, 11, 10.5, 9],
        1.5,
    )
    pancreas = tube(
        [(-29, -6, -34), (-26, -14, -14), (-8, -22, 0), (22, -16, 10), (50, -2, 20), (76, 14, 28)],
        [12, 14, 10, 10.5, 10.5, 8],
        2.5,
    )
    aorta = tube(
        [(10, 26, -240), (9, 24, -100), (9, 24, 0), (12, 30, 90), (16, 36, 160), (18, 38, 240)],
        [8.5, 9, 10, 11.5, 12, 12.5],
        1.2,
    )
    cava = tube(
        [(-24, 26, -240), (-22, 24, -60), (-24, 20, 10), (-26, 14, 70), (-20, 4, 108), (-14, -6, 128)],
        [10, 11, 12, 13, 13, 12],
        1.2,
        0.85,
    )
    esophagus = tube([(8, 16, 240), (9, 18, 140), (14, 14, 104), (30, 8, 88), (46, 4, 80)], [8, 8.5, 9, 9.5, 10], 1.5)
    right_adrenal = Union3d(
        (
            Ellipsoid(near(-34, 30, 26, 2), sized(3.2, 13, 15), turned(0, 0, 18)),
            Ellipsoid(near(-40, 40, 18, 1), sized(3.0, 11, 11), turned(0, 0, 48)),
        ),
        blend_mm=3,
    )
    left_adrenal = Union3d(
        (
            Ellipsoid(near(34, 24, 16, 2), sized(3.2, 13, 14), turned(0, 0, -24)),
            Ellipsoid(near(40, 34, 12, 1), sized(3.0, 11, 11), turned(0, 0, -55)),
        ),
        blend_mm=3,
    )
    return [
        Organ(1, liver, "liver", 2.0),
        Organ(3, Ellipsoid(near(104, 34, 42), sized(27, 46, 52), turned(22, -10, 28)), "spleen", 1.6),
        Organ(11, stomach, "gut_wall", 1.6),
        Organ(12, duodenum, "gut_wall", 1.0),
        Organ(4, pancreas, "pancreas", 1.8, 10.0),
        Organ(9, tube([(-38, -38, 6), (-48, -52, -14), (-52, -58, -34)], [8, 14, 13], 3), "gallbladder", 0.7, 2.0),
        Organ(2, Ellipsoid(near(-64, 42, -36, 5), sized(27, 25, 55), turned(-10, 12, 30)), "cortex", 0.9),
        Organ(13, Ellipsoid(near(66, 40, -22, 5), sized(27, 26, 57), turned(-10, -12, -30)), "cortex", 0.9),
        Organ(6, cava, "cava", 0.5, 6.0),
        Organ(5, aorta, "aorta", 0.4, 6.0),
        Organ(7, right_adrenal, "adrenal", 0.35),
        Organ(8, left_adrenal, "adrenal", 0.35),
        Organ(10, esophagus, "gut_wall", 0.6),
    ]


def _confine(organ: Organ, region: Region, distance: Field, patient: Patient) -> Field:
    """Organs stay inside the abdominal wall, and most of them below the diaphragm."""
    distance = np.maximum(distance, cavity_distance(region, patient) + 2)
    if organ.label in (1, 2, 3, 4, 9, 11, 13):
        distance = np.maximum(distance, (region.z - diaphragm_mm(region) + 2) * np.float32(0.8))
    if organ.label == 6:  # the cava ends in the heart
        distance = np.maximum(distance, region.z - 122)
    return distance


def _paint_inside(
    canvas: Canvas, organ: Organ, region: Region, distance: Field, patient: Patient, rng: np.random.Generator
) -> None:
    if organ.label == 1:
        _paint_liver_vessels(canvas, region, distance, patient, rng)
    elif organ.label in (2, 13):
        _paint_kidney(canvas, organ, region, distance, patient)
    elif organ.label in (11, 12):
        wall_mm = 4.5 if organ.label == 11 else 3.0
        content = patient.hu("fluid") + float(rng.uniform(0, 30)) + 8 * canvas.bumps(0, region.box)
        canvas.paint(region, distance + wall_mm, content)
        level = float(rng.uniform(-62, -30)) if organ.label == 11 else -80.0
        canvas.paint(region, np.maximum(distance + wall_mm + 0.5, region.y - level), _GAS_HU)  # gas lies in front
    elif organ.label == 10:
        canvas.paint(region, distance + 6.0, -300.0)


def _paint_kidney(canvas: Canvas, organ: Organ, region: Region, distance: Field, patient: Patient) -> None:
    """Medulla inside the cortex, and the fat of the sinus, which opens towards the middle and is not labelled."""
    canvas.paint(region, distance + 7.5 + 1.5 * canvas.bumps(0, region.box), patient.hu("medulla"))
    centre = np.mean(organ.shape.bounds(), axis=0)
    inward = -1.0 if centre[0] > 0 else 1.0
    sinus = Ellipsoid(
        (float(centre[0] + 17 * inward), float(centre[1]) - 4, float(centre[2])), (17, 9, 22), (0, 0, 20 * inward)
    )
    hollow = sinus.distance(region.x, region.y, region.z) + 1.2 * canvas.bumps(1, region.box)
    canvas.paint(region, np.maximum(hollow, distance - 2), -70.0, 0)


def _paint_liver_vessels(
    canvas: Canvas, region: Region, distance: Field, patient: Patient, rng: np.random.Generator
) -> None:
    """Three hepatic veins towards the cava, and the portal vein's branches; they stay liver by label."""

    def to(x: float, y: float, z: float) -> Point:
        dx, dy, dz = rng.normal(0, 7, 3)
        return x + dx, y + dy, z + dz

    mouth, gate = (-26.0, 10.0, 78.0), (-40.0, -8.0, 34.0)
    veins = [
        Tube((mouth, to(-50, 20, 66), to(-96, 40, 48)), (4.5, 3.6, 2)),
        Tube((mouth, to(-46, -14, 62), to(-66, -46, 30)), (4.5, 3.4, 2)),
    ]
    veins.append(Tube((mouth, to(-14, -18, 66), to(16, -46, 60)), (4.2, 3, 1.8)))
    branches = [
        Tube((gate, to(-70, 4, 30), to(-104, 16, 14)), (5.5, 4, 2)),
        Tube((gate, to(-30, -30, 48), to(4, -46, 54)), (5, 3.6, 2)),
    ]
    branches.append(Tube((to(-70, 4, 30), to(-88, 24, 44), to(-104, 36, 62)), (3.6, 3, 1.8)))
    for vessels, tissue in ((veins, "hepatic_vein"), (branches, "portal")):
        inside = Union3d(tuple(vessels), blend_mm=3).distance(region.x, region.y, region.z)
        canvas.paint(region, np.maximum(inside, distance + 2), patient.hu(tissue))
