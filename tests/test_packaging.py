"""What is installed: the wheel's content, and commands that do without the extras or name the one they need."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from ivos.nets.reference_file import ReferenceInfo
from tests.processes import completed

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
KINDS = {  # of files beside the code, and where they may be
    ".safetensors": "ivos/nets",
    ".json": "ivos/volume",
    ".j2": "ivos/report",
    ".html": "ivos/annotate/page",
    ".css": "ivos/annotate/page",
    ".js": "ivos/annotate/page",
    ".svg": "ivos/annotate/page",
    ".txt": "ivos/annotate/page",
    ".md": "ivos/annotate/page",
}
MODULES = {  # of each extra
    "train": ("lightning", "blosc2", "segmentation_models_pytorch", "timm", "tensorboard", "einops"),
    "video": ("av",),
    "annotate": ("fastapi", "uvicorn", "starlette", "python_multipart"),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "dicom": ("highdicom",),
    "cluster": ("ray",),
}
WITHOUT = """
import json, sys, traceback

class Missing:  # as if it was not installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

MISSING = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Missing())
from ivos.cli.main import main

for words in json.loads(sys.argv[2]):
    sys.argv = ["ivos", *words]
    try:
        main()
    except SystemExit as end:
        print(f"{end.code or 0} {' '.join(words)}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
"""


def test_the_wheel_holds_what_is_needed_and_nothing_else(tmp_path: Path) -> None:
    builder = pytest.importorskip("hatchling.builders.wheel")
    (wheel,) = builder.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")]
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    assert _named_extras() <= set(re.findall(r"^Provides-Extra: (\S+)$", metadata, re.MULTILINE))
    unexpected = [name for name in names if not _belongs(PurePosixPath(name))]
    assert unexpected == []
    wanted = {path.relative_to(SOURCE).as_posix() for path in SOURCE.glob("ivos/**/*") if _of_package(path)}
    assert set(names) == wanted
    for needed in ("ivos/py.typed", "ivos/nets/fast.safetensors", "ivos/annotate/page/index.html"):
        assert needed in names


def _belongs(path: PurePosixPath) -> bool:
    if path.suffix == ".py" or path.name == "py.typed":
        return path.parts[0] == "ivos" and not {"tests", "node_modules"} & set(path.parts)
    return str(path).startswith(f"{KINDS.get(path.suffix, 'nowhere')}/")


def _named_extras() -> set[str]:
    """Those that our error messages tell people to install."""
    found = (re.findall(r"ivos\[([a-z]+)\]", path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py"))
    return {extra for extras in found for extra in extras}


def _of_package(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def without(extras: Iterable[str], *commands: tuple[object, ...]) -> list[str]:
    """What commands say on stderr, each followed by its exit code, where extras are not installed."""
    missing = [module for extra in extras for module in MODULES[extra]]
    words = [[str(word) for word in command] for command in commands]
    arguments = [sys.executable, "-c", WITHOUT, json.dumps(missing), json.dumps(words)]
    done = completed(arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.splitlines()


def test_each_command_names_the_extra_that_it_needs_and_the_others_do_without(tmp_path: Path) -> None:
    """In one process: what is blocked is blocked for the core commands too, phantom to report."""
    torch.manual_seed(0)
    for name in ("small", "deeplab", "swin"):
        info = ReferenceInfo.model_validate(
            {"network": name, "structures": (1,), "names": {}, "size": 32, "neighbours": 0}
        )
        weights = info.made().state_dict() if name == "small" else {"a": torch.zeros(1)}
        save_file(dict(weights), tmp_path / f"{name}.safetensors", {"ivos": info.model_dump_json()})
    scan = tmp_path / "images" / "phantom_0000_0001_0000.nii.gz"

    def segment(network: str) -> tuple[object, ...]:
        return ("segment", scan, "-o", tmp_path / "s.nii.gz", "--reference", tmp_path / f"{network}.safetensors")

    works: list[tuple[object, ...]] = [
        ("phantom", "-o", tmp_path, "-n", "1", "--size", "32,32,16"),
        ("info", scan),
        ("weights", "list"),
        (*segment("small"), "--propagation", "none"),
    ]
    needs: list[tuple[tuple[object, ...], str]] = [
        (("annotate", scan), "annotate"),
        (("prepare", tmp_path, "-o", tmp_path / "p"), "train"),
        (("train", "reference", "-o", tmp_path / "r", "data.scans=x"), "train"),
        (("train", "propagation", "-o", tmp_path / "r"), "train"),
        (("train", "strokes", "-o", tmp_path / "r"), "train"),
        (("train", "fusion", "-o", tmp_path / "r"), "train"),
        (("video", scan, "-o", tmp_path / "f.mp4"), "video"),
        (("weights", "export", "bundled", "-o", tmp_path / "e"), "export"),
        (segment("deeplab"), "train"),
        (segment("swin"), "train"),
    ]
    said = without(MODULES, *works, *(command for command, _ in needs))
    for command in works:
        assert f"0 {' '.join(map(str, command))}" in said
    for command, extra in needs:
        place = said.index(f"2 {' '.join(map(str, command))}")
        assert said[place - 1].startswith("ivos: "), said[place - 1]
        assert f"pip install 'ivos[{extra}]'" in said[place - 1]
    assert len(said) == len(works) + 2 * len(needs)  # one line for each that cannot be done
