"""Selection of the training and validation scans of a cohort."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.training.data.prepare import MANIFEST, Manifest, load_manifest, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.training.data.prepare import ManifestCase
    from ivos.training.run_settings import CohortSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChosenCases:
    """Stored scans by what they are for.

    Attributes:
        names: label ids to names.
        training: labelled ones to learn from.
        unlabelled: those whose labels are missing or not looked at.
        validating: labelled ones that nothing is learned from.
        pseudo_labelled: ones whose labels are predictions; half of the labelled samples are drawn from them.
        testing: ones that no training touches.
        patients: whose each case is.
    """

    names: dict[int, str]
    training: list[Path]
    unlabelled: list[Path]
    validating: list[Path]
    pseudo_labelled: list[Path] = field(default_factory=list)
    testing: list[Path] = field(default_factory=list)
    patients: dict[str, str] = field(default_factory=dict)


def chosen_cases(cohort: CohortSettings, folder: Path, seed: int) -> ChosenCases:
    """The cases of a run.

    Args:
        cohort: which.
        folder: of the run: scans that are not prepared yet are prepared there.
        seed: of the order in which labelled cases are taken.

    Raises:
        InputError: no prepared scans and none to prepare, or no labelled ones to train on.
    """
    place, manifest = _prepare_scans(cohort, folder)
    if cohort.fold is not None and cohort.fold >= manifest.folds:
        raise InputError(
            f"data.fold={cohort.fold}: {cohort.scans} has folds 0 to {manifest.folds - 1}; use null for no validation"
        )
    cases = [case for case in manifest.cases if case.split == "train"]
    of_fold = [case for case in cases if case.fold is not None and case.fold == cohort.fold]
    validating = [case for case in of_fold if case.info.labelled]
    away = {case.patient for case in of_fold}  # nothing is learned of whom the training is validated on
    rest = [case for case in cases if case.info.labelled and case.patient not in away]
    rest.sort(key=lambda case: (case.draw, _random_key(seed, case.info.case)))
    if cohort.labelled is not None and cohort.labelled > len(rest):
        raise InputError(f"data.labelled={cohort.labelled}: {cohort.scans} has {len(rest)} to train on")
    training = rest[: cohort.labelled]
    unlabelled = [case for case in cases if not case.info.labelled and case.patient not in away]
    unlabelled += rest[len(training) :]
    if not training:
        some = f" beside fold {cohort.fold}; data.fold=null trains on all" if validating else ""
        raise InputError(f"{cohort.scans}: no labelled cases to train on{some}")

    def paths(chosen: Sequence[ManifestCase]) -> list[Path]:
        return [place / case.file for case in chosen]

    return ChosenCases(
        manifest.names,
        paths(training),
        paths(unlabelled),
        paths(validating),
        testing=paths([case for case in manifest.cases if case.split == "test"]),
        patients={case.info.case: case.patient for case in manifest.cases},
    )


def _random_key(seed: int, case: str) -> str:
    """Where a case stands in an order that the seed draws, whichever others there are."""
    return hashlib.sha256(f"{seed} {case}".encode()).hexdigest()


def _prepare_scans(cohort: CohortSettings, folder: Path) -> tuple[Path, Manifest]:
    scans = cohort.scans
    if (scans / MANIFEST).exists() and cohort.modality != "auto":
        raise InputError(f"data.modality={cohort.modality}: {scans} is prepared already; ivos prepare has --modality")
    if (scans / MANIFEST).exists() and cohort.ignore_label is not None:
        raise InputError(
            f"data.ignore_label={cohort.ignore_label}: {scans} is prepared already; ivos prepare has --ignore-label"
        )
    if (scans / MANIFEST).exists():
        return scans, load_manifest(scans)
    place = folder / "prepared"
    if any(int(os.environ.get(name, "1")) > 1 for name in ("WORLD_SIZE", "SLURM_NTASKS")):
        if not (place / MANIFEST).exists():  # each process would prepare all
            raise InputError(f"{scans}: not prepared; run ivos prepare before several processes start")
        return place, load_manifest(place)

    def tell(done: int, total: int) -> None:
        if done == 1:
            _log.warning("preparing %d scans of %s in %s", total, scans, place)

    manifest = prepare(
        scans,
        place,
        workers=os.cpu_count() or 1,
        ignore=cohort.ignore_label,
        modality=cohort.modality,
        progress=tell,
    )
    for refusal in manifest.refused:
        _log.warning("left out: %s: %s", refusal.case, refusal.reason)
    return place, manifest
