"""A line plot as an SVG file, for pages that show it at any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.report import lineplot
from ivos.report.scan import template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def line_plot(x: Sequence[float], curves: Mapping[str, Sequence[float]], x_title: str, y_title: str) -> str:
    """One line a curve against x from 0; y goes from 0 to 1, and a NaN leaves a gap."""
    return template("lineplot.svg.j2").render(chart=lineplot.line_plot(x, curves, x_title, y_title)) + "\n"
