"""The pseudo-labels of a round: the unlabelled scans segmented in three ways, judged, and stored to be learned from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ivos.io.read import read_labels
from ivos.io.write import write_volume
from ivos.loop.corrections import corrections, read_correction
from ivos.loop.records import Judgement, RoundFiles, write_judgements
from ivos.nets.reference_file import load_reference
from ivos.pseudo_labels import judge
from ivos.segmentation.segmenter import Segmenter
from ivos.segmentation.settings import SegmentationSettings
from ivos.training.data.store import SUFFIX, StoredScan, store
from ivos.volume.labels import IGNORE_NAME, ignore_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ivos.loop.settings import LoopSettings
    from ivos.volume.volume import Volume

    Progress = Callable[[str, int, int], None]

_log = logging.getLogger(__name__)


def make_pseudo_labels(
    settings: LoopSettings, unlabelled: Sequence[Path], files: RoundFiles, progress: Progress | None
) -> None:
    """Segment the unlabelled scans with the networks of the round before, and store what can be learned from.

    What is done stays done; a person's labels go before pseudo-labels.

    Args:
        settings: of the loop.
        unlabelled: stored scans.
        files: of the round.
        progress: called with what is being done, how much of it is, and how much there is.

    Raises:
        InputError: what segmentation or reading refuse, or corrected labels that do not fit their scan.
    """
    if files.judged.exists():
        return
    before = RoundFiles(files.loop, files.number - 1)
    views = _views(settings, before.weights)
    scans = {scan.info.case: scan for scan in map(StoredScan, unlabelled)}
    ignored = _ignored(before.weights)
    _corrected(files.loop, scans, ignored)  # refused before the work rather than after it
    for name, view in views.items():
        _predict(view, list(scans.values()), files.predictions / name, progress)
    corrected = _corrected(files.loop, scans, ignored)  # again: a person may have been quicker than the networks
    judgements = {}
    for case, stored in scans.items():
        scan = stored.scan()
        if case in corrected:
            labels: Volume | None = read_correction(corrected[case], scan, ignored)
            judgements[case] = Judgement(corrected=True, accepted=True, reason="corrected by hand")
        else:
            predictions = [files.predictions / name / f"{case}.nii.gz" for name in views]
            judgements[case], labels = _judged(settings, case, predictions, files, before)
        if labels is not None:
            write_volume(files.labels / f"{case}.nii.gz", labels)
            store(files.scans / f"{case}{SUFFIX}", scan, labels, case=case, fingerprint=case)
    write_judgements(files, judgements)


def _corrected(folder: Path, scans: dict[str, StoredScan], ignored: Mapping[int, str]) -> dict[str, Path]:
    """Corrected labels that fit their scans, by case; files of no unlabelled scan are named and passed over."""
    found, others = corrections(folder, scans)
    for path in others:
        _log.warning("%s: of no unlabelled scan of the cohort; passed over", path)
    for case, path in found.items():
        read_correction(path, scans[case].scan(), ignored)
    return found


def _ignored(weights: Sequence[Path]) -> dict[int, str]:
    """The label of what is ignored, in the files of the loop and in corrections: not every program keeps its name."""
    return {ignore_id(n for path in weights for n in load_reference(path)[1].structures): IGNORE_NAME}


def _judged(
    settings: LoopSettings, case: str, paths: Sequence[Path], files: RoundFiles, before: RoundFiles
) -> tuple[Judgement, Volume | None]:
    """What becomes of a scan, and its labels if it is accepted."""
    previous = before.consensus / f"{case}.nii.gz"
    judged = judge(
        [read_labels(path) for path in paths],
        settings.pseudo_label,
        read_labels(previous) if previous.exists() else None,
    )
    write_volume(files.consensus / f"{case}.nii.gz", judged.consensus)
    judgement = Judgement(
        corrected=False,
        accepted=judged.accepted,
        reason=judged.reason,
        trust=judged.trust,
        structures=judged.structures,
        change=judged.change,
    )
    return judgement, judged.labels


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
        "mirrored": with_networks(*weights, tta_mirror=not settings.segment.tta_mirror),
        "slices": with_networks(*weights, propagation="none"),
    }


def _predict(
    settings: SegmentationSettings, scans: Sequence[StoredScan], folder: Path, progress: Progress | None
) -> None:
    left = [scan for scan in scans if not (folder / f"{scan.info.case}.nii.gz").exists()]
    segmenter = Segmenter(settings) if left else None
    for number, scan in enumerate(left, start=1):
        assert segmenter is not None  # noqa: S101 - there are scans left
        write_volume(folder / f"{scan.info.case}.nii.gz", segmenter(scan.scan()).labels)
        if progress is not None:
            progress(f"segmenting ({folder.name})", number, len(left))
