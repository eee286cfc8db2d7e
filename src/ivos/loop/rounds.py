"""The rounds of a loop.

References:
    Lee: Pseudo-Label, 2013; Xie et al.: Self-Training with Noisy Student, CVPR 2020.
    IVOS (FLARE22): pseudo-labels by the agreement of several predictions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter

from ivos.config import load_settings, save_settings
from ivos.errors import InputError
from ivos.files import replacing, stem_of, suffix_of
from ivos.metrics.overlap import dsc
from ivos.pseudo_labels import StructureTrust, judge
from ivos.segmentation.segmenter import SegmentationSettings, Segmenter
from ivos.training.data.cases import ChosenCases, chosen_cases
from ivos.training.data.store import SUFFIX, StoredScan, store
from ivos.training.reference.train import train_reference
from ivos.volume.read import READABLE, read_labels
from ivos.volume.volume import on_grid_of
from ivos.volume.write import write_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.loop.settings import LoopSettings
    from ivos.training.reference.settings import ReferenceSettings

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""

REVIEW = "review"
"""The folder for labels that a person has corrected, as CASE.nii.gz: the next round learns from them."""

_SETTINGS, _ROUNDS = "settings.yaml", "rounds.json"
_log = logging.getLogger(__name__)


class Round(BaseModel):
    """What a round came to.

    Attributes:
        number: 0 for the first one.
        labelled: scans with true or corrected labels that it learned from.
        pseudo_labelled: scans with pseudo-labels that it learned from.
        validation_dsc: mean DSC over structures and scans of the fold that validates; None without one.
        seconds: how long it took, as far as it was not done before.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    labelled: int
    pseudo_labelled: int
    validation_dsc: float | None
    seconds: float


class Judgement(BaseModel):
    """What became of an unlabelled scan in a round.

    Attributes:
        corrected: whether its labels are a person's.
        accepted: whether the round learned from it.
        reason: why, or why not.
        trust: the scan's, by the rule of the settings.
        structures: what is known of each; nothing for a corrected scan.
    """

    model_config = ConfigDict(frozen=True)

    corrected: bool
    accepted: bool
    reason: str
    trust: float | None = None
    structures: tuple[StructureTrust, ...] = ()


_ROUNDS_IN_FILE, _JUDGEMENTS = TypeAdapter(list[Round]), TypeAdapter(dict[str, Judgement])


