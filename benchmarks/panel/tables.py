"""The panel's figures as tables: by cohort, by distance, by structure."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from benchmarks.measure import markdown
from benchmarks.panel.prompts import SHOWN_CLICKS, WANTED_DSC, PromptCaseScore, PromptScore
from benchmarks.panel.protocol import DISTANCES, CaseScore, StructureScore
from benchmarks.panel.reliability import pooled
from benchmarks.scores import mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Key = tuple[str, str, str]
"""Cohort, protocol, and engine or what made masks of prompts."""
S = TypeVar("S", StructureScore, PromptScore)
_FIGURES = ("dsc", "fp", "fn", "beyond")
_ALL = "all cohorts"


def mean_over_scans(scans: Sequence[tuple[S, ...]], figure: Callable[[S], float]) -> float:
    """A figure's mean over the structures of each scan, then over scans."""
    return mean(mean(figure(score) for score in structures) for structures in scans)


def summary(cases: Sequence[CaseScore]) -> dict[str, float]:
    """DSC, false and missed voxels and those beyond the ends as shares of the true ones, seconds a scan.

    And the expected calibration error of all scans' voxels together, within regions of interest and of those of them
    that were given to a structure, and how much too high the probabilities of the latter are.
    """
    scans, reliability = [case.structures for case in cases], pooled(case.reliability for case in cases)
    of_structures = pooled(case.of_structures for case in cases)
    return {
        "dsc": mean_over_scans(scans, lambda s: s.counts.dsc),
        "fp": mean_over_scans(scans, lambda s: s.counts.false / max(s.counts.truth, 1)),
        "fn": mean_over_scans(scans, lambda s: s.counts.missed / max(s.counts.truth, 1)),
        "beyond": mean_over_scans(scans, lambda s: s.beyond / max(s.counts.truth, 1)),
        "scans": len(cases),
        "structures": sum(len(structures) for structures in scans),
        "seconds": mean(case.seconds for case in cases),
        "calibration_error": reliability.expected_error,
        "calibration_error_of_structures": of_structures.expected_error,
        "overconfidence": of_structures.overconfidence,
    }


def prompt_summary(cases: Sequence[PromptCaseScore]) -> dict[str, float]:
    """DSC after clicks, a scribble and a box; clicks to a DSC of 0.9 where it is reached, and the share where it is."""
    scans = [case.structures for case in cases]
    return {
        **{f"clicks_{n}": mean_over_scans(scans, partial(_after, n)) for n in SHOWN_CLICKS},
        "scribble": mean_over_scans(scans, lambda s: s.scribble),
        "box": mean_over_scans(scans, lambda s: s.box),
        "clicks_needed": mean_over_scans(scans, lambda s: s.clicks_needed),
        "reach": mean_over_scans(scans, lambda s: float(s.clicks_needed == s.clicks_needed)),
        "scans": len(cases),
        "structures": sum(len(structures) for structures in scans),
        "milliseconds": mean_over_scans(scans, lambda s: s.milliseconds),
    }


def summary_of(scores: Sequence[CaseScore | PromptCaseScore]) -> dict[str, float]:
    """The one of the two above that is of their kind."""
    prompts = [score for score in scores if isinstance(score, PromptCaseScore)]
    return prompt_summary(prompts) if prompts else summary([s for s in scores if isinstance(s, CaseScore)])


def _after(clicks: int, score: PromptScore) -> float:
    return score.after(clicks)


def cohort_table(found: Mapping[Key, list[CaseScore]]) -> str:
    """A row for every cohort, protocol and engine, and their means over cohorts."""
    rows = []
    for key, figures in _with_all({key: summary(cases) for key, cases in found.items()}):
        shares = [
            _number(figures[name]) for name in (*_FIGURES, "calibration_error", "calibration_error_of_structures")
        ]
        counts = [f"{figures['scans']:.0f} / {figures['structures']:.0f}", f"{figures['seconds']:.1f}"]
        rows.append([*key, *shares, *counts])
    columns = ["cohort", "annotated", "engine", "DSC", "FP", "FN", "beyond ends", "ECE", "of structures"]
    return markdown([*columns, "scans / structures", "seconds a scan"], rows)


