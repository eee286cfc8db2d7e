"""A line plot as an SVG, for pages that show it at any size."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 110, 20, 50
_COLOURS = ("#888888", "#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers too


def line_plot(x: Sequence[float], curves: Mapping[str, Sequence[float]], x_title: str, y_title: str) -> str:
    """One line a curve against x from 0; y goes from 0 to 1, and a NaN leaves a gap."""
    x_end = 20 * math.ceil((max(x) + 1) / 20)
    across = (_WIDTH - _LEFT - _RIGHT) / x_end
    down = _HEIGHT - _TOP - _BOTTOM

    def at(value: float, height: float) -> tuple[float, float]:
        return _LEFT + value * across, _TOP + (1 - height) * down

    parts = [_grid(x_end, at), _titles(x_title, y_title)]
    for number, (name, heights) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(_curve([at(*point) for point in zip(x, heights, strict=True)], colour))
        y = _TOP + 10 + 20 * number
        parts.append(f'<path d="M{_WIDTH - _RIGHT + 14} {y}h20" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(_text(_WIDTH - _RIGHT + 40, y + 4, name, "start"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
    return "\n".join([f'{head} font-size="13">', '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"])


def _curve(points: list[tuple[float, float]], colour: str) -> str:
    path, drawing = "", False
    for x, y in points:
        if not math.isnan(y):
            path += f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}"
        drawing = not math.isnan(y)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points if not math.isnan(y))
    line = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
    return f'{line}<g fill="{colour}">{dots}</g>'


def _grid(x_end: int, at: Callable[[float, float], tuple[float, float]]) -> str:
    parts = []
    for fifth in range(6):
        x, y = at(0, fifth / 5)
        parts.append(
            f'<path d="M{x} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>' + _text(x - 8, y + 4, f"{fifth / 5:.1f}", "end")
        )
    for value in range(0, x_end + 1, 20):
        x, y = at(value, 0)
        parts.append(_text(x, y + 18, str(value), "middle"))
    return "\n".join(parts)


def _titles(x_title: str, y_title: str) -> str:
    middle, centre = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    turned = f'<g transform="rotate(-90 16 {centre})">{_text(16, centre, y_title, "middle")}</g>'
    return _text(middle, _HEIGHT - 12, x_title, "middle") + turned


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{escape(text)}</text>'
