"""A robot that annotates: what a scan is worth after each of at most eight rounds of correction, and after how long.

python -m benchmarks.robot [--phantoms 4 | --scan SCAN --labels LABELS] [--rounds 8]

In the manner of the DAVIS interactive track. A round is: a slice, scribbles on it, propagation. The robot knows the
truth. In the first round it takes the slice that shows most structures, later the one on which most is wrong. It goes
through the structures there three times, and scribbles in those that are not right to DSC 0.9: along the middle of what
is missing, and of what is too much. Structures that no scribbled slice has shown count with DSC 0. What is compared is
how a correction is carried:

    anew        passes from all drawn slices, between those on either side of the corrected one
    replace     from the corrected slice up to the next drawn ones, in place of what was there
    distance    likewise, weighed with what was there by distance and confidence
    difference  likewise, fused with it by the difference-aware network
    suggest     as the first, on the slice that the session suggests instead of the worst one

Time is what the computer takes. `area` is the mean DSC over rounds, and over time up to what the slowest way took.

References:
    Caelles et al.: The 2018 DAVIS Challenge on Video Object Segmentation, 2018.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

import cv2
import numpy as np
import typer

from benchmarks.cases import Case, cases_of, measurable
from benchmarks.compare import Labels, Phantoms, Scan  # noqa: TC001 - Typer reads them
from benchmarks.measure import markdown
from ivos.device import pick_device
from ivos.interactive.session import InteractiveSession
from ivos.metrics.overlap import dsc
from ivos.nets.checkpoints import load_strokes
from ivos.prompts.segmenters import SmallStrokeSegmenter
from ivos.propagation.corrections.correct import by_distance, new_replaces_old
from ivos.propagation.corrections.difference_aware import difference_aware
from ivos.propagation.engines.registry import create_engine

if TYPE_CHECKING:
    from ivos.propagation.corrections.correct import Merge
    from ivos.types import Array, BoolArray
    from ivos.volume.volume import Volume

_WAYS = ("repropagate", "replace", "distance", "difference", "suggest")
_GOOD, _TRIES = 0.9, 3
_LEAST_WRONG = 4  # pixels: nobody scribbles on less
_SCRIBBLE_WIDTH = 3  # pixels


@dataclass
class _Course:
    """How a scan went: DSC after each round, and the seconds that it had taken by then."""

    dscs: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def main(
    phantoms: Phantoms = 4,
    scan: Scan = None,
    labels: Labels = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of correction.")] = 8,
    way: Annotated[list[str] | None, typer.Option(help="One of the ways; repeat for several.")] = None,
) -> None:
    """Let the robot work by every way on every scan."""
    chosen = way or list(_WAYS)
    courses: dict[str, list[_Course]] = {name: [] for name in chosen}
    for case in cases_of(scan, labels, phantoms):
        for name in chosen:
            courses[name].append(_annotate(case, name, rounds))
            scores = " ".join(f"{value:.3f}" for value in courses[name][-1].dscs)
            print(f"{case.name}, {name}: {scores} in {courses[name][-1].seconds[-1]:.0f} s", flush=True)
    longest = [max(courses[name][n].seconds[-1] for name in chosen) for n in range(len(courses[chosen[0]]))]
    rows = []
    for name in chosen:
        curve = [float(np.mean(values)) for values in zip(*(c.dscs for c in courses[name]), strict=True)]
        over_time = np.mean([_area(c, end) for c, end in zip(courses[name], longest, strict=True)])
        seconds = np.mean([c.seconds[-1] for c in courses[name]])
        after = [f"{curve[n]:.3f}" for n in sorted({0, 1, rounds // 2 - 1, rounds - 1} - {-1})]
        rows.append([name, *after, f"{np.mean(curve):.3f}", f"{over_time:.3f}", f"{seconds:.0f}"])
    titles = [f"round {n + 1}" for n in sorted({0, 1, rounds // 2 - 1, rounds - 1} - {-1})]
    print(markdown(["way", *titles, "area, rounds", "area, time", "seconds"], rows))


def _annotate(case: Case, way: str, rounds: int) -> _Course:
    """One scan from nothing by one way."""
    scan, truth = case.load()
    structures = measurable(truth)
    session = _session(scan, way)
    for structure in structures:
        session.add(structure, truth.names.get(structure, f"label {structure}"))
    course, spent, done = _Course(), 0.0, set[int]()
    for number in range(rounds):
        index = _slice_for(session, truth.array, structures, done, way) if number else _fullest(truth.array, structures)
        done.add(index)
        started = time.perf_counter()
        touched = _scribble(session, index, truth.array[index], structures)
        if touched and number:
            for _ in session.correct(index, touched):
                pass
        elif touched:
            for _ in session.propagate():
                pass
        spent += time.perf_counter() - started
        found = session.labels.array
        course.dscs.append(float(np.mean([dsc(found == k, truth.array == k) for k in structures])))
        course.seconds.append(spent)
    return course


def _session(scan: Volume, way: str) -> InteractiveSession:
    merges: dict[str, Merge | Literal["repropagate"]] = {
        "replace": new_replaces_old,
        "distance": by_distance,
        "difference": difference_aware(),
    }
    merge = merges.get(way, "repropagate")
    strokes = SmallStrokeSegmenter(load_strokes(), pick_device("auto"))
    return InteractiveSession(scan, engine=create_engine("fast"), strokes=strokes, merge=merge)


def _fullest(truth: Array, structures: list[int]) -> int:
    """The slice that shows most structures, of equals the one with most of them."""
    shown = [(sum(bool((plane == k).any()) for k in structures), np.isin(plane, structures).sum()) for plane in truth]
    return max(range(len(shown)), key=lambda n: shown[n])


def _slice_for(session: InteractiveSession, truth: Array, structures: list[int], done: set[int], way: str) -> int:
    """The worst slice by the truth, or the one that is suggested; none twice."""
    if way == "suggest":
        suggested = [s.index for s in session.suggest(count=len(done) + 1).slices if s.index not in done]
        if suggested:
            return suggested[0]
    found, lost = session.labels.array, np.zeros(len(truth))
    for k in structures:  # a voxel of a small structure counts more, as it does in the mean DSC
        lost += ((found == k) != (truth == k)).sum(axis=(1, 2)) / np.count_nonzero(truth == k)
    lost[sorted(done)] = -1
    return int(lost.argmax())


def _scribble(session: InteractiveSession, index: int, truth: Array, structures: list[int]) -> list[int]:
    """Scribble on a slice where it is wrong, structure by structure, and again; the structures that were."""
    touched = set()
    for _ in range(_TRIES):
        for k in structures:
            true, found = truth == k, session.labels.array[index] == k
            overlap = dsc(found, true)
            if np.isnan(overlap) or overlap >= _GOOD:
                continue
            positive, negative = _middle(true & ~found), _middle(found & ~true)
            if not true.any():
                session.draw(index, k, true)  # a person says that it is not there
            elif positive.any() or negative.any():
                session.scribble(index, k, positive=positive, negative=negative)
            else:
                continue
            touched.add(k)
    return sorted(touched)


def _middle(wrong: BoolArray) -> BoolArray:
    """A scribble along the middle of the largest part of what is wrong; nothing for next to nothing."""
    count, parts, figures, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(wrong)
    largest = 1 + int(figures[1:, cv2.CC_STAT_AREA].argmax())
    if figures[largest, cv2.CC_STAT_AREA] < _LEAST_WRONG:
        return np.zeros_like(wrong)
    part = parts == largest
    depth = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    ridge = (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)) - 0.01) & (depth > 0.5 * depth.max())
    thick = cv2.dilate(ridge.astype(np.uint8), np.ones((_SCRIBBLE_WIDTH, _SCRIBBLE_WIDTH), np.uint8)) > 0
    return np.asarray(thick & part)


def _area(course: _Course, end: float) -> float:
    """Mean DSC over time, from nothing at 0 s; what was reached stays until the end."""
    times = [0.0, *course.seconds, max(end, course.seconds[-1])]
    values = [0.0, *course.dscs]
    steps = zip(values, pairwise(times), strict=True)
    return float(sum(value * (after - before) for value, (before, after) in steps) / times[-1])


if __name__ == "__main__":
    typer.run(main)
