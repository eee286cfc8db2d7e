"""Labels that a person has corrected, dropped into a folder of the loop: the next round learns from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.io.case_names import case_name, case_of
from ivos.io.cases import files_of
from ivos.io.read import read_labels
from ivos.io.registry import READABLE
from ivos.volume.labels import with_ignore
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ivos.volume.volume import Volume

REVIEW = "review"
"""The folder for them, as CASE.nii.gz."""


def corrections(folder: Path, cases: Collection[str]) -> tuple[dict[str, Path], list[Path]]:
    """Corrected labels by case, and files that belong to none of the cases.

    Args:
        folder: of the loop.
        cases: scans that may be corrected.

    Raises:
        InputError: two files of one case.
    """
    names = {case_name(case): case for case in cases}
    found: dict[str, Path] = {}
    others = []
    for path in files_of(folder / REVIEW, READABLE):
        case = names.get(case_of(path))
        if case in found:
            raise InputError(f"{path}: the case '{case}' is there twice, as {found[case].name} too")
        if case is None:
            others.append(path)
        else:
            found[case] = path
    return found, others


def read_correction(path: Path, scan: Volume, names: Mapping[int, str]) -> Volume:
    """Corrected labels on the grid of their scan.

    Args:
        path: the label file.
        scan: what it belongs to.
        names: what the loop names "ignore"; the file's own names go before it.

    Raises:
        InputError: not labels, or of another grid.
    """
    return on_grid_of(with_ignore(read_labels(path), names), scan, str(path))
