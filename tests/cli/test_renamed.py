"""Names of commands and options before 0.2 are understood, hidden, and followed by one line that says the new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer

from ivos.cli.main import app
from ivos.cli.renamed import COMMANDS, OPTIONS, replace_old_names
from tests.cli.runner import ivos, refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "expected", "said"),
    [
        ("film a -o b.gif", "video a -o b.gif", "film is now video"),
        ("segment a --every=2 --mirror", "segment a --stride=2 --tta-mirror", "--every is now --stride, --mirror is"),
        ("propagate a --complete 1,2 --again", "propagate a --fully-annotated 1,2 --overwrite", "--complete is now"),
        ("suggest a --complete=all", "suggest a --fully-annotated=all", "--complete is now --fully-annotated"),
        ("measure -o x -- sh --again film", "profile -o x -- sh --again film", "measure is now profile"),
        ("evaluate film --again", "evaluate film --again", ""),  # no command, and no option that it ever had
        ("--help", "--help", ""),
        ("", "", ""),
    ],
)
def test_old_names_become_new_ones(words: str, expected: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replace_old_names(words.split()) == expected.split()
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == (1 if said else 0)


def test_new_names_are_there_and_old_ones_are_hidden() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert set(COMMANDS.values()) <= set(commands)
    assert not set(COMMANDS) & set(commands)
    for name, options in OPTIONS.items():
        there = {word for parameter in commands[name].params for word in parameter.opts}
        assert set(options.values()) <= there
        assert not set(options) & there


def test_an_old_command_line_does_what_it_did(tmp_path: Path) -> None:
    done = ivos("measure", "--", "sh", "-c", "echo well")
    assert (done.returncode, done.stdout) == (0, "well\n")
    assert done.stderr.splitlines()[0].startswith("ivos: renamed: measure is now profile; ")
    assert "no such option" not in ivos("propagate", tmp_path, "-o", "x", "--complete", "all").stderr.lower()
    assert "no such option: --complete" in ivos("evaluate", "a", "b", "--complete", "all").stderr.lower()
    assert "video is a .gif or .mp4" in refused("video", tmp_path / "a.nii.gz", "-o", "x.avi")
