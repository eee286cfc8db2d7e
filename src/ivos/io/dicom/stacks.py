"""The stacks of DICOM series: slices that lie upon each other in one orientation, and what tells stacks apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ivos.io.dicom.grid import ANGLE_TOLERANCE_DEGREES, STEP_TOLERANCE, directions, fault_of, in_order, same_plane
from ivos.io.dicom.header import TELLS_APART
from ivos.types import Axis
from ivos.volume.geometry import CANONICAL_AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ivos.io.dicom.header import SliceHeader

LISTED = 6
_SAME_OFFSET_MM = 1.0  # within a plane, of the slices of one stack
_RUN = 3  # evenly spaced slices between two gaps that are a stack, not images of one place


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices of one series, size, pixel spacing and orientation.

    Attributes:
        slices: in order along their normal.
        apart: what they alone have, where that tells them from others of the same orientation.
    """

    slices: tuple[SliceHeader, ...]
    apart: str = ""

    @cached_property
    def fault(self) -> str | None:
        """Why it is no volume; None if it is one."""
        return fault_of(self.slices)

    @cached_property
    def orientation(self) -> str:
        """``axial``, ``coronal``, ``sagittal``; with the angle, where it is oblique."""
        cosines = np.abs(np.asarray(CANONICAL_AXES) @ np.asarray(directions(self.slices)[0]))
        axis = Axis(int(cosines.argmax()))
        angle = float(np.degrees(np.arccos(min(float(cosines[axis]), 1.0))))
        return axis.plane + ("" if angle <= ANGLE_TOLERANCE_DEGREES else f", oblique by {angle:.0f} degrees")

    @cached_property
    def spacing_mm(self) -> float | None:
        """How far its slices usually are apart; None for a single slice."""
        if len(self.slices) < 2:
            return None
        normal = np.asarray(directions(self.slices)[0])
        return float(np.median(np.diff([s.position_mm @ normal for s in self.slices])))

    def describe(self) -> str:
        """For a list: ``axial, 16 slices, 3 mm apart``."""
        count = len(self.slices)
        spacing = "" if self.spacing_mm is None else f", {self.spacing_mm:.3g} mm apart"
        more = f", {self.apart}" if self.apart else ""
        return f"{self.orientation}, {count} slice{'s' * (count != 1)}{spacing}{more}"


@dataclass(frozen=True, eq=False)
class Series:
    """A series with its slices in groups of one orientation each.

    Attributes:
        uid: SeriesInstanceUID.
        description: SeriesDescription.
        groups: slices of one size, pixel spacing and orientation; each is one stack, or several that lie together.
    """

    uid: str
    description: str
    groups: tuple[Stack, ...]

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """All stacks, numbered from 1 by the order in which their images are numbered."""
        found = [part for group in self.groups for part in _parts(group)]
        return tuple(sorted(found, key=lambda s: (min(_number(h) for h in s.slices), s.apart, _first_path(s))))

    @property
    def longest(self) -> Stack:
        """The group of most slices."""
        return max(self.groups, key=lambda group: len(group.slices))

    def listed(self) -> str:
        """Its stacks with their numbers, for a message."""
        return shortened([f"{number} ({stack.describe()})" for number, stack in enumerate(self.stacks, start=1)])

    def describe(self) -> str:
        """For a list of series, with how many slices its longest group has."""
        count = len(self.longest.slices)
        return f"...{self.uid[-12:]} '{self.description}' ({count} slice{'s' * (count != 1)})"


def without_copies(headers: Iterable[SliceHeader]) -> tuple[list[SliceHeader], dict[Path, list[Path]]]:
    """Slices without those whose series, SOPInstanceUID and position another one has, and by slice its copies."""
    kept: dict[object, SliceHeader] = {}
    copies: dict[Path, list[Path]] = {}
    for header in headers:
        key = (header.series, header.instance, *header.position_mm) if header.instance else header.path
        first = kept.setdefault(key, header)
        if first is not header:
            copies.setdefault(first.path, []).append(header.path)
    return list(kept.values()), copies


