"""Line plots: axes that fit what is shown, gaps, and words for those who do not see them."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivos.report.lineplot import line_plot, ticks
from ivos.report.scan import template


@given(st.floats(1e-6, 1e9), st.booleans())
def test_ticks_reach_the_end_and_hardly_beyond(end: float, whole: bool) -> None:
    found = ticks(end, whole=whole)
    steps = {round((b - a) / found[1], 6) for a, b in pairwise(found)}
    assert found[0] == 0
    assert steps == {1.0}
    assert found[-1] >= end * (1 - 1e-6)
    assert found[-2] < end
    assert len(found) <= 7
    assert not whole or all(tick.is_integer() for tick in found)


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        ([0, 1, 2, 3], ["0", "1", "2", "3"]),
        ([0], ["0", "1"]),
        ([1, 2, 7], ["0", "2", "4", "6", "8"]),
        ([0, 45, 90], ["0", "20", "40", "60", "80", "100"]),
        ([0.0, 0.25, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    ],
)
def test_the_axis_fits_the_numbers(x: list[float], shown: list[str]) -> None:
    plot = line_plot(x, {"one": [0.5] * len(x)}, "number", "share")
    assert [label for _, label in plot["x_ticks"]] == shown


def test_gaps_bounds_and_words() -> None:
    plot = line_plot([0, 1, 2, 3], {"a & b": [0.7, math.nan, 0.9, 0.8]}, "round", "DSC", [0.6, 0.8, 1.0])
    svg = ET.fromstring(template("lineplot.svg.j2").render(chart=plot))  # noqa: S314 - our own
    assert svg.get("aria-label") == "DSC by round. a & b: 0: 0.700, 2: 0.900, 3: 0.800."
    lines = [[p.split(",") for p in e.get("points", "").split()] for e in svg.iter() if e.tag.endswith("polyline")]
    assert [len(line) for line in lines] == [1, 2]
    heights = [float(y) for line in lines for _, y in line]
    top, bottom = plot["top"], plot["bottom"]
    assert heights == pytest.approx([bottom - (bottom - top) * share for share in (0.25, 0.75, 0.5)], abs=0.06)
