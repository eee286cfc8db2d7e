"""Assign cases to folds and test set; the assignment is kept when cases are added or removed."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.training.data.store import ScanInfo

Split = Literal["train", "test"]


class Part(BaseModel):
    """Where a case belongs.

    Attributes:
        patient: whose case it is.
        split: ``"train"``, or ``"test"`` for what is never trained on.
        fold: 0 to n-1 for labelled training cases: the fold in which it validates; kept where the labels are gone.
        draw: number of the draw that gave it that fold, 0 for the first.
        digest: of the scan, by which it is known under another name.
    """

    model_config = ConfigDict(frozen=True)

    patient: str
    split: Split
    fold: int | None = None
    draw: int = 0
    digest: str | None = None

    @property
    def text(self) -> str:
        """In words."""
        if self.split == "test":
            return "test"
        return "training" if self.fold is None else f"training, fold {self.fold}"


@dataclass(frozen=True)
class SplitRules:
    """How cases are divided.

    Attributes:
        folds: into how many labelled training cases are divided.
        test_share: share of labelled patients that is kept for testing.
        seed: of the draws.
    """

    folds: int
    test_share: float
    seed: int


def check_patients(whose: Mapping[str, str], known: Mapping[str, Part], held_out: set[str]) -> dict[str, Part]:
    """The part of each patient of whom some case has one already.

    Args:
        whose: patients of the cases that are there now.
        known: parts that were decided before, of cases that are there or were.
        held_out: cases that the data set itself keeps for testing.

    Returns:
        By patient: the split, and the fold where one is decided.

    Raises:
        InputError: cases of one patient are in different parts, or one for testing was in training before.
    """
    decided: dict[str, Part] = {}
    first: dict[str, str] = {}
    for case, part in known.items():
        patient = whose.get(case, part.patient)
        before = decided.get(patient)
        folds = {p.fold for p in (before, part) if p is not None and p.fold is not None}
        if before is not None and (before.split != part.split or len(folds) > 1):
            raise InputError(
                f"patient {patient}: {first[patient]} ({known[first[patient]].text}) and {case} ({part.text}) are in "
                "different parts of the split; correct the table of patients, or draw a new split with --resplit"
            )
        if before is None or before.fold is None:
            decided[patient], first[patient] = part, case
    for case in sorted(held_out & set(whose)):
        there = decided.get(whose[case])
        if there is not None and there.split == "train":
            raise InputError(
                f"{case}: its folder keeps it for testing, but so far patient {whose[case]} was in {there.text}; "
                "move the file back, or draw a new split with --resplit"
            )
    return decided


def split_cases(
    infos: Sequence[ScanInfo],
    whose: Mapping[str, str],
    held_out: set[str],
    known: Mapping[str, Part],
    rules: SplitRules,
) -> dict[str, Part]:
    """The part of each case: what was decided stays, and new cases are drawn, patient by patient.

    A new patient goes where the shares are furthest from what the rules say. A case that was unlabelled stays in
    training when it is labelled, since networks may have learned from it.

    Args:
        infos: the cases.
        whose: their patients.
        held_out: cases that the data set itself keeps for testing.
        known: parts that were decided before.
        rules: of the draw.

    Raises:
        InputError: see :func:`check_patients`.
    """
    decided = check_patients(whose, known, held_out)
    draw = 1 + max((part.draw for part in known.values()), default=-1)
    kept = {whose[case] for case in held_out if case in whose}
    tested = kept | {patient for patient, part in decided.items() if part.split == "test"}
    fold = {patient: part.fold for patient, part in decided.items() if part.fold is not None}
    labelled = {whose[info.case] for info in infos if info.labelled}
    new = sorted(patient for patient in labelled - set(fold) - tested)
    order = np.random.default_rng((rules.seed, draw) if draw else rules.seed).permutation(len(new))
    shuffled = [new[n] for n in order]
    free = [patient for patient in shuffled if patient not in decided]
    for_test = _missing_tests(free, labelled - kept, tested, rules.test_share)
    tested |= set(free[:for_test])
    sizes = Counter(fold[patient] for patient in labelled & set(fold))
    for patient in shuffled:
        if patient not in tested:
            fold[patient] = min(range(rules.folds), key=lambda n: (sizes[n], n))
            sizes[fold[patient]] += 1
    parts = {}
    for info in infos:
        patient, before = whose[info.case], known.get(info.case)
        own = fold.get(patient) if info.labelled else None if before is None else before.fold
        own = None if patient in tested else own
        drawn = before.draw if before is not None and before.fold == own else draw if own is not None else 0
        split: Split = "test" if patient in tested else "train"
        parts[info.case] = Part(patient=patient, split=split, fold=own, draw=drawn, digest=info.digest)
    return parts


def _missing_tests(free: Sequence[str], labelled: set[str], tested: set[str], share: float) -> int:
    """How many new patients go to the test: as many as are missing, but no larger share of them than of all."""
    missing = round(share * len(labelled)) - len(labelled & tested)
    return min(max(0, missing), math.ceil(share * len(free)))


def known_by_scan(infos: Sequence[ScanInfo], known: Mapping[str, Part]) -> dict[str, str]:
    """New cases whose scan was there under a name that is gone: new name to old name."""
    there = {info.case for info in infos}
    gone: dict[str, list[str]] = {}
    for case, part in known.items():
        if case not in there and part.digest is not None:
            gone.setdefault(part.digest, []).append(case)
    new = [info for info in infos if info.case not in known and info.digest is not None]
    often = Counter(info.digest for info in new)
    return {
        info.case: gone[info.digest][0]
        for info in new
        if info.digest in gone and len(gone[info.digest]) == 1 and often[info.digest] == 1
    }
