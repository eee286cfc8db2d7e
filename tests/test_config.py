"""Settings: from a file and behind it, to a file and back, and refused when they are not known."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from ivos.config import Settings, known_keys, load_settings, save_settings
from ivos.errors import InputError


class Inner(Settings):
    rate: float = Field(default=1e-3, gt=0)


class Outer(Settings):
    folder: Path
    steps: int = 10
    optimiser: Inner = Inner()


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


def test_changes_go_before_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "folder: data\noptimiser:\n  rate: 0.01\n")
    assert load_settings(Outer, [path]) == Outer(folder=Path("data"), optimiser=Inner(rate=0.01))
    changed = load_settings(Outer, [path, "steps=5", "optimiser.rate=2e-4"])
    assert (changed.steps, changed.optimiser.rate) == (5, 2e-4)


def test_there_and_back(tmp_path: Path) -> None:
    settings = Outer(folder=Path("a b"), steps=3, optimiser=Inner(rate=1e-5))
    save_settings(settings, tmp_path / "run" / "settings.yaml")
    assert load_settings(Outer, [tmp_path / "run" / "settings.yaml"]) == settings


def test_the_nearest_known_key_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "folder: data\n")
    with pytest.raises(InputError, match=r"'optimizer\.rate' is not a setting.*'optimiser\.rate'|'optimizer' is not"):
        load_settings(Outer, [path, "optimizer.rate=1"])
    with pytest.raises(InputError, match="'step' is not a setting; did you mean 'steps'"):
        load_settings(Outer, [path, "step=1"])
    assert known_keys(Outer) == ["folder", "steps", "optimiser.rate"]


@pytest.mark.parametrize(
    ("text", "changes", "complaint"),
    [
        ("steps: 3", [], "'folder' is missing"),
        ("folder: a\nsteps: many", [], "steps=many"),
        ("folder: a", ["optimiser.rate=0"], r"optimiser\.rate=0: input should be greater than 0"),
        ("folder: [", [], "not settings in YAML"),
        ("- a\n- b", ["steps=1"], "not settings in YAML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, changes: list[str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        load_settings(Outer, [_file(tmp_path, text), *changes])
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such settings file"):
        load_settings(Outer, [tmp_path / "nothing.yaml"])
    with pytest.raises(InputError, match=r"neither a settings file \(\.yaml\) nor KEY=VALUE"):
        load_settings(Outer, ["nothing"])


def test_values_alone_and_several_files(tmp_path: Path) -> None:
    assert load_settings(Outer, ["folder=a.yaml"]) == Outer(folder=Path("a.yaml"))
    first = _file(tmp_path, "folder: a\nsteps: 1\n")
    (tmp_path / "other.yaml").write_text("steps: 2\n")
    assert load_settings(Outer, [first, tmp_path / "other.yaml"]) == Outer(folder=Path("a"), steps=2)
