"""Labels that a person has corrected, dropped into a folder of the loop: the next round learns from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.files import stem_of, suffix_of
from ivos.volume.labels import with_ignore
from ivos.volume.read import READABLE, read_labels
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
    """
    paths = [p for p in sorted((folder / REVIEW).iterdir()) if p.is_file() and suffix_of(p) in READABLE]
    found = {stem_of(path): path for path in paths if stem_of(path) in cases}
    return found, [path for path in paths if stem_of(path) not in cases]


def read_correction(path: Path, scan: Volume, names: Mapping[int, str]) -> Volume:
    """Corrected labels on the grid of their scan.

    Args:
        path: the label file.
        scan: what it belongs to.
        names: of the labels that were corrected: of what the loop names "ignore" not every program keeps the name.

    Raises:
        InputError: not labels, or of another grid.
    """
    return on_grid_of(with_ignore(read_labels(path), names), scan, str(path))
