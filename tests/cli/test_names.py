"""Whatever names of structures, cases, workers and files hold, they are printed as text."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ivos
from ivos.cli.output import escape_invisible, print_error, print_line, print_table, printable
from ivos.cli.progress import progress_bar, show_run
from ivos.cohort.backends.protocol import Outcome
from ivos.cohort.run import RunProgress
from ivos.pipelines.protocol import Case
from ivos.volume.geometry import Geometry
from tests.cli.runner import IVOS, refused
from tests.cli.runner import ivos as command
from tests.processes import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKUP = ("kidney [left]", "[/seg]", "[bold]liver", "[", "[[", "a\\[b]", ":heart:", "{0}", "{task}", "%s", "[link=x]y")
CONTROL = ("\x1b[31mred", "a\nb", "a\r\nb", "a\tb", "\x07", "\x9b2J", "\u202eabc", "\u2028", "\x00")
OTHERS = (
    "肝脏",
    "ПЕЧЕНЬ",
    "foie ±",
    "é",
    "🫀",
    "\udcff.nii.gz",
    "a  b",
    " ",
    "x" * 200,
    "<b>&amp;",
    "\u0645\u06cc\u200c\u062e",
)
NAMES = st.one_of(st.sampled_from(MARKUP + CONTROL + OTHERS), st.text(min_size=1, max_size=30))
GRID = Geometry((4, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
SEEN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # what moves the cursor and sets colours


class Terminal(io.TextIOWrapper):
    """Takes what is printed in an encoding; says that it is a terminal, or not."""

    def __init__(self, encoding: str, *, watched: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._watched = watched

    def isatty(self) -> bool:
        return self._watched

    def text(self) -> str:
        written = cast("io.BytesIO", self.buffer).getvalue()
        return SEEN.sub("", written.decode(self.encoding))


@contextmanager
def printed(stream: str, encoding: str, *, watched: bool = False, columns: int = 4000) -> Iterator[Terminal]:
    with pytest.MonkeyPatch.context() as patch, Terminal(encoding, watched=watched) as terminal:
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", str(columns))
        patch.setattr(sys, stream, terminal)
        yield terminal


def of_a_table(name: str) -> None:
    print_table(name, ("structure", name), [(name, "1"), ("mean", name)])


def of_a_run(name: str) -> None:
    case = Case(name, {})
    with show_run() as view:
        view(RunProgress(2, 0, in_hand={name: (name,)}))
        view(RunProgress(2, 0, failed=1, ended=Outcome(case, "refused", reason=f"{name}: not a scan")))


def of_a_bar(name: str) -> None:
    with progress_bar(name) as progress:
        progress(1, 2)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize(
    ("stream", "show", "watched"),
    [
        ("stdout", print_line, False),
        ("stdout", of_a_table, False),
        ("stdout", of_a_table, True),
        ("stderr", of_a_run, True),
        ("stderr", of_a_bar, True),
    ],
)
@settings(max_examples=40)
@given(name=NAMES)
@example(name="[/seg]")
@example(name="{task.fields[x]}")
def test_a_name_is_printed_as_it_is_and_commands_nothing(
    stream: str, encoding: str, show: Callable[[str], None], watched: bool, name: str
) -> None:
    with printed(stream, encoding, watched=watched) as terminal:
        show(name)
        assert printable(name, terminal) in terminal.text()
        left = {c for c in terminal.text() if unicodedata.category(c) in ("Cc", "Cs") or c in "\u202e\u2028\u2029"}
    assert left <= {"\n", "\r"}  # a bar is drawn over itself


@given(name=NAMES)
def test_an_error_is_one_line_and_has_the_name(name: str) -> None:
    with printed("stderr", "utf-8") as terminal:
        print_error(f"ivos: {name}: no such file")
        text = terminal.text()
    assert text.count("\n") == 1
    assert escape_invisible(re.sub(r"\s*[\r\n]\s*", " ", f"ivos: {name}: no such file")) in text


@given(names=st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_different_names_look_different(names: list[str]) -> None:
    first, second = map(escape_invisible, names)
    assert first != second or "\\" in first  # a name may spell what stands for a character


def test_where_there_is_no_room_for_it_a_character_has_a_stand_in() -> None:
    for encoding, shown in (
        ("ascii", "0.9 +- 0.1 \\u809d"),
        ("latin-1", "0.9 ± 0.1 \\u809d"),
        ("utf-8", "0.9 ± 0.1 肝"),
    ):
        with printed("stdout", encoding) as terminal:
            print_line("0.9 ± 0.1 肝")
            assert terminal.text() == f"{shown}\n"


def test_tables_in_a_file_are_as_wide_as_their_longest_name() -> None:
    with printed("stdout", "utf-8", columns=20) as terminal:
        print_table("a title that is longer than that", ("structure", "DSC"), [("x" * 300, "0.5")])
        lines = terminal.text().splitlines()
    assert lines[0] == "a title that is longer than that"
    assert sum("x" * 300 in line for line in lines) == 1


def test_commands_print_names_with_brackets(tmp_path: Path) -> None:
    array = np.zeros((4, 8, 8), np.uint8)
    array[:, 1:4, 1:4], array[:, 5:7, 5:7] = 1, 2
    folder = tmp_path / "cases [/x]"
    labels = ivos.Volume.from_array(array, GRID, names={1: "kidney [left]", 2: "x [/seg]"})
    for side in ("found", "true"):
        ivos.write(folder / side / "a[b].nii.gz", labels)
        ivos.write(folder / side / "c[/d].nii.gz", labels)
    one = folder / "found" / "a[b].nii.gz"
    for words in (("info", one), ("evaluate", one, one), ("evaluate", folder / "found", folder / "true")):
        done = command(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert "kidney [left]" in done.stdout
        assert "x [/seg]" in done.stdout
    (folder / "true" / "a[b].nii.gz").unlink()
    assert "c[/d]" not in refused("evaluate", folder / "found", folder / "true", "--scheme", folder / "no[/t].json")
    assert "no[/t].json" in refused("info", folder / "no[/t].json")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_name_that_is_not_utf_8_is_read_alone_and_refused_in_a_folder(tmp_path: Path) -> None:
    array = np.zeros((4, 8, 8), np.uint8)
    array[:, 1:4, 1:4] = 1
    for folder in ("found", "true"):
        ivos.write(tmp_path / folder / "x.nii.gz", ivos.Volume.from_array(array, GRID))
        (tmp_path / folder / "x.nii.gz").rename(tmp_path / folder / "x\udcff.nii.gz")
    done = command("info", tmp_path / "found" / "x\udcff.nii.gz")
    assert (done.returncode, done.stderr) == (0, "")
    assert "x\\udcff.nii.gz" in done.stdout
    message = refused("evaluate", tmp_path / "found", tmp_path / "true", "--csv", tmp_path / "scores.csv")
    assert "x\\udcff" in message
    assert "not UTF-8; rename it" in message
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.slow
def test_where_neither_terminal_nor_locale_has_unicode_tables_are_whole(tmp_path: Path) -> None:
    array = np.zeros((4, 8, 8), np.uint8)
    array[:, 1:4, 1:4] = 1
    labels = ivos.Volume.from_array(array, GRID)
    for name in ("a", "b"):
        ivos.write(tmp_path / "labels" / f"{name}.nii.gz", labels)
    (tmp_path / "names.json").write_text(json.dumps({"1": "肝脏"}, ensure_ascii=False), encoding="utf-8")
    words = ("evaluate", tmp_path / "labels", tmp_path / "labels", "--scheme", tmp_path / "names.json")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment.pop("PYTHONIOENCODING", None)
    # A process of its own: Python takes its encodings from the environment when it starts.
    done = completed([IVOS, *words, "--csv", tmp_path / "scores.csv"], env=environment, encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1.0000 +- 0.0000" in done.stdout
    assert "\\u809d\\u810f" in done.stdout
    assert "肝脏" in (tmp_path / "scores.csv").read_text(encoding="utf-8")


def test_one_place_prints() -> None:
    folder = Path(ivos.__file__).parent / "cli"
    writes = re.compile(r"std(out|err)\.write|Console\(|add_row\(\"|add_row\(f\"|\becho\(")
    printing = {path.name for path in folder.rglob("*.py") if writes.search(path.read_text(encoding="utf-8"))}
    assert printing == {
        "output.py",
        "progress.py",
    }  # the second shows tables of the first's rows while they change
