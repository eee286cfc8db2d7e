"""The house's order: a room imports only from the rooms above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ivos

SOURCE = Path(ivos.__file__).parent
ROOMS = [
    "errors", "types", "files", "device", "config", "volume", "io", "nets", "propagation", "prompts", "uncertainty",
    "segmentation", "interactive", "metrics", "phantom", "training", "pseudo_labels", "loop", "report", "pipelines",
    "cohort", "annotate", "cli",
]  # fmt: skip


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module.split(".")[0] == "ivos"}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    assert room in ROOMS, f"{room} has no place in the house yet"
    for module in imports(path):
        assert ROOMS.index(room_of(module)) <= ROOMS.index(room), f"{path.name} imports {module} from below"
        assert room_of(module) != "annotate" or room in ("annotate", "cli")


def test_only_one_place_names_cuda() -> None:
    naming = [p for p in SOURCE.rglob("*.py") if '"cuda"' in p.read_text()]
    assert [p.name for p in naming] == ["device.py"]
