"""`ivos evaluate --report` and `ivos compare`, as a user runs them."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import ivos as package
from ivos.cli.execution import Execution, run_or_rebuild
from ivos.metrics.evaluation import Score, common_cases
from ivos.pipelines.evaluate import EvaluateJob
from ivos.pipelines.protocol import Case
from ivos.report.boxplot import Group, box_plot
from ivos.report.evaluation import CaseFiles, write_evaluation
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs, volume_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.volume import Volume


def harmed(labels: Volume, structure: int, slices: slice) -> Volume:
    """Labels without a structure on some slices."""
    array = labels.array.copy()
    array[slices][array[slices] == structure] = 0
    return labels.with_array(array)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Four cases; of "bad" nearly all of structure 8 is missing, of "poor" some of 3, of "fair" a slice of it."""
    scan, labels = moving_discs(size=48)
    predictions = {
        "bad": harmed(labels, 8, slice(1, None)),
        "fair": harmed(labels, 3, slice(2, 3)),
        "good": labels,
        "poor": harmed(labels, 3, slice(4, 9)),
    }
    for case, prediction in predictions.items():
        package.write(tmp_path / "scans" / f"{case}_0000.nii.gz", scan)
        package.write(tmp_path / "truth" / f"{case}.nii.gz", labels)
        package.write(tmp_path / "runs" / "first" / f"{case}.nii.gz", prediction)
        package.write(tmp_path / "runs" / "second" / f"{case}.nrrd", labels if case == "poor" else prediction)
    return tmp_path


