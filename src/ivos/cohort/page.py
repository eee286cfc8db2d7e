"""The page of a run over a cohort: what failed and why, what is unlike the others, what it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.files import replacing
from ivos.report.boxplot import Group, box_plot
from ivos.report.scan import template
from ivos.volume.labels import scheme_from_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ivos.cohort.manifest import Row

PAGE = "cohort.html"

_SHOWN = 200  # rows of a table; the manifest has all
_FAR = 3.5  # robust z from which a volume is unlike the others, as its authors propose
_TO_SIGMA = 0.6745  # the median absolute deviation of a normal distribution, in standard deviations
_LEAST_CASES = 5  # from which "the others" mean something
_LOW_DSC = 0.7
_RARE, _NAMED = 0.1, 5  # a structure that so few cases lack is missed in them, and so many of them are named


@dataclass(frozen=True)
class Outlier:
    """A structure of a case that is unlike that of the others.

    Attributes:
        case: the case.
        structure: its name.
        volume_ml: its volume.
        median_ml: that of all cases.
        z: robust z-score of the logarithm of the volume.
    """

    case: str
    structure: str
    volume_ml: float
    median_ml: float
    z: float


def write_cohort_run_page(folder: Path, rows: Sequence[Row], *, job: str, title: str) -> None:
    """Write ``cohort.html``: of a case it shows its name and its figures, of a scan's place nothing.

    Args:
        folder: the cohort's output folder.
        rows: its cases.
        job: the job's name.
        title: the heading.

    Raises:
        InputError: the folder cannot be written to.
    """
    done = [row for row in rows if row.state == "done"]
    failed = sorted((row for row in rows if row.state in ("refused", "lost")), key=lambda row: (row.state, row.name))
    structures = _structures(done)
    found = outliers(structures)
    html = template("cohort_run.html.j2").render(
        title=title,
        job=job,
        cases=len(rows),
        done=len(done),
        failed=failed[:_SHOWN],
        failures=len(failed),
        waiting=len(rows) - len(done) - len(failed),
        outliers=found[:_SHOWN],
        unlike=len(found),
        doubtful=_doubtful(done)[:_SHOWN],
        structures=[_row(name, volumes, done) for name, volumes in structures.items()],
        plots=_plots(structures),
        costs=_costs(done),
        slowest=sorted(done, key=lambda row: -sum(row.seconds.values()))[:10],
        shown=_SHOWN,
    )
    with replacing(folder / PAGE) as path:
        path.write_text(html, encoding="utf-8")


def outliers(volumes_ml: Mapping[str, Mapping[str, float]]) -> list[Outlier]:
    """Cases whose volume of a structure is far from the others', the farthest first.

    Volumes are compared as logarithms: half and double are equally far. Where most cases have the same volume, nothing
    is far.

    Args:
        volumes_ml: volume by case, by structure.

    References:
        Iglewicz and Hoaglin: How to detect and handle outliers, 1993: the modified z-score and its limit of 3.5.
    """
    found = []
    for structure, by_case in volumes_ml.items():
        if len(by_case) < _LEAST_CASES:
            continue
        logs = np.log(np.maximum(list(by_case.values()), 1e-6))
        middle = float(np.median(logs))
        deviation = float(np.median(np.abs(logs - middle)))
        if deviation <= 0:
            continue
        for (case, volume), log in zip(by_case.items(), logs, strict=True):
            z = _TO_SIGMA * (float(log) - middle) / deviation
            if abs(z) > _FAR:
                found.append(Outlier(case, structure, volume, float(np.exp(middle)), z))
    return sorted(found, key=lambda outlier: -abs(outlier.z))


def _structures(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Volumes in mL by case, by structure; structures in the order of their labels."""
    names: dict[int, str] = {}
    volumes: dict[int, dict[str, float]] = {}
    for row in rows:
        for structure in row.figures.get("structures", ()):
            names[structure["label"]] = structure["name"]
            volumes.setdefault(structure["label"], {})[row.name] = structure["volume_ml"]
    return {names[label]: volumes[label] for label in sorted(volumes)}


def _row(name: str, volumes_ml: Mapping[str, float], rows: Sequence[Row]) -> dict[str, Any]:
    """A structure's volumes, and the cases without it where they are the exception."""
    values = np.array(list(volumes_ml.values()))
    low, median, high = np.percentile(values, (5, 50, 95))
    without = [row.name for row in rows if row.name not in volumes_ml]
    told = without if len(without) <= _RARE * len(rows) else []
    named = told[:_NAMED] + ["..."] * (len(told) > _NAMED)
    return {"name": name, "cases": len(values), "low": low, "median": median, "high": high, "without": named}


def _plots(structures: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """How volumes lie about their median, for all structures on one axis: times the median, as powers of two."""
    if not structures:
        return []
    scheme = scheme_from_names(dict(enumerate(structures, start=1)))
    groups, far = [], 1.0
    for number, (name, by_case) in enumerate(structures.items(), start=1):
        median = max(float(np.median(list(by_case.values()))), 1e-6)
        figures = [(case, float(np.log2(max(volume, 1e-6) / median))) for case, volume in by_case.items()]
        figures = [(case, min(max(value, -6.0), 6.0)) for case, value in figures]
        far = max(far, *(abs(value) for _, value in figures))
        groups.append(Group(name, "rgb({}, {}, {})".format(*scheme.colour(number)), figures))
    reach = int(np.ceil(far))
    return [box_plot("Volume: doublings from the median", groups, list(range(-reach, reach + 1)), decimals=0)]


def _doubtful(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Structures with a low estimate of their DSC, the lowest first."""
    found = [
        {"case": row.name, "structure": structure["name"], **structure["estimated_dsc"]}
        for row in rows
        for structure in row.figures.get("structures", ())
        if structure.get("estimated_dsc", {}).get("dsc", 1) < _LOW_DSC
    ]
    return sorted(found, key=lambda entry: float(entry["dsc"]))


def _costs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What the steps took of each case, and the memory."""
    if not rows:
        return []
    steps = {f"{step}, s": [row.seconds.get(step, 0.0) for row in rows] for step in ("read", "work", "write")}
    costs = [_cost(what, values, total=sum(values)) for what, values in steps.items()]
    return [*costs, _cost("memory of the worker, GB", [row.peak_bytes / 1e9 for row in rows], total=None)]


def _cost(what: str, values: Sequence[float], *, total: float | None) -> dict[str, Any]:
    return {"what": what, "median": float(np.median(values)), "most": max(values), "sum": total}
