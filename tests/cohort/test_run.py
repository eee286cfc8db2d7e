"""A job over a cohort: each case ends once, whatever dies on the way."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from ivos.cli.execution import Execution, run_cohort_with_page
from ivos.cohort.backends.processes import ProcessesBackend
from ivos.cohort.backends.serial import SerialBackend
from ivos.cohort.manifest import FILE
from ivos.cohort.run import RunProgress, run_cohort
from ivos.errors import InputError
from ivos.pipelines.protocol import Case
from tests.cohort.jobs import CountingJob
from tests.processes import HANG_S, started, waited

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from ivos.cohort.backends.protocol import CaseStarted, Outcome
    from ivos.cohort.manifest import Row
    from ivos.pipelines.protocol import Job

DRIVER = """
import sys
from pathlib import Path
from ivos.cohort.backends.processes import ProcessesBackend
from ivos.cohort.run import run_cohort
from tests.cohort.jobs import CountingJob
from tests.cohort.test_run import cases_of
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    run_cohort(CountingJob(), cases_of(folder), folder / "out", ProcessesBackend(2)).close()
"""


def cohort(folder: Path, *texts: str) -> list[Case]:
    """Cases c0, c1, ... with these files."""
    for number, text in enumerate(texts):
        (folder / f"c{number}").write_text(text)
    return cases_of(folder)


def cases_of(folder: Path) -> list[Case]:
    return [Case(path.name, {"scan": str(path)}) for path in sorted(folder.glob("c[0-9]"))]


def rows_of(job: CountingJob, cases: Sequence[Case], output: Path, *, again: bool = False) -> list[Row]:
    with run_cohort(job, cases, output, SerialBackend(), again=again) as manifest:
        return manifest.ours()


def written(output: Path) -> Counter[str]:
    log = output / "written.log"
    return Counter(log.read_text().split() if log.exists() else [])


def test_over_processes_what_dies_or_fails_costs_its_own_case_alone(tmp_path: Path) -> None:
    texts = ("x", "die", "xx", "die once", "refuse", "raise", "xxx", "full")
    cases, output = cohort(tmp_path, *texts), tmp_path / "out"
    seen: list[RunProgress] = []
    with run_cohort(CountingJob(), cases, output, ProcessesBackend(2), progress=seen.append) as manifest:
        rows = {row.name: row for row in manifest.ours()}
    assert [rows[f"c{n}"].state for n in range(8)] == [
        "done", "lost", "done", "done", "refused", "lost", "done", "lost",
    ]  # fmt: skip
    assert rows["c1"].reason == "the worker died (signal 9, SIGKILL), 3 times"
    assert rows["c4"].reason == "scan: not a scan"  # without the folder, which may name a patient
    assert rows["c5"].reason == "ZeroDivisionError: by scan, 3 times"
    assert rows["c7"].reason == "No space left on device, 3 times"
    assert rows["c4"].attempts == 1
    assert written(output) == {"c0": 1, "c2": 1, "c3": 1, "c6": 1}
    assert (rows["c6"].outputs, rows["c6"].figures) == ({"labels": "c6.txt"}, {"letters": 3})
    assert set(rows["c6"].seconds) == {"read", "work", "write"}
    assert (seen[-1].done, seen[-1].failed, seen[-1].in_hand) == (4, 4, {})


def test_a_case_that_kills_its_worker_while_it_is_read_has_had_an_attempt(tmp_path: Path) -> None:
    cases = cohort(tmp_path, "kill the reader")
    with run_cohort(CountingJob(), cases, tmp_path / "out", ProcessesBackend(1), attempts=1) as manifest:
        (row,) = manifest.ours()
    assert (row.state, row.attempts) == ("lost", 1)


def test_two_workers_have_cases_in_hand_at_once(tmp_path: Path) -> None:
    cases = cohort(tmp_path, "sleep", "sleep")
    at_once: list[int] = []
    progress = lambda standing: at_once.append(len(standing.in_hand))  # noqa: E731
    run_cohort(CountingJob(), cases, tmp_path / "out", ProcessesBackend(2), progress=progress).close()
    assert max(at_once) == 2


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_worker_and_what_is_done_stays(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x", "x", "x", "x", "sleep", "sleep", "x"), tmp_path / "out"
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with started([sys.executable, script, tmp_path], env=environment) as driver:
        waited(lambda: sum(written(output).values()) >= 2, driver)
        time.sleep(0.3)  # until the manifest has it too
        workers = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
        driver.wait()
        _, alive = psutil.wait_procs(workers, timeout=HANG_S)
        assert len(workers) >= 2
        assert not alive
    with closing(sqlite3.connect(output / FILE)) as base:
        done = {name for (name,) in base.execute("SELECT name FROM cases WHERE state = 'done'")}
    assert len(done) >= 2
    rows = rows_of(CountingJob(), cases, output)
    assert {row.state for row in rows} == {"done"}
    assert all(written(output)[name] == 1 for name in done)


def test_run_again_does_nothing_and_what_has_changed_is_done_anew(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x", "refuse", "xx", "raise"), tmp_path / "out"
    rows_of(CountingJob(), cases, output)
    rows = rows_of(CountingJob(), cases, output)
    assert [row.state for row in rows] == ["done", "refused", "done", "lost"]
    assert written(output) == {"c0": 1, "c2": 1}
    (tmp_path / "c1").write_text("xxxx")
    (output / "c2.txt").unlink()
    rows = rows_of(CountingJob(), cases, output)
    assert [row.state for row in rows] == ["done", "done", "done", "lost"]
    assert written(output) == {"c0": 1, "c1": 1, "c2": 2}


def test_results_of_other_settings_or_other_scans_are_not_mixed(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x"), tmp_path / "out"
    rows_of(CountingJob(), cases, output)
    with pytest.raises(InputError, match="other settings: factor 1, now 2; give another folder, or --overwrite"):
        rows_of(CountingJob(2), cases, output)
    (tmp_path / "other").write_text("xyz")
    with pytest.raises(InputError, match="a case 'c0' made of other files"):
        rows_of(CountingJob(), [Case("c0", {"scan": str(tmp_path / "other")})], output)
    with pytest.raises(InputError, match="a case of this name is there twice"):
        rows_of(CountingJob(), [*cases, *cases], output)
    assert (output / "c0.txt").read_text() == "1"
    rows_of(CountingJob(2), cases, output, again=True)
    assert (output / "c0.txt").read_text() == "2"


def test_again_with_a_part_of_the_cases_leaves_none_of_other_settings(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x", "xx"), tmp_path / "out"
    rows_of(CountingJob(), cases, output)
    rows_of(CountingJob(2), cases[:1], output, again=True)
    rows_of(CountingJob(2), cases, output)
    assert [(output / f"c{n}.txt").read_text() for n in range(2)] == ["2", "4"]
    assert written(output) == {"c0": 2, "c1": 2}
    rows_of(CountingJob(2), cases[:1], output, again=True)
    rows_of(CountingJob(2), cases, output)
    assert written(output) == {"c0": 3, "c1": 2}  # the other one is of the same settings


def test_a_link_to_nothing_in_a_folder_of_slices_costs_no_other_case(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").symlink_to(tmp_path / "nothing")
    cases = [Case("series", {"scan": str(tmp_path / "series")}), *cohort(tmp_path, "x")]
    assert [row.state for row in rows_of(CountingJob(), cases, tmp_path / "out")] == ["refused", "done"]


def test_two_runs_at_once_a_damaged_manifest_and_a_job_that_cannot_open(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x"), tmp_path / "out"
    with (
        run_cohort(CountingJob(), cases, output, SerialBackend()),
        pytest.raises(InputError, match="another run is at work here"),
    ):
        rows_of(CountingJob(), cases, output)
    (output / FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match=r"cohort.sqlite: cannot be used: .*move it away"):
        rows_of(CountingJob(), cases, output)
    for backend in (SerialBackend(), ProcessesBackend(1)):
        with pytest.raises(InputError, match=r"weights.pt: no such checkpoint file"):
            run_cohort(CountingJob(opens=False), cases, tmp_path / "closed", backend)


def test_what_a_killed_worker_left_half_written_goes(tmp_path: Path) -> None:
    output = tmp_path / "out"
    for age_s, name in ((3600, ".ivos-old"), (0, ".ivos-new")):
        (output / "sub" / name).mkdir(parents=True)
        (output / "sub" / name / "half.nii.gz").write_bytes(b"half")
        for path in (output / "sub" / name / "half.nii.gz", output / "sub" / name):
            os.utime(path, (time.time() - age_s,) * 2)
    rows_of(CountingJob(), cohort(tmp_path, "x"), output)
    assert [path.name for path in (output / "sub").iterdir()] == [".ivos-new"]  # another program may be at it


def test_interrupted_at_a_terminal_the_same_command_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, output = cohort(tmp_path, "x", "x", "x", "x"), tmp_path / "out"
    monkeypatch.setattr(Execution, "backend", lambda _: Interrupted(after=4))
    with pytest.raises(typer.Exit) as ended:
        run_cohort_with_page(CountingJob(), cases, output, Execution())
    assert ended.value.exit_code == 130
    assert "run the same command again to resume" in capsys.readouterr().err
    monkeypatch.undo()
    rows = run_cohort_with_page(CountingJob(), cases, output, Execution())
    assert [row.state for row in rows] == ["done"] * 4
    assert written(output) == dict.fromkeys(("c0", "c1", "c2", "c3"), 1)


class Interrupted:
    """In this process; Ctrl-C comes before the event of this number is told of."""

    def __init__(self, after: int) -> None:
        self._after = after

    def run(
        self, job: Job, cases: Iterable[Case], output: Path, *, ahead: bool = True
    ) -> Generator[CaseStarted | Outcome, None, None]:
        for number, event in enumerate(SerialBackend().run(job, cases, output, ahead=ahead)):
            if number == self._after:
                raise KeyboardInterrupt
            yield event


@settings(max_examples=10, deadline=None)
@given(
    runs=st.lists(
        st.tuples(
            st.lists(st.sampled_from(["x", "xx", "refuse", "raise"]), min_size=4, max_size=4),
            st.integers(0, 9),
            st.sampled_from([None, "c0", "c3"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_changes_and_wherever_it_stops_each_case_is_what_its_input_says(
    runs: list[tuple[list[str], int, str | None]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = folder / "out"
        before: list[str | None] = [None] * 4
        for texts, stop, removed in runs:
            for number, text in enumerate(texts):
                if text != before[number]:
                    (folder / f"c{number}").write_text(text)
            before = list(texts)
            if removed is not None:
                (output / f"{removed}.txt").unlink(missing_ok=True)
            with suppress(KeyboardInterrupt):
                run_cohort(CountingJob(), cases_of(folder), output, Interrupted(stop)).close()
            rows = rows_of(CountingJob(), cases_of(folder), output)
            expected = {"x": "done", "xx": "done", "refuse": "refused", "raise": "lost"}
            assert [row.state for row in rows] == [expected[text] for text in texts]
            good = {f"c{n}": len(text) for n, text in enumerate(texts) if expected[text] == "done"}
            assert {name: int((output / f"{name}.txt").read_text()) for name in good} == good
            counts = written(output)
            rows_of(CountingJob(), cases_of(folder), output)
            assert written(output) == counts
