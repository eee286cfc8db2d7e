"""Runs that may not be compared, or only by the names of their structures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ivos.errors import InputError
from ivos.metrics.comparison import Comparison, compare
from ivos.metrics.runs import read_run

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "case,structure,name,dsc,nsd,true_volume_ml,protocol,tolerance_mm"
PLAIN = {"liver": (1, 0.9), "spleen": (2, 0.8)}


def run(
    path: Path,
    structures: dict[str, tuple[int, float]] = PLAIN,
    *,
    settings: str = "standard,2.0",
    volume: float = 5.0,
    cases: str = "abc",
) -> Path:
    rows = [f"{c},{k},{name},{dsc},{dsc},{volume},{settings}" for c in cases for name, (k, dsc) in structures.items()]
    path.write_text("\n".join([HEAD, *rows]) + "\n")
    return path


def compared(*paths: Path, by: str = "auto") -> Comparison:
    return compare([read_run(path) for path in paths], by=by, resamples=50)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("standard,5", "the NSD of structure 1 has a tolerance of 2 mm in a and 5 mm in b: .*--tolerance"),
        ("flare22,5", "the protocol is standard in a and flare22 in b: .*--protocol"),
        ("flare22-corrected,2", "the protocol is standard in a and flare22-corrected in b"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, settings: str, message: str) -> None:
    first, other = run(tmp_path / "a.csv"), run(tmp_path / "b.csv", settings=settings)
    with pytest.raises(InputError, match=message):
        compared(first, other)
    with pytest.raises(InputError, match=message):
        compared(first, run(tmp_path / "c.csv", settings="standard,2"), other)
    assert compared(first, run(tmp_path / "c.csv", settings="standard,2")).settings == "protocol standard, NSD at 2 mm"


def test_another_choice_of_structures_is_refused(tmp_path: Path) -> None:
    first, other = run(tmp_path / "a.csv"), run(tmp_path / "b.csv", {"liver": (1, 0.9)})
    with pytest.raises(InputError, match=r"structure 2 \(spleen\) is scored in a but not in b"):
        compared(first, other)
    with pytest.raises(InputError, match=r"structure 2 \(spleen\) is scored in a but not in b"):
        compared(other, first)
    found = compared(run(tmp_path / "a.csv", volume=0), run(tmp_path / "b.csv", {"liver": (1, 0.9)}, volume=0))
    assert [row.counts for row in found.rows if row.structure == 2] == [(3, 0), (3, 0)]  # only predicted, by one


def test_settings_that_are_not_known_are_named(tmp_path: Path) -> None:
    first = run(tmp_path / "a.csv")
    (tmp_path / "b").mkdir()
    lines = run(tmp_path / "b" / "scores.csv").read_text().splitlines()
    (tmp_path / "b" / "scores.csv").write_text("\n".join(line.rsplit(",", 3)[0] for line in lines))
    assert compared(first, tmp_path / "b").unknown_settings == ("b",)
    (tmp_path / "b" / "scores.json").write_text(json.dumps({"protocol": "standard", "tolerance_mm": 1.0}))
    with pytest.raises(InputError, match="a tolerance of 2 mm in a and 1 mm in b"):
        compared(first, tmp_path / "b")
    mixed = tmp_path / "mixed.csv"
    mixed.write_text(first.read_text() + "d,1,liver,0.5,0.5,5,standard,3\n")
    with pytest.raises(InputError, match=r"line 8: computed by the protocol standard, NSD at 3 mm, and other rows"):
        read_run(mixed)


def test_other_true_volumes_are_told(tmp_path: Path) -> None:
    assert compared(run(tmp_path / "a.csv"), run(tmp_path / "b.csv", volume=6)).other_truth == ("a", "b", "c")
    assert compared(run(tmp_path / "a.csv"), run(tmp_path / "b.csv", volume=5.01)).other_truth == ()


def test_runs_that_are_numbered_differently_are_matched_by_name(tmp_path: Path) -> None:
    first, other = run(tmp_path / "a.csv"), run(tmp_path / "b.csv", {"spleen": (1, 0.7), "liver": (2, 0.95)})
    found = compared(first, other)
    assert found.notes == ("b: labels matched by name with a: 1 (spleen) is 2, 2 (liver) is 1 there",)
    means = {row.name: row.means for row in found.rows if row.metric == "dsc"}
    assert [*means["liver"], *means["spleen"]] == pytest.approx([0.9, 0.95, 0.8, 0.7])
    by_id = {row.structure: row.means for row in compared(first, other, by="id").rows if row.metric == "dsc"}
    assert by_id[1] == pytest.approx((0.9, 0.7))
    with pytest.raises(InputError, match="label 2 is 'kidney' in c and 'spleen' in a"):
        compared(first, run(tmp_path / "c.csv", {"liver": (1, 0.9), "kidney": (2, 0.7)}))
