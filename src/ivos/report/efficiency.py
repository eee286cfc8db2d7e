"""What programs or cases cost, as tables and curves."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ivos.files import replacing
from ivos.report.lineplot import ticks
from ivos.report.scan import template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from ivos.metrics.efficiency import Efficiency, Sample

    _Line = list[tuple[float, float]]

COLUMNS = ("seconds", "peak_ram_mb", "cpu_seconds", "cpu_percent_s", "peak_gpu_mb", "gpu_mb_s")
"""The figures of :class:`ivos.metrics.efficiency.Efficiency`, in the table's order."""

_SAMPLE_COLUMNS = ("seconds", "ram_mb", "cpu_percent", "gpu_mb")
_LEFT, _WIDTH, _TOP, _HEIGHT, _APART = 80, 600, 40, 130, 60
_POINTS = 400  # of a curve; more are not seen at that width
_NAMED, _NAME = 8, 90  # cases in the legend, and letters of a name there
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#888888")  # told apart by colour-blind readers too


def write_efficiency(folder: Path, measured: Mapping[str, Efficiency]) -> None:
    """Write ``efficiency.csv``, a row per case, ``samples.csv``, a row per sample, and ``efficiency.svg``, the curves.

    Args:
        folder: where they go; made if it is not there.
        measured: what each case, or command, has cost; one at least.

    Raises:
        InputError: the folder cannot be written to.
    """
    _write_csv(folder / "efficiency.csv", COLUMNS, ((case, figures(cost)) for case, cost in measured.items()))
    samples = ((case, _rounded(asdict(sample))) for case, cost in measured.items() for sample in cost.samples)
    _write_csv(folder / "samples.csv", _SAMPLE_COLUMNS, samples)
    with replacing(folder / "efficiency.svg") as path:
        path.write_text(_picture(measured), encoding="utf-8")


def figures(cost: Efficiency) -> dict[str, float | None]:
    """The figures without the curves, to a thousandth; None for GPU memory without a GPU."""
    return _rounded({column: getattr(cost, column) for column in COLUMNS})


def _rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 3) for name, value in values.items()}


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[tuple[str, Mapping[str, float | None]]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["case", *columns])
        writer.writeheader()
        writer.writerows({"case": case, **row} for case, row in rows)


def _picture(measured: Mapping[str, Efficiency]) -> str:
    """Panels of RAM, CPU and, with a GPU, GPU memory, one below the other over the same seconds."""
    curves = {"RAM, MB": _curves(measured, lambda sample: sample.ram_mb, max)}
    curves["CPU, % of all cores"] = _curves(measured, lambda sample: sample.cpu_percent, fmean)
    if any(cost.peak_gpu_mb is not None for cost in measured.values()):
        curves["GPU memory, MB"] = _curves(measured, lambda sample: sample.gpu_mb or 0.0, max)
    x_ticks = ticks(max(cost.seconds for cost in measured.values()))
    colours = [_COLOURS[number % len(_COLOURS)] for number in range(len(measured))]
    named = list(zip(colours, measured, strict=True)) if len(measured) <= _NAMED else []
    panels = [
        {"title": title, **_panel(lines, x_ticks, _TOP + number * (_HEIGHT + _APART))}
        for number, (title, lines) in enumerate(curves.items())
    ]
    bottom = panels[-1]["bottom"] + 50
    return template("efficiency.svg.j2").render(
        panels=panels,
        cases=list(measured),
        colours=colours,
        left=_LEFT,
        right=_LEFT + _WIDTH,
        width=_LEFT + _WIDTH + 30,
        height=bottom + 20 * len(named),
        legend=[(bottom + 20 * row, colour, _short(case)) for row, (colour, case) in enumerate(named)],
    )


def _curves(
    measured: Mapping[str, Efficiency],
    value: Callable[[Sample], float],
    together: Callable[[Iterable[float]], float],
) -> list[_Line]:
    """A line of seconds and values per case; of samples too close to be told apart, what they have together."""
    lines = []
    for cost in measured.values():
        step = math.ceil(len(cost.samples) / _POINTS)
        groups = [cost.samples[start : start + step] for start in range(0, len(cost.samples), step)]
        lines.append([(fmean(s.seconds for s in group), together(value(s) for s in group)) for group in groups])
    return lines


def _panel(lines: Sequence[_Line], x_ticks: Sequence[float], top: int) -> dict[str, Any]:
    """Lines and axes where they stand in the picture."""
    y_ticks = ticks(max(value for line in lines for _, value in line))

    def x(seconds: float) -> float:
        return _LEFT + _WIDTH * seconds / x_ticks[-1]

    def y(value: float) -> float:
        return top + _HEIGHT * (1 - value / y_ticks[-1])

    return {
        "top": top,
        "bottom": top + _HEIGHT,
        "x_ticks": [(x(tick), f"{tick:g}") for tick in x_ticks],
        "y_ticks": [(y(tick), f"{tick:g}") for tick in y_ticks],
        "lines": [[(x(seconds), y(value)) for seconds, value in line] for line in lines],
    }


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 3] + "..."
