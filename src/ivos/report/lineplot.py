"""Line plots: how figures go with a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Where an axis of shares, or of DSC, has lines."""

_LEFT, _WIDTH, _TOP, _HEIGHT = 62, 440, 20, 290
_COLOURS = ("#888888", "#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers too


def line_plot(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    x_title: str,
    y_title: str,
    y_ticks: Sequence[float] = SHARES,
) -> dict[str, Any]:
    """What ``lineplot.svg.j2`` draws: one line a curve, with a dot for each figure.

    Args:
        x: numbers from 0 up; of whole numbers the axis has whole numbers.
        curves: by name the figures at each of them; NaN leaves a gap.
        x_title: what the numbers are.
        y_title: what the figures are.
        y_ticks: where the axis of the figures has lines, from its lower end to its upper.
    """
    x_ticks = ticks(max(x), whole=all(float(value).is_integer() for value in x))

    def at(value: float, height: float) -> tuple[float, float]:
        up = (height - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return _LEFT + _WIDTH * value / x_ticks[-1], _TOP + _HEIGHT * (1 - up)

    return {
        "x_title": x_title,
        "y_title": y_title,
        "left": _LEFT,
        "right": _LEFT + _WIDTH,
        "top": _TOP,
        "bottom": _TOP + _HEIGHT,
        "x_ticks": [(at(tick, y_ticks[0])[0], f"{tick:g}") for tick in x_ticks],
        "y_ticks": [(at(0, tick)[1], f"{round(tick, 9):g}") for tick in y_ticks],
        "curves": [
            {
                "name": name,
                "colour": _COLOURS[number % len(_COLOURS)],
                "lines": _unbroken([at(*point) for point in zip(x, heights, strict=True)]),
                "told": ", ".join(f"{value:g}: {y:.3f}" for value, y in zip(x, heights, strict=True) if y == y),
            }
            for number, (name, heights) in enumerate(curves.items())
        ],
    }


def ticks(end: float, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to at least ``end``, four to six of them as a rule; only ``whole`` ones if asked for."""
    if end <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(end / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if end / 5 <= power * factor * (1 + 1e-9))
    step = max(step, 1.0) if whole else step
    return [step * number for number in range(math.ceil(end / step * (1 - 1e-9)) + 1)]


def _unbroken(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The parts of a line between its gaps."""
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if math.isnan(point[1]):
            parts.append([])
        else:
            parts[-1].append(point)
    return [part for part in parts if part]