def prompt_table(found: Mapping[Key, list[PromptCaseScore]]) -> str:
    """A row for every cohort and what made the masks, and their means over cohorts."""
    rows = []
    for (cohort, _, by), figures in _with_all({key: prompt_summary(cases) for key, cases in found.items()}):
        shares = [_number(figures[name]) for name in (*(f"clicks_{n}" for n in SHOWN_CLICKS), "scribble", "box")]
        needed = [_number(figures["clicks_needed"], 1), f"{figures['reach']:.2f}"]
        counts = [f"{figures['scans']:.0f} / {figures['structures']:.0f}", f"{figures['milliseconds']:.0f}"]
        rows.append([cohort, by, *shares, *needed, *counts])
    columns = ["cohort", "by", *[f"{n} click{'s' * (n > 1)}" for n in SHOWN_CLICKS], "scribble", "box"]
    columns += [f"clicks to {WANTED_DSC}", "reach it", "scans / structures", "ms an answer"]
    return markdown(columns, rows)


def _with_all(figures: Mapping[Key, dict[str, float]]) -> list[tuple[Key, dict[str, float]]]:
    """With a row for all cohorts, each counting once, for every protocol and engine that has several."""
    together: dict[tuple[str, str], list[dict[str, float]]] = {}
    for (_, protocol, engine), values in figures.items():
        together.setdefault((protocol, engine), []).append(values)
    rows = list(figures.items())
    for (protocol, engine), parts in together.items():
        if len(parts) > 1:
            means = {name: mean(part[name] for part in parts) for name in parts[0]}
            counts = {name: sum(part[name] for part in parts) for name in ("scans", "structures")}
            rows.append(((_ALL, protocol, engine), means | counts))
    return rows


def _number(value: float, places: int = 3) -> str:
    return "" if value != value else f"{value:.{places}f}"


def distance_table(found: Mapping[Key, list[CaseScore]]) -> str:
    """DSC by distance from the nearest annotated slice, structures of a scan and then scans averaged."""
    names = [
        f"{low}" if low == high else f"{low} to {high}" if high < 10**6 else f"from {low}" for low, high in DISTANCES
    ]
    rows = []
    for key, cases in found.items():
        scans = [case.structures for case in cases]
        rows.append([*key, *[_number(mean_over_scans(scans, partial(_dsc_at, n))) for n in range(len(DISTANCES))]])
    return markdown(["cohort", "annotated", "engine", *names], rows)


def _dsc_at(distance: int, score: StructureScore) -> float:
    return score.by_distance[distance].dsc


def structure_table(found: Mapping[Key, list[CaseScore]]) -> str:
    """A row for every structure of a cohort, its mean over scans; engines beside each other."""
    return _by_structure(
        {key: [case.structures for case in cases] for key, cases in found.items()}, "DSC (FP, FN)", _dsc_with_errors
    )


def prompt_structure_table(found: Mapping[Key, list[PromptCaseScore]]) -> str:
    """A row for every structure of a cohort, its mean over scans."""
    scans = {key: [case.structures for case in cases] for key, cases in found.items()}
    return _by_structure(scans, "1 click, scribble, box (clicks)", _dsc_of_prompts)


def _by_structure(found: Mapping[Key, list[tuple[S, ...]]], figures: str, cell: Callable[[Sequence[S]], str]) -> str:
    tables = []
    for (cohort, protocol), keys in groupby(found, key=lambda key: key[:2]):
        engines: dict[str, dict[str, list[S]]] = {}
        for key in keys:
            scores = engines.setdefault(key[2], {})
            for score in (score for structures in found[key] for score in structures):
                scores.setdefault(score.name, []).append(score)
        structures = sorted({structure for scores in engines.values() for structure in scores})
        columns = [[cell(scores.get(structure, [])) for structure in structures] for scores in engines.values()]
        rows = [list(row) for row in zip(structures, *columns, strict=True)]
        tables.append(markdown([f"{cohort}, {protocol}", *[f"{engine}: {figures}" for engine in engines]], rows))
    return "\n\n".join(tables)


def _dsc_with_errors(scores: Sequence[StructureScore]) -> str:
    dsc = mean(score.counts.dsc for score in scores)
    false = mean(score.counts.false / max(score.counts.truth, 1) for score in scores)
    missed = mean(score.counts.missed / max(score.counts.truth, 1) for score in scores)
    return f"{dsc:.3f} ({false:.2f}, {missed:.2f})"


def _dsc_of_prompts(scores: Sequence[PromptScore]) -> str:
    means = [mean(values) for values in zip(*((s.after(1), s.scribble, s.box) for s in scores), strict=True)]
    needed = mean(score.clicks_needed for score in scores)
    return ", ".join(f"{value:.3f}" for value in means) + f" ({'-' if needed != needed else f'{needed:.1f}'})"
