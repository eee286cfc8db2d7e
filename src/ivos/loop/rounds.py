"""The rounds of a loop.

References:
    Lee: Pseudo-Label, 2013; Xie et al.: Self-Training with Noisy Student, CVPR 2020.
    IVOS (FLARE22): pseudo-labels by the agreement of several predictions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.config import load_settings, save_settings
from ivos.errors import InputError
from ivos.loop.labelling import REVIEW, make_pseudo_labels
from ivos.loop.records import Round, RoundFiles, read_decisions, read_rounds, write_rounds
from ivos.metrics.overlap import dsc
from ivos.segmentation.segmenter import Segmenter
from ivos.segmentation.settings import SegmentationSettings
from ivos.training.data.cases import chosen_cases
from ivos.training.data.store import SUFFIX, StoredScan
from ivos.training.record import changes, read_record, record_of, write_record
from ivos.training.reference.train import train_reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.loop.settings import LoopSettings
    from ivos.training.data.cases import ChosenCases
    from ivos.training.reference.settings import ReferenceSettings

Progress = Callable[[str, int, int], None]
"""Called with the current phase, the items done in it and their total."""

OnUpdate = Callable[["ChosenCases"], None]
"""Called with the scans of the loop whenever its folder has new results."""

_SETTINGS = "settings.yaml"


def run_loop(
    settings: LoopSettings, folder: Path, progress: Progress | None = None, changed: OnUpdate | None = None
) -> list[Round]:
    """Run the rounds.

    An interrupted loop resumes in the phase in which it stopped.

    Args:
        settings: of the loop.
        folder: for everything; a person's corrections go into its ``review/``.
        progress: called with the current phase, the items done in it and their total.
        changed: called when the loop begins, when the pseudo-labels of a round are made, and when a round has ended.

    Returns:
        The rounds.

    Raises:
        InputError: the folder holds another loop, or one on other data; what training, segmentation or reading refuse.
    """
    _check_settings(settings, folder)
    base = chosen_cases(settings.train.data, folder, settings.train.seed)
    if not base.unlabelled:
        raise InputError(f"{settings.train.data.scans}: no unlabelled scans to pseudo-label")
    _check_data(settings, folder, base)
    notify = changed or (lambda _: None)
    notify(base)
    rounds = read_rounds(folder)
    while not has_ended(rounds, settings):
        started = time.perf_counter()
        files = RoundFiles(folder, len(rounds))
        if files.number:
            make_pseudo_labels(settings, base.unlabelled, files, progress)
            notify(base)
        corrected, trusted = _accepted_scans(files)
        cases = replace(base, training=[*base.training, *corrected], pseudo_labelled=trusted)
        weights = train_reference(_training(settings, files), files.run, cases)
        dscs = _validation_dscs(settings, weights, base.validating, progress)
        rounds.append(
            Round(
                number=files.number,
                labelled=len(base.training) + len(corrected),
                pseudo_labelled=len(trusted),
                validation_dsc=float(np.nanmean(dscs)) if dscs else None,
                seconds=time.perf_counter() - started,
            )
        )
        write_rounds(folder, rounds)
        notify(base)
    return rounds


def has_ended(rounds: Sequence[Round], settings: LoopSettings) -> bool:
    """Whether no further round is to come: all are there, or the validation DSC rises no more.

    Args:
        rounds: that have ended.
        settings: of the loop.
    """
    return len(rounds) > settings.rounds or has_converged(rounds, settings)


def has_converged(rounds: Sequence[Round], settings: LoopSettings) -> bool:
    """Whether the last rounds, as many as the settings have patience for, have no better validation DSC.

    Args:
        rounds: that have ended.
        settings: of the loop.
    """
    known = [r.validation_dsc for r in rounds if r.validation_dsc is not None]
    return len(known) > settings.patience and max(known[-settings.patience :]) <= max(known[: -settings.patience])


def best_round(rounds: Sequence[Round]) -> Round:
    """The round with the highest validation DSC, of equals and without one the last.

    Args:
        rounds: one at least.
    """
    return max(rounds, key=lambda r: (r.validation_dsc or 0.0, r.number))


def _check_settings(settings: LoopSettings, folder: Path) -> None:
    """Save the settings in the folder; only the number of rounds and the patience may change."""
    path, free = folder / _SETTINGS, {"rounds", "patience"}
    if path.exists():
        before = load_settings(type(settings), [path])
        if before.model_dump(exclude=free) != settings.model_dump(exclude=free):
            raise InputError(f"{folder}: holds a loop with other settings ({path}); give another folder with -o")
    (folder / REVIEW).mkdir(parents=True, exist_ok=True)
    save_settings(settings, path)


def _check_data(settings: LoopSettings, folder: Path, base: ChosenCases) -> None:
    """Keep in the folder what the loop works on; rounds on other cases would not belong together."""
    before, now = read_record(folder), record_of(settings.train, base, unlabelled=True)
    change = None if before is None else changes(before, now)
    if change is not None and change.descriptions:
        raise InputError(
            f"{folder}: its data have changed: {'; '.join(change.descriptions)}; give another folder with -o"
        )
    write_record(folder, now)


def _training(settings: LoopSettings, files: RoundFiles) -> ReferenceSettings:
    """The first round begins as the settings say, the others with the weights of the round before."""
    if not files.number:
        return settings.train
    before = RoundFiles(files.loop, files.number - 1)
    return settings.train.model_copy(update={"init": tuple(before.weights), "imagenet": None})


def _accepted_scans(files: RoundFiles) -> tuple[list[Path], list[Path]]:
    """Stored scans with corrected labels, and with pseudo-labels."""
    taken = {case: judged for case, judged in read_decisions(files.folder).items() if judged.accepted}
    corrected = [files.scans / f"{case}{SUFFIX}" for case, judged in taken.items() if judged.corrected]
    trusted = [files.scans / f"{case}{SUFFIX}" for case, judged in taken.items() if not judged.corrected]
    return corrected, trusted


def _validation_dscs(
    settings: LoopSettings, weights: Sequence[Path], scans: Sequence[Path], progress: Progress | None
) -> list[float]:
    """DSC of every structure of every scan that validates."""
    if not scans:
        return []
    segmenter = Segmenter(SegmentationSettings(**settings.segment.model_dump(), reference=tuple(weights)))
    dscs = []
    for number, path in enumerate(scans, start=1):
        stored = StoredScan(path)
        found, true = segmenter(stored.scan()).labels.array, stored.labels().array
        dscs += [dsc(found == label, true == label) for label in segmenter.networks.structures]
        if progress is not None:
            progress("validating", number, len(scans))
    return dscs
