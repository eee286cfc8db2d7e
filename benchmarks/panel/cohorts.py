"""The scans of a panel: folders of ``images/`` and ``labels/``, or single scans with their labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cases import Case, cases_of
from ivos.errors import InputError
from ivos.files import stem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_PHANTOMS = "phantoms"


@dataclass(frozen=True)
class Cohort:
    """Scans of one kind with their labels."""

    name: str
    cases: tuple[Case, ...]


def cohorts_of(places: Sequence[str], take_every: int) -> list[Cohort]:
    """The cohorts that are named.

    Args:
        places: ``FOLDER`` with ``images/`` and ``labels/``, or ``SCAN=LABELS``; ``FOLDER:20`` takes every 20th case of
            a folder and is called so; ``phantoms:3`` is three phantoms.
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
    if folder == _PHANTOMS and step.isdecimal():
        return Cohort(place, tuple(cases_of(None, None, int(step))))
    images = Path(folder) / "images"
    if not images.is_dir() or not (Path(folder) / "labels").is_dir():
        raise InputError(f"{place}: a folder with images/ and labels/ is wanted, SCAN=LABELS, or phantoms:3")
    if step and not re.fullmatch(r"[1-9]\d*", step):
        raise InputError(f"{place}: a number is wanted after the colon, for example {folder}:20 for every 20th case")
    every = int(step or take_every)
    paths = sorted(images.glob("*.nii*"))[::every]
    cases = [Case(stem_of(path), path, Path(folder) / "labels" / path.name) for path in paths]
    name = Path(folder).resolve().name + (f":{every}" if every > 1 else "")
    return Cohort(name, tuple(case for case in cases if case.labels is not None and case.labels.exists()))
