"""The review page of a round: its pseudo-labels, the worst first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ivos.files import entries_of
from ivos.io.read import read_labels
from ivos.loop.records import RoundFiles
from ivos.report.review import InLoop, JudgedCase, ReviewManifest, write_review_page
from ivos.report.review_pictures import WorstPictures, review_picture
from ivos.training.data.store import StoredScan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivos.loop.records import ScanDecision
    from ivos.pseudo_labels import PseudoLabelSettings
    from ivos.report.review_pictures import ReviewPicture


def write_round_review(
    settings: PseudoLabelSettings, files: RoundFiles, judgements: Mapping[str, ScanDecision], scans: Mapping[str, Path]
) -> None:
    """Write ``review.html`` into the folder of a round: what its scans were judged to be, corrected ones at the end.

    Args:
        settings: how they were judged.
        files: of the round.
        judgements: of its scans, by case.
        scans: stored scans by case, to lie below the pictures.

    Raises:
        InputError: the folder cannot be written to, or a file that is to be shown cannot be read.
    """
    before = RoundFiles(files.loop, files.number - 1)
    cases = [
        JudgedCase(case=case, **judgement.model_dump(exclude={"corrected"})) for case, judgement in judgements.items()
    ]
    cases.sort(key=lambda case: (judgements[case.case].corrected, case.rank))
    pictures = WorstPictures()
    for case in cases:
        if not judgements[case.case].corrected:
            pictures.add(case.case, case.rank, partial(_picture, case, files, before, scans.get(case.case)))
    manifest = ReviewManifest(
        settings=settings,
        least=settings.least,
        predictions=tuple(folder.name for folder in entries_of(files.predictions)),
        previous=f"round {before.number}" if before.consensus.exists() else None,
        cases=tuple(cases),
        labels=tuple(sorted(case.case for case in cases if case.accepted)),
    )
    labels = {
        case: f"{'labels' if judgement.corrected else 'consensus'}/{case}.nii.gz"
        for case, judgement in judgements.items()
    }
    title = f"{files.loop.resolve().name}, round {files.number}"
    write_review_page(manifest, pictures.kept, files.folder, title=title, loop=InLoop(files.number, labels))


def _picture(case: JudgedCase, files: RoundFiles, before: RoundFiles, scan: Path | None) -> ReviewPicture:
    """The consensus of a scan beside what it was made of, and the round before."""
    name = f"{case.case}.nii.gz"
    others = {folder.name.replace("_", " "): folder / name for folder in entries_of(files.predictions)}
    if (before.consensus / name).exists():
        others["previous round"] = before.consensus / name
    return review_picture(
        None if scan is None else StoredScan(scan).scan(),
        read_labels(files.consensus / name),
        {what: read_labels(path) for what, path in others.items()},
        case.doubtful,
    )
