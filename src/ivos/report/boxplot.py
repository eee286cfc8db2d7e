"""Box plots: how figures of cases are distributed, group by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEFT, _WIDTH, _TOP, _ROW = 230, 610, 34, 28
_SPREAD = 16  # of the dots of a row, so that few lie on each other
_GOLDEN = 0.6180339887  # multiples of it fill a row evenly, however many there are
_ALL_DOTS = 200  # cases; of more, only what lies beyond the whiskers has dots: pages stay small
_NAME = 30  # letters


@dataclass(frozen=True)
class Group:
    """One row of a plot.

    Attributes:
        name: what stands before it.
        colour: of its box, as CSS has it.
        figures: case names and their figures; finite.
    """

    name: str
    colour: str
    figures: Sequence[tuple[str, float]]


def box_plot(title: str, groups: Sequence[Group], ticks: Sequence[float], *, decimals: int = 1) -> dict[str, Any]:
    """What ``boxplot.svg.j2`` draws.

    Boxes reach from the first to the third quartile with a line at the median, whiskers to the last figure within one
    and a half times the box's length from it; every case is a dot, of more than 200 only those beyond the whiskers.

    Args:
        title: what is shown.
        groups: the rows, from top to bottom.
        ticks: where the axis has lines, from its lower end to its upper.
        decimals: of the ticks' labels.

    References:
        Tukey: Exploratory data analysis, 1977.
    """

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (value - ticks[0]) / (ticks[-1] - ticks[0])

    return {
        "title": title,
        "left": _LEFT,
        "right": _LEFT + _WIDTH,
        "width": _LEFT + _WIDTH + 20,
        "top": _TOP,
        "bottom": _TOP + _ROW * len(groups),
        "ticks": [(x(tick), f"{round(tick, 9) + 0.0:.{decimals}f}") for tick in ticks],
        "rows": [_row(group, _TOP + _ROW * (number + 0.5), x) for number, group in enumerate(groups)],
    }


def _row(group: Group, y: float, x: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"name": _short(group.name), "colour": group.colour, "y": y, "cases": len(group.figures)}
    if not group.figures:
        return row
    values = np.array([value for _, value in group.figures])
    first, median, third = np.percentile(values, (25, 50, 75))
    near = values[(values >= first - 1.5 * (third - first)) & (values <= third + 1.5 * (third - first))]
    low, high = float(near.min()), float(near.max())
    dots = [
        {"x": x(value), "y": y + _SPREAD * (number * _GOLDEN % 1 - 0.5), "what": f"{case} {value:.4f}", "out": out}
        for number, (case, value) in enumerate(group.figures)
        if (out := not low <= value <= high) or len(values) <= _ALL_DOTS
    ]
    return {**row, "box": [x(value) for value in (low, first, median, third, high)], "dots": dots}


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 3] + "..."
