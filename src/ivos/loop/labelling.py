"""The pseudo-labels of a round: unlabelled scans are segmented in three ways, accepted, and stored for training."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.io.case_names import case_name, case_of
from ivos.io.cases import files_of
from ivos.io.read import read_labels
from ivos.io.registry import READABLE
from ivos.io.write import write_volume
from ivos.loop.records import RoundFiles, ScanDecision, write_decisions
from ivos.nets.reference_file import load_reference
from ivos.pseudo_labels import accept
from ivos.segmentation.segmenter import Segmenter
from ivos.segmentation.settings import SegmentationSettings
from ivos.training.data.store import SUFFIX, StoredScan, store
from ivos.volume.labels import IGNORE_NAME, ignore_id, with_ignore
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ivos.loop.settings import LoopSettings
    from ivos.volume.volume import Volume

    Progress = Callable[[str, int, int], None]
    from collections.abc import Collection

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
            raise InputError(f"{path}: the case '{case}' has two files; the other is {found[case].name}")
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


_log = logging.getLogger(__name__)


def make_pseudo_labels(
    settings: LoopSettings, unlabelled: Sequence[Path], files: RoundFiles, progress: Progress | None
) -> None:
    """Segment the unlabelled scans with the networks of the round before, and store what can be learned from.

    Finished steps are not repeated; corrected labels take precedence over pseudo-labels.

    Args:
        settings: of the loop.
        unlabelled: stored scans.
        files: of the round.
        progress: called with the current phase, the items done in it and their total.

    Raises:
        InputError: what segmentation or reading refuse, or corrected labels that do not fit their scan.
    """
    if files.decisions.exists():
        return
    before = RoundFiles(files.loop, files.number - 1)
    views = _segmentation_variants(settings, before.weights)
    scans = {scan.info.case: scan for scan in map(StoredScan, unlabelled)}
    ignored = _ignore_names(before.weights)
    _check_corrections(files.loop, scans, ignored)  # refused before the work rather than after it
    for name, view in views.items():
        _predict(view, list(scans.values()), files.predictions / name, progress)
    corrected = _check_corrections(
        files.loop, scans, ignored
    )  # again: a person may have been quicker than the networks
    decisions = {}
    for case, stored in scans.items():
        scan = stored.scan()
        if case in corrected:
            labels: Volume | None = read_correction(corrected[case], scan, ignored)
            decisions[case] = ScanDecision(corrected=True, accepted=True, reason="corrected by hand")
        else:
            predictions = [files.predictions / name / f"{case}.nii.gz" for name in views]
            decisions[case], labels = _decide(settings, case, predictions, files, before)
        if labels is not None:
            write_volume(files.labels / f"{case}.nii.gz", labels)
            store(files.scans / f"{case}{SUFFIX}", scan, labels, case=case, fingerprint=case)
    write_decisions(files, decisions)


def _check_corrections(folder: Path, scans: dict[str, StoredScan], ignored: Mapping[int, str]) -> dict[str, Path]:
    """Corrected labels that fit their scans, by case; files of no unlabelled scan are named and passed over."""
    found, others = corrections(folder, scans)
    for path in others:
        _log.warning("%s: matches no unlabelled scan of the cohort; skipped", path)
    for case, path in found.items():
        read_correction(path, scans[case].scan(), ignored)
    return found


def _ignore_names(weights: Sequence[Path]) -> dict[int, str]:
    """The label of what is ignored, in the files of the loop and in corrections: not every program keeps its name."""
    return {ignore_id(n for path in weights for n in load_reference(path)[1].structures): IGNORE_NAME}


def _decide(
    settings: LoopSettings, case: str, paths: Sequence[Path], files: RoundFiles, before: RoundFiles
) -> tuple[ScanDecision, Volume | None]:
    """What becomes of a scan, and its labels if it is accepted."""
    previous = before.consensus / f"{case}.nii.gz"
    found = accept(
        [read_labels(path) for path in paths],
        settings.pseudo_label,
        read_labels(previous) if previous.exists() else None,
    )
    write_volume(files.consensus / f"{case}.nii.gz", found.consensus)
    decision = ScanDecision(
        corrected=False,
        accepted=found.accepted,
        reason=found.reason,
        trust=found.trust,
        structures=found.structures,
        change=found.change,
    )
    return decision, found.labels


def _segmentation_variants(settings: LoopSettings, weights: Sequence[Path]) -> dict[str, SegmentationSettings]:
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