def pictures(page: str) -> list[npt.NDArray[np.uint8]]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_a_report_of_folders(cohort: Path) -> None:
    words = ("evaluate", cohort / "runs" / "first", cohort / "truth", "--csv", cohort / "s.csv")
    done = ivos(*words, "--report", cohort / "report", "--scans", cohort / "scans")
    assert done.returncode == 0, done.stderr
    assert "Report: " in done.stdout
    assert {path.name for path in (cohort / "report").iterdir()} == {"evaluation.html", "scores.csv", "scores.json"}
    assert (cohort / "report" / "scores.csv").read_text() == (cohort / "s.csv").read_text()
    printed = json.loads(ivos(*words, "--json").stdout)
    assert json.loads((cohort / "report" / "scores.json").read_text()) == printed

    page = (cohort / "report" / "evaluation.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:)|url\(|@import', page)  # nothing is fetched
    assert re.findall(r"<figcaption><strong>(\w+)", page) == ["bad", "poor", "fair", "good"]
    assert re.findall(r"<tr><td>(bad|poor|fair|good)</td>", page) == ["bad", "poor", "fair", "good"]
    assert re.search(r"<strong>poor</strong>: label 3, DSC 0\.\d{4}, NSD 2 mm 0\.\d{4}.*Next: label 8 1\.00", page)
    first = printed["structures"][0]
    assert f"{first['mean']['dsc']:.4f} ± {first['sd']['dsc']:.4f}" in page
    dots = re.findall(r"<circle[^>]*><title>(\w+) ([\d.]+)</title>", page)
    figures = [(row["case"], f"{row[metric]:.4f}") for row in printed["scores"] for metric in ("dsc", "nsd")]
    assert sorted(dots) == sorted(figures)


@pytest.mark.slow
def test_over_processes_scores_are_the_same_and_a_run_goes_on(cohort: Path) -> None:
    found, true, report = cohort / "runs" / "first", cohort / "truth", cohort / "report"
    pairs = common_cases(found, true).items()
    cases = [Case(name, {"prediction": str(one), "truth": str(other)}) for name, (one, other) in pairs]
    before = run_or_rebuild(EvaluateJob(), cases, report, Execution())  # in a process that has loaded what takes long
    words = ("evaluate", found, true, "--json")
    alone, several = ivos(*words), ivos(*words, "--workers", 2, "--report", report)
    assert several.returncode == 0, several.stderr
    assert several.stdout == alone.stdout
    assert len(json.loads(alone.stdout)["scores"]) == 8
    (found / "fair.nii.gz").write_bytes(b"broken")
    broken = ivos(*words, "--workers", 2, "--report", report)
    told = json.loads(broken.stdout)
    assert (broken.returncode, told["cases"], told["mean_over"]["cases"], list(told["failed"])) == (1, 4, 3, ["fair"])
    assert told["scores"] == [row for row in json.loads(alone.stdout)["scores"] if row["case"] != "fair"]
    assert "ivos: fair: prediction: " in broken.stderr
    assert "3 of 4 done; 1 failed: fair" in broken.stderr
    assert "Cases without scores" in (report / "evaluation.html").read_text()
    after = run_or_rebuild(EvaluateJob(), cases, report, Execution())
    assert [row for row in after if row.name != "fair"] == [row for row in before if row.name != "fair"]
    assert after[1].worker == "process 1"


def test_the_picture_shows_where_the_worst_structure_is_wrong(cohort: Path) -> None:
    files = cohort / "runs" / "first" / "fair.nii.gz", cohort / "truth" / "fair.nii.gz"
    for name, options in {"dark": (), "scan": ("--scans", cohort / "scans" / "fair_0000.nii.gz")}.items():
        assert ivos("evaluate", *files, "--report", cohort / name, *options).returncode == 0
    with (cohort / "dark" / "scores.csv").open() as file:
        assert {row["case"] for row in csv.DictReader(file)} == {"fair"}
    pages = [(cohort / name / "evaluation.html").read_text() for name in ("dark", "scan")]
    assert all("label 3" in page and "on slice 2." in page for page in pages)
    (dark,), (over_scan,) = (pictures(page) for page in pages)
    assert np.median(dark) < 20 < np.median(over_scan)
    shown = dark[30:-30].max(axis=2) > 30  # without titles and legend; the truth is on the left
    middle = shown.shape[1] // 2
    assert shown[:, :middle].mean() > 1.5 * shown[:, middle:].mean() > 0


def test_only_the_twelve_worst_cases_are_read_again(tmp_path: Path) -> None:
    array = np.zeros((3, 16, 16), np.uint8)
    array[:, 2:14, 2:14] = 1
    path = tmp_path / "case.nii.gz"
    package.write(path, volume_of(array))
    scores = [Score(f"c{n:02}", 1, "liver", 0.99 - n / 20, 0.5, 1.0, 3.0, 4.0) for n in range(14)]
    files = {score.case: CaseFiles(path, path) for score in scores}
    files |= dict.fromkeys(("c00", "c01"), CaseFiles(tmp_path / "gone", tmp_path / "gone"))
    page = write_evaluation(tmp_path / "r", scores, files, title="<many>").read_text()
    assert len(pictures(page)) == 12
    assert re.findall(r"<strong>(\w+)", page) == [f"c{n:02}" for n in range(13, 1, -1)]
    assert "&lt;many&gt;" in page


def test_boxes_by_hand() -> None:
    values = [0.1, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]  # quartiles 0.55, 0.7, 0.85: whiskers may reach 0.1 and 1.3
    groups = [Group("one", "red", [(str(v), v) for v in values]), Group("none", "red", [])]
    row, empty = box_plot("DSC", groups, [0.0, 1.0])["rows"]
    left, right = (x for x, _ in box_plot("DSC", groups, [0.0, 1.0])["ticks"])
    assert [(x - left) / (right - left) for x in row["box"]] == pytest.approx([0.1, 0.55, 0.7, 0.85, 1.0])
    assert [dot["out"] for dot in row["dots"]] == [False] * 7
    assert (empty["cases"], "box" in empty) == (0, False)
    many = Group("many", "red", [("low", 0.05), *((str(n), 0.5 + n / 1000) for n in range(300))])
    assert [dot["what"] for dot in box_plot("DSC", [many], [0.0, 1.0])["rows"][0]["dots"]] == ["low 0.0500"]


def test_reports_that_cannot_be_are_refused_before_the_work(cohort: Path) -> None:
    folders = cohort / "runs" / "first", cohort / "truth"
    assert "are for folders of label files" in refused(
        "evaluate", *(folder / "good.nii.gz" for folder in folders), "--workers", 2
    )
    assert "--cluster: give --report" in refused("evaluate", *folders, "--cluster", "auto")
    assert "goes with --report" in refused("evaluate", *folders, "--scans", cohort / "scans")
    (cohort / "scans" / "poor_0000.nii.gz").unlink()
    words = ("--report", cohort / "r", "--scans", cohort / "scans")
    assert "no scan for 1 of 4 cases: poor" in refused("evaluate", *folders, *words)
    (cohort / "file").touch()
    assert "cannot be created: File exists" in refused("evaluate", *folders, "--report", cohort / "file")


def test_two_reports_compared(cohort: Path) -> None:
    for run in ("first", "second"):
        done = ivos("evaluate", cohort / "runs" / run, cohort / "truth", "--json", "--report", cohort / run)
        assert json.loads(done.stdout)["scores"]
    words = ("compare", cohort / "first", f"better={cohort / 'second' / 'scores.csv'}")
    done = ivos(*words, "-o", cohort / "c")
    assert done.returncode == 0, done.stderr
    assert "DSC: better minus first" in done.stdout
    assert "no efficiency.csv next to scores.csv of first, better" in done.stdout
    assert {path.name for path in (cohort / "c").iterdir()} == {"comparison.html", "differences.csv", "ranking.csv"}

    found = json.loads(ivos(*words, "--json").stdout)
    scores = [json.loads((cohort / run / "scores.json").read_text())["scores"] for run in ("first", "second")]
    (lost,) = (row["dsc"] for row in scores[0] if (row["case"], row["structure"]) == ("poor", 3))
    row = next(row for row in found["differences"] if (row["metric"], row["structure"]) == ("dsc", 3))
    assert (row["run"], row["reference"], row["pairs"], row["p"]) == ("better", "first", 4, None)
    assert row["difference"] == pytest.approx((1 - lost) / 4)
    assert [(row["run"], row["mean_rank"]) for row in found["ranking"]] == [("better", 1.375), ("first", 1.625)]
    with (cohort / "c" / "ranking.csv").open() as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["better", "first"]
    page = (cohort / "c" / "comparison.html").read_text()
    assert f"{row['difference']:+.4f}" in page
    assert not re.search(r'(?:src|href)="(?!data:)|url\(|@import', page)


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    head, rows = (
        "case,structure,name,dsc,nsd\n",
        {"a": "c,1,x,0.5,0.5\n", "b": "d,1,x,0.5,0.5\n", "odd": "c,1,x,so,1\n"},
    )
    for name, row in rows.items():
        (tmp_path / f"{name}.csv").write_text(head + row)
    (tmp_path / "short.csv").write_text("case,dsc\nc,0.5\n")
    a = tmp_path / "a.csv"
    assert "give two or more" in refused("compare", a)
    assert "two runs are called a; name one of them" in refused("compare", a, a)
    assert "no case is in all runs" in refused("compare", a, tmp_path / "b.csv")
    assert "dsc 'so' is not a number" in refused("compare", a, tmp_path / "odd.csv")
    assert "has no column structure, name, nsd" in refused("compare", a, tmp_path / "short.csv")
    assert "scores.csv: cannot be read" in refused("compare", a, tmp_path)
    assert "is a file" in refused("compare", a, f"again={a}", "-o", a)