def series_of(headers: Iterable[SliceHeader]) -> list[Series]:
    """Slices by series and orientation; those of most slices come first."""
    groups: dict[str, list[list[SliceHeader]]] = defaultdict(list)
    for header in headers:
        alike = next((group for group in groups[header.series] if same_plane(group[0], header)), None)
        if alike is None:
            groups[header.series].append([header])
        else:
            alike.append(header)
    found = [
        Series(uid, parts[0][0].description, tuple(Stack(tuple(in_order(part))) for part in parts))
        for uid, parts in groups.items()
    ]
    return sorted(found, key=lambda series: len(series.longest.slices), reverse=True)


def shortened(parts: Sequence[str]) -> str:
    """A list as words, no longer than a message may be."""
    return ", ".join(parts[:LISTED]) + (f" and {len(parts) - LISTED} more" if len(parts) > LISTED else "")


def _parts(group: Stack) -> list[Stack]:
    """The stacks that slices of one orientation are, if they are not one."""
    if group.fault is None or len(group.slices) < 2:
        return [group]
    for parts in _partings(group):
        if len(parts) > 1 and all(part.fault is None for part in parts):
            return parts
    runs = _runs(group)
    return runs if len(runs) > 1 and any(run.fault is None for run in runs) else [group]


def _partings(group: Stack) -> Iterator[list[Stack]]:
    """Ways to part slices: by what their headers say, by place within the plane, by gaps, by the images' numbers."""
    for keyword in TELLS_APART:
        values = [header.apart.get(keyword) for header in group.slices]
        if None not in values:
            yield _by(group, [f"{keyword} {value}" for value in values])
    yield _by(group, _offsets(group))
    runs = _runs(group)
    if min(len(run.slices) for run in runs) >= _RUN:
        yield runs
    ranks = _ranks(group)
    if ranks:
        yield _by(group, ranks)


def _by(group: Stack, names: Sequence[str]) -> list[Stack]:
    parts: dict[str, list[SliceHeader]] = defaultdict(list)
    for header, name in zip(group.slices, names, strict=True):
        parts[name].append(header)
    return [Stack(tuple(slices), name) for name, slices in parts.items()]


def _offsets(group: Stack) -> list[str]:
    """Where each slice lies within the plane, as a name that slices of one place share."""
    _, down, across = np.asarray(directions(group.slices))
    places: list[np.ndarray] = []
    names = []
    for header in group.slices:
        place = np.array([header.position_mm @ across, header.position_mm @ down])
        near = next((p for p in places if np.linalg.norm(p - place) <= _SAME_OFFSET_MM), None)
        if near is None:
            near = place
            places.append(place)
        names.append(f"at {near[0]:.0f}, {near[1]:.0f} mm in the plane")
    return names


def _ranks(group: Stack) -> list[str]:
    """Of slices that lie where others do: which one of its place each is, in the order of the images' numbers."""
    if any(header.number is None for header in group.slices):
        return []
    normal = np.asarray(directions(group.slices)[0])
    along = np.array([header.position_mm @ normal for header in group.slices])
    steps = np.diff(along)
    places = np.concatenate([[0], np.cumsum(steps > STEP_TOLERANCE * float(steps.max()))])
    names = [""] * len(along)
    for place in np.unique(places):
        here = sorted(np.flatnonzero(places == place), key=lambda k: group.slices[k].number or 0)
        for rank, k in enumerate(here, start=1):
            names[k] = f"image {rank} of {len(here)} at each place"
    return names


def _runs(group: Stack) -> list[Stack]:
    """Slices parted where they are farther from each other than usually, or shifted within the plane."""
    steps = np.diff([header.position_mm for header in group.slices], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    jumps = np.flatnonzero(lengths > 1.5 * float(np.median(lengths)))
    edges = [0, *(int(j) + 1 for j in jumps), len(group.slices)]
    return [Stack(group.slices[start:end]) for start, end in pairwise(edges)]


def _number(header: SliceHeader) -> int:
    return 1 << 62 if header.number is None else header.number


def _first_path(stack: Stack) -> str:
    return min(str(header.path) for header in stack.slices)
