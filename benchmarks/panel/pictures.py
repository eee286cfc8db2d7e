"""Pictures of the panel's worst structures, each propagated once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.panel.protocol import found_labels, score_case
from benchmarks.pictures import save_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.engines import Contender
    from benchmarks.panel.cohorts import Cohort
    from benchmarks.panel.protocol import Protocol


def save_worst(
    folder: Path, cohorts: Sequence[Cohort], contender: Contender, protocol: Protocol, worst: int
) -> list[Path]:
    """One PNG for each of the structures of lowest DSC; where they are."""
    engine = contender.load()
    scored = [
        (case, score)
        for cohort in cohorts
        for case in cohort.cases
        for score in score_case(case, protocol, engine).structures
    ]
    paths = []
    for rank, (case, score) in enumerate(sorted(scored, key=lambda item: item[1].counts.dsc)[:worst], start=1):
        scan, labels = case.load()
        result, _, _ = found_labels(scan, labels, protocol, engine)
        truth, found = labels.array == score.structure, result == score.structure
        title = f"{case.name}: {score.name}, {contender.name}, DSC {score.counts.dsc:.3f}"
        paths.append(save_sheet(folder, f"{rank} {title.split(',')[0]}", title, scan, truth, found, score.annotated))
    return paths
