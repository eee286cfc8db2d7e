"""Everything around the organs: skin, fat, muscle, bones, lungs, heart, bowel, vessels, the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.phantom.shapes import Ellipsoid, Tube

if TYPE_CHECKING:
    from ivos.phantom.canvas import Canvas, Region
    from ivos.phantom.fields import Field
    from ivos.phantom.patient import Patient

_FAT_HU, _VISCERAL_FAT_HU, _LUNG_HU, _GAS_HU = -104.0, -98.0, -845.0, -960.0
_VERTEBRA_MM, _DISC_MM = 34.0, 8.0
_RIB_SPACING_MM = 27.0


def cavity_distance(region: Region, patient: Patient, wall_mm: float = 13.0) -> Field:
    """Millimetres to the inner side of the abdominal wall, negative inside; the spine stands into it from behind."""
    inner = patient.fat_mm + wall_mm
    return _oval(region, patient.half_width_mm - inner, patient.half_depth_mm - inner)


def diaphragm_mm(region: Region) -> Field:
    """Height z of the diaphragm at each place: two domes, the right one higher, falling to the sides and the back."""
    right = 104 - ((region.x + 72) ** 2 + 1.2 * (region.y - 2) ** 2) / np.float32(105)
    left = 92 - ((region.x - 74) ** 2 + 1.2 * (region.y - 6) ** 2) / np.float32(100)
    middle = 84 - (region.x**2) / np.float32(300) - (np.maximum(region.y - 10, 0) ** 2) / np.float32(90)
    height: Field = np.maximum(np.maximum(right, left), np.maximum(middle, -40))
    return height


def paint_body(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Paint all of it, outside in."""
    whole = canvas.everywhere()
    _paint_table(canvas, patient)
    _paint_layers(canvas, whole, patient)
    _paint_thorax(canvas, whole, patient, rng)
    _paint_spine(canvas, patient, rng)
    _paint_bowel(canvas, patient, rng)
    _paint_vessels(canvas, patient, rng)


def _oval(region: Region, half_width: float, half_depth: float) -> Field:
    """Millimetres to a rounded rectangle-like oval around the z axis, as a trunk is."""
    power = 2.4
    radius = (np.abs(region.x / half_width) ** power + np.abs(region.y / half_depth) ** power) ** (1 / power)
    return np.asarray((radius - 1) * np.float32(min(half_width, half_depth)), np.float32)


def _paint_table(canvas: Canvas, patient: Patient) -> None:
    whole = canvas.everywhere()
    x, y = canvas.plane()
    top = patient.half_depth_mm + 9 - (x / 60) ** 2
    plate = np.maximum(np.abs(y - top - 5) - 5, np.abs(x) - 210)
    canvas.paint(whole, np.broadcast_to(plate, whole.x.shape), -880.0)
    canvas.paint(whole, np.broadcast_to(np.abs(plate) - 0.8, whole.x.shape), -250.0)


def _paint_layers(canvas: Canvas, whole: Region, patient: Patient) -> None:
    skin = _oval(whole, patient.half_width_mm, patient.half_depth_mm)
    canvas.paint(whole, skin, 15.0)
    canvas.paint(whole, skin + 2.2, _FAT_HU + 6 * canvas.bumps(0, whole.box))
    muscle = _oval(whole, patient.half_width_mm - patient.fat_mm, patient.half_depth_mm - patient.fat_mm)
    canvas.paint(whole, muscle, patient.hu("muscle") + 5 * canvas.bumps(1, whole.box))
    canvas.paint(whole, cavity_distance(whole, patient), _VISCERAL_FAT_HU + 8 * canvas.bumps(2, whole.box))


