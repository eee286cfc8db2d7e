"""constraints.txt: exact public versions, of every library that ivos asks for, and such as pyproject.toml allows."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LINES = (Path(__file__).parent.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
OUTSIDE = {"wandb", "mlflow"}  # of extras that the tests do without


def pins() -> dict[str, Version]:
    exact = (line.split("==") for line in LINES if not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in exact}


def test_a_line_is_a_name_and_a_version_that_every_build_has() -> None:
    for line in LINES:
        assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9a-z.!]+", line), line  # no address, no +cpu
    assert not [name for name in pins() if re.match(r"nvidia-(?!ml-py$)|cuda-|triton$", name)]  # PyTorch chooses them


def test_every_requirement_has_a_version_that_it_allows() -> None:
    wanted = [Requirement(line) for line in requires("ivos") or ()]
    found = pins()
    checked = [one for one in wanted if one.name not in OUTSIDE | {"ivos"}]
    assert len(checked) > 40
    for one in checked:
        assert one.specifier.contains(found[canonicalize_name(one.name)], prereleases=True), one
