"""The scans of a panel: folders of ``images/`` and ``labels/``, or single scans with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cases import Case
from ivos.errors import InputError
from ivos.files import stem_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Cohort:
    """Scans of one kind with their labels."""

    name: str
    cases: tuple[Case, ...]


def cohorts_of(places: Sequence[str], take_every: int) -> list[Cohort]:
    """The cohorts that are named.

    Args:
        places: ``FOLDER`` with ``images/`` and ``labels/``, or ``SCAN=LABELS``; ``FOLDER:20`` takes every 20th case of
            a folder.
        take_every: the step through the cases of folders that do not say their own.

    Raises:
        InputError: a place is neither.
    """
    return [_cohort(place, take_every) for place in places]


def _cohort(place: str, take_every: int) -> Cohort:
    if "=" in place:
        scan, labels = (Path(part) for part in place.split("=", 1))
        for path in (scan, labels):
            if not path.exists():
                raise InputError(f"{path}: no such file")
        name = stem_of(scan)
        return Cohort(name, (Case(name, scan, labels),))
    folder, _, step = place.partition(":")
    images = Path(folder) / "images"
    if not images.is_dir() or not (Path(folder) / "labels").is_dir():
        raise InputError(f"{place}: a folder with images/ and labels/ is wanted, or SCAN=LABELS")
    paths = sorted(images.glob("*.nii*"))[:: int(step or take_every)]
    cases = [Case(stem_of(path), path, Path(folder) / "labels" / path.name) for path in paths]
    return Cohort(Path(folder).name, tuple(case for case in cases if case.labels is not None and case.labels.exists()))