@dataclass(frozen=True)
class _Place:
    """The files of a round."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def scans(self) -> Path:
        return self.folder / "scans"

    @property
    def labels(self) -> Path:
        return self.folder / "labels"

    @property
    def consensus(self) -> Path:
        return self.folder / "consensus"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions"

    @property
    def judged(self) -> Path:
        return self.folder / "judged.json"


def run_loop(settings: LoopSettings, folder: Path, progress: Progress | None = None) -> list[Round]:
    """Run the rounds.

    What is done stays done: a loop that was stopped, in whatever phase, goes on where it was.

    Args:
        settings: of the loop.
        folder: for everything; a person's corrections go into its ``review/``.
        progress: called with what is being done, how much of it is, and how much there is.

    Returns:
        The rounds.

    Raises:
        InputError: the folder holds another loop, or what training, segmentation or reading refuse.
    """
    _settle(settings, folder)
    base = chosen_cases(settings.train.data, folder, settings.train.seed)
    if not base.unlabelled:
        raise InputError(f"{settings.train.data.scans}: no unlabelled scans to make labels for")
    rounds = _read_rounds(folder)
    for number in range(len(rounds), settings.rounds + 1):
        if _stopped_rising(rounds, settings.patience):
            break
        started = time.perf_counter()
        place, before = (_Place(folder / f"round_{n}") for n in (number, number - 1))
        if number:
            _make_pseudo_labels(settings, base, folder, before, place, progress)
        corrected, trusted = _learned_from(place)
        cases = replace(base, training=[*base.training, *corrected], pseudo_labelled=trusted)
        weights = train_reference(_training(settings, before, number), place.run, cases)
        dscs = _validated(settings, weights, base.validating, progress)
        rounds.append(
            Round(
                number=number,
                labelled=len(base.training) + len(corrected),
                pseudo_labelled=len(trusted),
                validation_dsc=float(np.nanmean(dscs)) if dscs else None,
                seconds=time.perf_counter() - started,
            )
        )
        _write_rounds(folder, rounds)
    return rounds


def _settle(settings: LoopSettings, folder: Path) -> None:
    """Keep the settings in the folder; how long a loop goes on may change, nothing else."""
    path, free = folder / _SETTINGS, {"rounds", "patience"}
    if path.exists():
        before = load_settings(type(settings), [path])
        if before.model_dump(exclude=free) != settings.model_dump(exclude=free):
            raise InputError(f"{folder}: holds a loop with other settings ({path}); give another folder with -o")
    (folder / REVIEW).mkdir(parents=True, exist_ok=True)
    save_settings(settings, path)


def _stopped_rising(rounds: Sequence[Round], patience: int) -> bool:
    dscs = [r.validation_dsc for r in rounds]
    known = [value for value in dscs if value is not None]
    return len(known) > patience and max(known[-patience:]) <= max(known[:-patience])


def _training(settings: LoopSettings, before: _Place, number: int) -> ReferenceSettings:
    """The first round begins as the settings say, the others with the weights of the round before."""
    if not number:
        return settings.train
    return settings.train.model_copy(update={"init": tuple(_weights(before)), "imagenet": None})


def _weights(place: _Place) -> list[Path]:
    return sorted(place.run.glob("reference*.safetensors"))


def _make_pseudo_labels(
    settings: LoopSettings,
    base: ChosenCases,
    folder: Path,
    before: _Place,
    place: _Place,
    progress: Progress | None,
) -> None:
    """Segment the unlabelled scans with the networks of the round before, and store what can be learned from."""
    if place.judged.exists():
        return
    views = _views(settings, _weights(before))
    for name, view in views.items():
        _predict(view, base.unlabelled, place.predictions / name, progress)
    corrections = _corrections(folder / REVIEW, base)
    judgements = {}
    for path in base.unlabelled:
        stored = StoredScan(path)
        case, scan = stored.info.case, stored.scan()
        if case in corrections:
            labels = on_grid_of(read_labels(corrections[case]), scan, str(corrections[case]))
            judgements[case] = Judgement(corrected=True, accepted=True, reason="corrected by hand")
        else:
            predictions = [read_labels(place.predictions / name / f"{case}.nii.gz") for name in views]
            previous = before.consensus / f"{case}.nii.gz"
            judged = judge(predictions, settings.pseudo_label, read_labels(previous) if previous.exists() else None)
            judgements[case] = Judgement(
                corrected=False,
                accepted=judged.accepted,
                reason=judged.reason,
                trust=judged.trust,
                structures=judged.structures,
            )
            write_volume(place.consensus / f"{case}.nii.gz", judged.consensus)
            if judged.labels is None:
                continue
            labels = judged.labels
        write_volume(place.labels / f"{case}.nii.gz", labels)
        store(place.scans / f"{case}{SUFFIX}", scan, labels, case=case, fingerprint=case)
    with replacing(place.judged) as temporary:
        temporary.write_bytes(_JUDGEMENTS.dump_json(judgements, indent=1))


def _views(settings: LoopSettings, weights: Sequence[Path]) -> dict[str, SegmentationSettings]:
    """Three ways of segmenting with the same networks, whose agreement tells what to trust."""

    def with_networks(*networks: Path, **changes: object) -> SegmentationSettings:
        return SegmentationSettings(**{**settings.segment.model_dump(), "reference": networks, **changes})

    if len(weights) > 1:
        return {
            "together": with_networks(*weights),
            "first": with_networks(weights[0]),
            "second": with_networks(weights[1]),
        }
    return {
        "both_stages": with_networks(*weights),
        "mirrored": with_networks(*weights, mirrored=not settings.segment.mirrored),
        "slices": with_networks(*weights, propagation="none"),
    }


def _predict(settings: SegmentationSettings, scans: Sequence[Path], folder: Path, progress: Progress | None) -> None:
    stored = [StoredScan(path) for path in scans]
    left = [scan for scan in stored if not (folder / f"{scan.info.case}.nii.gz").exists()]
    segmenter = Segmenter(settings) if left else None
    for number, scan in enumerate(left, start=1):
        assert segmenter is not None  # noqa: S101 - there are scans left
        write_volume(folder / f"{scan.info.case}.nii.gz", segmenter(scan.scan()).labels)
        if progress is not None:
            progress(f"segmenting ({folder.name})", number, len(left))


def _corrections(folder: Path, base: ChosenCases) -> dict[str, Path]:
    """Corrected labels by case; files that belong to no unlabelled scan are named and passed over."""
    known = {StoredScan(path).info.case for path in base.unlabelled}
    found = {stem_of(path): path for path in sorted(folder.iterdir()) if path.is_file() and suffix_of(path) in READABLE}
    for case in sorted(set(found) - known):
        _log.warning("%s: of no unlabelled scan of the cohort; passed over", found[case])
    return {case: path for case, path in found.items() if case in known}


def _learned_from(place: _Place) -> tuple[list[Path], list[Path]]:
    """Stored scans with corrected labels, and with pseudo-labels."""
    judgements = read_judgements(place.folder) if place.judged.exists() else {}
    taken = {case: judged for case, judged in judgements.items() if judged.accepted}
    corrected = [place.scans / f"{case}{SUFFIX}" for case, judged in taken.items() if judged.corrected]
    trusted = [place.scans / f"{case}{SUFFIX}" for case, judged in taken.items() if not judged.corrected]
    return corrected, trusted


def read_judgements(folder: Path) -> dict[str, Judgement]:
    """What became of each unlabelled scan, by case.

    Args:
        folder: of a round after the first.
    """
    return _JUDGEMENTS.validate_json(_Place(folder).judged.read_bytes())


def _validated(
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


def _read_rounds(folder: Path) -> list[Round]:
    path = folder / _ROUNDS
    return _ROUNDS_IN_FILE.validate_json(path.read_bytes()) if path.exists() else []


def _write_rounds(folder: Path, rounds: Sequence[Round]) -> None:
    with replacing(folder / _ROUNDS) as temporary:
        temporary.write_bytes(_ROUNDS_IN_FILE.dump_json(list(rounds), indent=1))
