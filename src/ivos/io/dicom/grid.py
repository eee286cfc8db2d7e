"""The grid on which the slices of a stack lie, and what keeps them from being one: one tolerance for all of ivos.

Headers are rounded: directions to a few decimals, positions to a tenth of a millimetre. What lies within rounding is
the same direction and even spacing, wherever series are read, counted or referred to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.volume.geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ivos.io.dicom.header import SliceHeader
    from ivos.volume.geometry import Triple

    Vectors = npt.NDArray[np.float64]

ANGLE_TOLERANCE_DEGREES = 0.2
STEP_TOLERANCE = 0.05  # as a share of the slice spacing
PIXEL_SPACING_TOLERANCE = 1e-3  # as a share of the pixel spacing
ROUNDING_LIMIT_MM = 0.1  # coarser digits than these are not taken for rounding
SAME_PLACE_MM = 1e-3

_UNIT_TOLERANCE = 0.01  # of a direction's length, and of the cosine between two that are to be at right angles
_CHORD = 2 * np.sin(np.radians(ANGLE_TOLERANCE_DEGREES) / 2)


def same_plane(one: SliceHeader, other: SliceHeader) -> bool:
    """Whether two slices have the same pixels in the same directions, within rounding."""
    return (
        one.size == other.size
        and all(
            abs(a - b) <= PIXEL_SPACING_TOLERANCE * b
            for a, b in zip(one.pixel_spacing_mm, other.pixel_spacing_mm, strict=True)
        )
        and same_direction(one.row, other.row)
        and same_direction(one.column, other.column)
    )


def same_direction(one: npt.ArrayLike, other: npt.ArrayLike) -> bool:
    """Whether two unit vectors are one direction, within rounding."""
    return bool(np.linalg.norm(np.subtract(one, other)) <= _CHORD)


def directions(slices: Sequence[SliceHeader]) -> tuple[Triple, Triple, Triple]:
    """The unit vectors across slices, down rows and along columns that slices of one plane have in common."""
    row = np.median([s.row for s in slices], axis=0)
    column = np.median([s.column for s in slices], axis=0)
    normal = _unit(np.cross(row, column))
    row = _unit(row)
    axes = [(float(v[0]), float(v[1]), float(v[2])) for v in (normal, np.cross(normal, row), row)]
    return axes[0], axes[1], axes[2]


def _unit(vector: Vectors) -> Vectors:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


def in_order(slices: Sequence[SliceHeader]) -> list[SliceHeader]:
    """Slices of one plane, ascending along their normal."""
    normal = np.asarray(directions(slices)[0])
    return sorted(slices, key=lambda s: (float(s.position_mm @ normal), s.number or 0, str(s.path)))


def grid_of(slices: Sequence[SliceHeader]) -> Geometry:
    """The grid of slices in order in which :func:`fault_of` finds no fault."""
    axes = directions(slices)
    down, across = np.median([s.pixel_spacing_mm for s in slices], axis=0)
    positions, normal = np.array([s.position_mm for s in slices]), np.asarray(axes[0])
    along = (positions - positions[0]) @ normal
    start, spacing = 0.0, float(along[-1]) / max(len(slices) - 1, 1)
    order = np.arange(len(slices))
    if np.abs(along - spacing * order).max() > SAME_PLACE_MM:  # rounded: what all of them say is closer to the truth
        spacing, start = (float(v) for v in np.polyfit(order, along, 1))
    x, y, z = (float(v) for v in positions[0] + start * normal)
    return Geometry((len(slices), *slices[0].size), (spacing, float(down), float(across)), (x, y, z), axes)


def fault_of(slices: Sequence[SliceHeader]) -> str | None:
    """Why slices of one plane, in order, are no volume; None if they are one."""
    first = slices[0]
    if len(slices) < 2:
        return "two-dimensional: the series has one slice; ivos needs a volume of several slices"
    if min(first.pixel_spacing_mm) <= 0 or not _upright(first):
        return f"{first.path.name}: impossible pixel spacing or orientation in its header"
    positions = np.array([s.position_mm for s in slices])
    axes = np.asarray(directions(slices))
    units = np.minimum(np.min([s.rounding_mm for s in slices], axis=0), ROUNDING_LIMIT_MM)
    along = positions @ axes[0]
    return _shifted(positions, along, axes[0], float(np.linalg.norm(units))) or _uneven(
        along, float(np.abs(axes[0]) @ units)
    )


def _upright(header: SliceHeader) -> bool:
    lengths = [float(np.linalg.norm(v)) for v in (header.row, header.column)]
    return bool(np.allclose(lengths, 1, atol=_UNIT_TOLERANCE) and abs(header.row @ header.column) <= _UNIT_TOLERANCE)


def _shifted(positions: Vectors, along: Vectors, normal: Vectors, rounding_mm: float) -> str | None:
    """Whether slices lie beside each other rather than upon each other."""
    offsets = np.linalg.norm(positions - positions[0] - np.outer(along - along[0], normal), axis=1)
    length, end = float(along[-1] - along[0]), float(offsets[-1])
    allowed_mm = length * np.tan(np.radians(ANGLE_TOLERANCE_DEGREES)) + rounding_mm
    if length <= 0 or offsets.max() <= allowed_mm:
        return None
    if end > allowed_mm and np.allclose(offsets, np.linspace(0, end, len(offsets)), atol=0.05 * end + rounding_mm):
        angle = float(np.degrees(np.arctan2(end, length)))
        return f"gantry tilt of {angle:.1f} degrees: slices are not stacked upright; resample the series first"
    return f"slices are shifted against each other within their planes, by up to {offsets.max():.3g} mm"


def _uneven(along: Vectors, rounding_mm: float) -> str | None:
    steps = np.diff(along)
    usual = float(np.median(steps))
    if usual <= SAME_PLACE_MM or float(steps.min()) <= SAME_PLACE_MM:
        doubled = int((steps <= SAME_PLACE_MM).sum())
        return (
            f"{doubled} slice{'s lie' if doubled > 1 else ' lies'} where another one lies: several time points or "
            "copies in one series; give one of them"
        )
    off = np.abs(steps - usual) > STEP_TOLERANCE * usual
    if not off.any() or _even_but_rounded(along, rounding_mm):
        return None
    where = int(np.argmax(off))
    return (
        f"slices are {usual:.3g} mm apart, but {steps[where]:.3g} mm after slice {where + 1} of {len(along)}: slices "
        "are missing or unevenly spaced"
    )


def _even_but_rounded(along: Vectors, rounding_mm: float) -> bool:
    """Whether positions may be evenly spaced ones, each of which is off by half a unit of its last digit at most.

    For any two of them their distance bounds the spacing from both sides. Two runs of L slices with one missing between
    them come nearest to an even stack at 1 + 1/L of their spacing, within (L - 1) / 2L of it. So a missing slice always
    contradicts even spacing as long as the unit is less than (L - 1) / 2(L + 1) of that: a sixth of it for 3 or 4
    slices, nearly half of it for many.
    """
    slack = rounding_mm * (1 + 1e-6) + 1e-9
    one, other = np.triu_indices(len(along), 1)
    apart, steps = along[other] - along[one], other - one
    least, largest = float(((apart - slack) / steps).max()), float(((apart + slack) / steps).min())
    run = (len(along) + 1) // 2
    return least <= largest and slack < largest * (run - 1) / (2 * (run + 1))