def _paint_thorax(canvas: Canvas, whole: Region, patient: Patient, rng: np.random.Generator) -> None:
    chest = cavity_distance(whole, patient, wall_mm=15.0)
    heart = Ellipsoid((22, -30, 138), (58, 46, 44), (0, 20, 0)).distance(whole.x, whole.y, whole.z)
    mediastinum = np.sqrt(((whole.x - 5) / 30) ** 2 + ((whole.y - 20) / 95) ** 2) * 30 - 30
    mediastinum += 3 * canvas.bumps(2, whole.box)
    above = diaphragm_mm(whole) + 3 - whole.z
    lung = np.maximum(np.maximum(chest, above), -np.minimum(heart - 2, mediastinum))
    vessels = np.clip(canvas.bumps(0, whole.box) * canvas.bumps(1, whole.box) - 1.2, 0, 2)
    canvas.paint(whole, np.maximum(chest + 1, above), 45.0)  # what is no lung above the diaphragm: mediastinum
    canvas.paint(whole, lung, _LUNG_HU + 170 * vessels)
    canvas.paint(whole, np.maximum(heart, above), patient.hu("cava") * 0.7 + 20)
    _paint_ribs(canvas, whole, patient, float(rng.uniform(0, _RIB_SPACING_MM)))


def _paint_ribs(canvas: Canvas, whole: Region, patient: Patient, phase_mm: float) -> None:
    inset = patient.fat_mm + 7
    wall = _oval(whole, patient.half_width_mm - inset, patient.half_depth_mm - inset)
    angle = np.abs(np.arctan2(whole.x, whole.y))  # 0 at the spine, pi at the front
    height = whole.z + 42 * angle + phase_mm
    from_rib = np.abs(height % _RIB_SPACING_MM - _RIB_SPACING_MM / 2)
    rib = np.sqrt((wall / 4.0) ** 2 + (from_rib / 6.0) ** 2) * 4.5 - 4.5
    rib = np.maximum(rib, np.maximum(18 * angle - 47, 3 - 12 * angle))  # from beside the spine to the flanks
    rib = np.maximum(rib, -45 - whole.z + 25 * angle)
    canvas.paint(whole, rib, 520.0)
    canvas.paint(whole, rib + 1.8, 210.0)


