"""Folders of scans and labels, a file for each case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import stem_of, suffix_of
from ivos.volume.read import READABLE, read, read_labels
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from ivos.volume.volume import Volume

_CHANNEL = "_0000"  # what nnU-Net and FLARE22 put behind a scan's name


@dataclass(frozen=True)
class LabelledCase:
    """A scan and its labels, in files."""

    name: str
    scan: Path
    labels: Path

    def read(self) -> tuple[Volume, Volume]:
        """Both, on one grid.

        Raises:
            InputError: either cannot be read, or they lie on different grids.
        """
        scan = read(self.scan)
        return scan, on_grid_of(read_labels(self.labels), scan, str(self.labels))


def files_by_case(folder: Path, what: str) -> dict[str, Path]:
    """The images of a folder by case name: the file's name without suffix.

    Args:
        folder: where they are.
        what: how to call them in an error, ``"label"`` for example.

    Raises:
        InputError: no such folder, no images in it, or one case twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = [p for p in sorted(folder.iterdir()) if p.is_file() and suffix_of(p) in READABLE]
    if not paths:
        raise InputError(f"{folder}: no {what} files ({', '.join(READABLE)})")
    cases: dict[str, Path] = {}
    for path in paths:
        if stem_of(path) in cases:
            raise InputError(f"{path}: the case '{stem_of(path)}' is there twice, as {cases[stem_of(path)].name} too")
        cases[stem_of(path)] = path
    return cases


def labelled_cases(scans: Path, labels: Path) -> list[LabelledCase]:
    """Every label file of a folder with the scan of that name in another, with or without ``_0000`` behind it.

    Raises:
        InputError: as :func:`files_by_case`, and for labels without a scan.
    """
    found = {name.removesuffix(_CHANNEL): path for name, path in files_by_case(scans, "scan").items()}
    drawn = files_by_case(labels, "label")
    missing = sorted(set(drawn) - set(found))
    if missing:
        some = ", ".join(missing[:3]) + ", ..." * (len(missing) > 3)
        raise InputError(f"{scans}: no scan for {len(missing)} of {len(drawn)} label files: {some}")
    return [LabelledCase(name, found[name], path) for name, path in sorted(drawn.items())]
