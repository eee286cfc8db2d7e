"""The page of a run over a cohort."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from ivos.cohort.manifest import Row
from ivos.cohort.page import outliers, write_cohort_run_page

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.cohort.manifest import State


def row(name: str, volume_ml: float, state: State = "done", **more: Any) -> Row:
    structures = [{"label": 1, "name": "liver", "volume_ml": volume_ml, **more}] if state == "done" else []
    return Row(
        name, state, 1, None if state == "done" else "scan: not a scan", "process 1", {"read": 0.5, "work": 2.0},
        3 * 10**9, {}, {"structures": structures},
    )  # fmt: skip


def test_a_volume_far_from_the_others_is_told_by_its_robust_z() -> None:
    volumes = {"a": 1000.0, "b": 1250.0, "c": 1600.0, "d": 2000.0, "e": 800.0, "f": 100.0}
    found = outliers({"liver": volumes, "spleen": {"a": 1.0, "b": 100.0}})
    assert [(outlier.case, outlier.structure) for outlier in found] == [("f", "liver")]
    assert found[0].median_ml == pytest.approx((1000 * 1250) ** 0.5)
    deviation = math.log(1600 / 800) / 2  # half way between those of 800 and 1600, on either side of the median
    assert found[0].z == pytest.approx(0.6745 * math.log(100 / found[0].median_ml) / deviation)
    assert outliers({"liver": dict.fromkeys("abcdef", 5.0) | {"g": 50.0}}) == []


def test_the_page_tells_what_needs_a_look_and_nothing_of_the_patient(tmp_path: Path) -> None:
    estimate = {"dsc": 0.41, "low": 0.2, "high": 0.6}
    rows = [
        *(row(f"case{n}", 1000 + 50 * n) for n in range(12)),
        row("small", 90.0, estimated_dsc=estimate),
        row("broken", 0, "refused"),
        row("<b>odd", 0, "lost"),
        row("later", 0, "waiting"),
    ]
    write_cohort_run_page(tmp_path, rows, job="segment", title="monday")
    page = (tmp_path / "cohort.html").read_text()
    text = " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())
    assert "ivos segment: 16 cases, 13 done, 2 failed, 1 still to do." in text
    assert "broken refused scan: not a scan 1" in text
    assert "small liver 0.41 0.20 0.60" in text
    assert re.search(r"small liver 90\.0 1250\.0 -\d+\.\d", text)
    assert "work, s 2.00 2.00 26" in text
    assert "<b>odd" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    write_cohort_run_page(tmp_path, rows[-3:], job="segment", title="nothing done")
    assert "0 done, 2 failed" in (tmp_path / "cohort.html").read_text()