def _paint_spine(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    back = patient.half_depth_mm - patient.fat_mm
    for side in (-1, 1):
        erector = Tube(((36.0 * side, back - 26, -240), (36.0 * side, back - 26, 240)), (27, 27), flat=0.72)
        psoas = Tube(
            ((26.0 * side, 50, 40), (36.0 * side, 48, -30), (46.0 * side, 42, -110), (56.0 * side, 30, -200)),
            (5, 14, 23, 24),
        )
        for muscle in (erector, psoas):
            _fill(canvas, muscle, patient.hu("muscle") + 4)
    column = Tube(((0.0, 54, -240), (0.0, 54, 240)), (20, 20), flat=0.86)
    region = canvas.around(column)
    if region is None:
        return
    body = column.distance(region.x, region.y, region.z)
    along = (region.z + float(rng.uniform(0, _VERTEBRA_MM))) % _VERTEBRA_MM
    disc = along < _DISC_MM
    waist = 2.0 * np.sin(np.pi * np.clip((along - _DISC_MM) / (_VERTEBRA_MM - _DISC_MM), 0, 1))
    bone = np.asarray(body + waist, np.float32)
    canvas.paint(region, bone, np.where(disc, np.float32(85), np.float32(560)))
    spongy = bone + np.float32(1.6)
    spongy[disc] = 5
    canvas.paint(region, spongy, 195 + 35 * canvas.bumps(0, region.box))
    for shape, hu in _arch(float(rng.uniform(-1, 1))):
        _fill(canvas, shape, hu)


def _arch(tilt: float) -> list[tuple[Tube, float]]:
    """The bone behind the vertebral bodies, and the canal in it."""
    ring = Tube(((0.0, 84, -240), (tilt, 84, 240)), (16, 16))
    spinous = Tube(((0.0, 106, -240), (0.0, 106, 240)), (5, 5), flat=2.2)
    canal = Tube(((0.0, 83, -240), (tilt, 83, 240)), (10, 10), flat=0.85)
    cord = Tube(((0.0, 83, -240), (tilt, 83, 240)), (5, 5))
    return [(ring, 330.0), (spinous, 380.0), (canal, 15.0), (cord, 38.0)]


def _paint_bowel(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """A colon around the rim and loops of small bowel in front, some with gas on top of fluid."""
    rim = patient.half_width_mm - patient.fat_mm - 42
    ascending = [(-rim, 8, -220), (-rim, 2, -130), (-rim + 4, -6, -78), (-rim + 18, -22, -48)]
    transverse = [(-40, -56, -70), (0, -62, -84), (40, -58, -62), (rim - 22, -24, 0)]
    descending = [(rim - 4, 30, -20), (rim - 2, 38, -90), (rim - 6, 30, -220)]
    colon = [
        (x + rng.normal(0, 4), y + rng.normal(0, 4), z + rng.normal(0, 5))
        for x, y, z in ascending + transverse + descending
    ]
    _paint_loop(canvas, patient, Tube(tuple(colon), tuple(rng.uniform(13, 20, len(colon)))), gas=0.5)
    for _ in range(int(rng.integers(7, 11))):
        start = np.array([rng.uniform(-55, 60), rng.uniform(-45, 12), rng.uniform(-190, -70)])
        path = start + np.cumsum(rng.normal(0, (17, 9, 15), (5, 3)), axis=0)
        path = np.clip(path, (-70, -58, -220), (75, 18, -66))
        points = tuple((float(x), float(y), float(z)) for x, y, z in path)
        _paint_loop(canvas, patient, Tube(points, tuple(rng.uniform(8.5, 12.5, 5))), gas=0.3)


def _paint_loop(canvas: Canvas, patient: Patient, loop: Tube, *, gas: float) -> None:
    region = canvas.around(loop)
    if region is None:
        return
    bumpy = loop.distance(region.x, region.y, region.z) + np.float32(1.2) * canvas.bumps(0, region.box)
    distance: Field = np.maximum(bumpy, cavity_distance(region, patient) + 2)
    canvas.paint(region, distance, patient.hu("gut_wall"))
    canvas.paint(region, distance + 2.4, 32 + 12 * canvas.bumps(2, region.box))
    empty = (np.float32(gas) - canvas.bumps(1, region.box)) * np.float32(5)
    canvas.paint(region, np.maximum(distance + np.float32(3.2), empty), _GAS_HU)


def _paint_vessels(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Splenic and portal vein, superior mesenteric vessels, renal arteries and veins."""
    portal, aorta, cava = patient.hu("portal"), patient.hu("aorta"), patient.hu("cava")
    confluence = (-4.0, -4.0, 2.0)
    wobble = float(rng.normal(0, 2))
    vessels = [
        (Tube((confluence, (30, 2 + wobble, 12), (62, 14, 24), (86, 30, 34)), (5.5, 5, 4.5, 4)), portal),
        (Tube((confluence, (-22, -8, 18), (-40, -8, 34)), (7, 7, 6.5)), portal),
        (Tube((confluence, (-2, -16, -40), (4, -22, -120)), (6, 5.5, 4)), portal),
        (Tube(((8, 24, 8), (9, 2, -10), (10, -14, -60), (10, -18, -120)), (4, 4, 3.6, 3)), aorta),
        (Tube(((14, 34, -22), (34, 44, -22), (48, 46, -20)), (3.2, 3, 2.8)), aorta),
        (Tube(((0, 34, -26), (-26, 46, -30), (-46, 50, -34)), (3.2, 3, 2.8)), aorta),
        (Tube(((-18, 26, -20), (14, 14, -18), (46, 40, -20)), (4.5, 4, 4.5)), cava),
        (Tube(((-26, 30, -28), (-40, 40, -32), (-48, 44, -34)), (4.5, 4.5, 4.5)), cava),
    ]
    for vessel, hu in vessels:
        _fill(canvas, vessel, hu)


def _fill(canvas: Canvas, shape: Tube, hu: float) -> None:
    region = canvas.around(shape)
    if region is not None:
        canvas.paint(region, shape.distance(region.x, region.y, region.z), hu)
