"""The panel's figures as tables: by cohort, by distance, by structure."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.measure import markdown
from benchmarks.panel.protocol import DISTANCES, StructureScore
from benchmarks.scores import mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.panel.protocol import CaseScore


def mean_over_scans(cases: Sequence[CaseScore], figure: Callable[[StructureScore], float]) -> float:
    """A figure's mean over the structures of each scan, then over scans."""
    return mean(mean(figure(score) for score in case.structures) for case in cases)


def summary(cases: Sequence[CaseScore]) -> dict[str, float]:
    """DSC, false and missed voxels and those beyond the ends as shares of the true ones, seconds a scan."""
    return {
        "dsc": mean_over_scans(cases, lambda s: s.counts.dsc),
        "fp": mean_over_scans(cases, lambda s: s.counts.false / max(s.counts.truth, 1)),
        "fn": mean_over_scans(cases, lambda s: s.counts.missed / max(s.counts.truth, 1)),
        "beyond": mean_over_scans(cases, lambda s: s.beyond / max(s.counts.truth, 1)),
        "scans": len(cases),
        "structures": sum(len(case.structures) for case in cases),
        "seconds": mean(case.seconds for case in cases),
    }


def cohort_table(found: dict[tuple[str, str, str], list[CaseScore]]) -> str:
    """A row for every cohort, protocol and engine."""
    rows = []
    for (cohort, protocol, engine), cases in found.items():
        figures = summary(cases)
        shares = [f"{figures[name]:.3f}" for name in ("dsc", "fp", "fn", "beyond")]
        counts = [f"{figures['scans']:.0f} / {figures['structures']:.0f}", f"{figures['seconds']:.1f}"]
        rows.append([cohort, protocol, engine, *shares, *counts])
    columns = [
        "cohort",
        "annotated",
        "engine",
        "DSC",
        "FP",
        "FN",
        "beyond ends",
        "scans / structures",
        "seconds a scan",
    ]
    return markdown(columns, rows)


def distance_table(found: dict[tuple[str, str, str], list[CaseScore]]) -> str:
    """DSC by distance from the nearest annotated slice, structures of a scan and then scans averaged."""
    names = [
        f"{low}" if low == high else f"{low} to {high}" if high < 10**6 else f"from {low}" for low, high in DISTANCES
    ]
    rows = []
    for key, cases in found.items():
        values = [mean_over_scans(cases, partial(_dsc_at, n)) for n in range(len(DISTANCES))]
        rows.append([*key, *["" if value != value else f"{value:.3f}" for value in values]])
    return markdown(["cohort", "annotated", "engine", *names], rows)


def _dsc_at(distance: int, score: StructureScore) -> float:
    return score.by_distance[distance].dsc


def structure_table(found: dict[tuple[str, str, str], list[CaseScore]]) -> str:
    """A row for every structure of a cohort, its mean over scans; engines beside each other."""
    tables = []
    for (cohort, protocol), keys in groupby(found, key=lambda key: key[:2]):
        engines = {key[2]: _by_structure(found[key]) for key in keys}
        names = dict.fromkeys(name for scores in engines.values() for name in scores)
        rows = [
            [name, *[_dsc_with_errors(scores.get(name, [])) for scores in engines.values()]] for name in sorted(names)
        ]
        tables.append(markdown([f"{cohort}, {protocol}", *[f"{name}: DSC (FP, FN)" for name in engines]], rows))
    return "\n\n".join(tables)


def _by_structure(cases: Sequence[CaseScore]) -> dict[str, list[StructureScore]]:
    found: dict[str, list[StructureScore]] = {}
    for case in cases:
        for score in case.structures:
            found.setdefault(score.name, []).append(score)
    return found


def _dsc_with_errors(scores: Sequence[StructureScore]) -> str:
    dsc = mean(score.counts.dsc for score in scores)
    false = mean(score.counts.false / max(score.counts.truth, 1) for score in scores)
    missed = mean(score.counts.missed / max(score.counts.truth, 1) for score in scores)
    return f"{dsc:.3f} ({false:.2f}, {missed:.2f})"
