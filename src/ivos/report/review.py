"""What was judged of scans whose labels are to be trained on: the manifest beside the labels, and a page to review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError
from ivos.files import replacing
from ivos.pseudo_labels import Change, PseudoLabelSettings, StructureScore
from ivos.report.review_pictures import Doubtful
from ivos.report.scan import template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivos.pseudo_labels import PseudoLabels
    from ivos.report.review_pictures import ReviewPicture

MANIFEST, PAGE = "manifest.json", "review.html"
_MIDDLE = 0.85  # where colours change for the rule that has no threshold


class JudgedCase(BaseModel):
    """A case of the manifest.

    Attributes:
        case: its name.
        accepted: whether there are labels.
        reason: why, in words.
        trust: the scan's, by the rule.
        structures: all that was found in it, with every figure.
        change: since the previous round; None where there is nothing to compare with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: str
    accepted: bool
    reason: str
    trust: float | None
    structures: tuple[StructureScore, ...]
    change: Change | None = None

    @staticmethod
    def of(case: str, judged: PseudoLabels) -> JudgedCase:
        """The figures of what was judged."""
        return JudgedCase(
            case=case,
            accepted=judged.accepted,
            reason=judged.reason,
            trust=judged.trust,
            structures=judged.structures,
            change=judged.change,
        )

    @property
    def worst(self) -> StructureScore | None:
        """The structure that is trusted least; None where nothing is known of any."""
        known = [structure for structure in self.structures if structure.trust is not None]
        return min(known, key=lambda structure: structure.trust or 0.0, default=None)

    @property
    def vanished(self) -> dict[int, str]:
        """The structures that the previous round has and this one has no voxel of, whatever the rule makes of it."""
        return {} if self.change is None else self.change.vanished

    @property
    def doubtful(self) -> Doubtful | None:
        """The structure to look at: one that has vanished, or the one that is trusted least; None if all agrees."""
        for structure, name in self.vanished.items():
            return Doubtful(structure, name)
        worst = self.worst
        return None if worst is None or worst.trust == 1 else Doubtful(worst.structure, worst.name)

    @property
    def rank(self) -> tuple[float, str]:
        """What cases are ordered by: nothing is known, a structure has vanished, then by the worst structure."""
        worst = self.worst
        if worst is None or worst.trust is None:
            return -1.0, self.case
        return 0.0 if self.vanished else worst.trust, self.case


class ReviewManifest(BaseModel):
    """What a folder of pseudo-labels holds.

    Attributes:
        settings: how cases were judged.
        least: the threshold that this means.
        predictions: the folders that were compared.
        previous: the folder of the previous round.
        cases: the worst first.
        labels: cases whose label file here is of the command that writes this; while it runs, all that it may write.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: PseudoLabelSettings
    least: float
    predictions: tuple[str, ...]
    previous: str | None
    cases: tuple[JudgedCase, ...]
    labels: tuple[str, ...]


def load_review(folder: Path) -> ReviewManifest | None:
    """The manifest of a folder of pseudo-labels; None where there is none.

    Raises:
        InputError: a manifest of something else, or damaged.
    """
    path = folder / MANIFEST
    try:
        return ReviewManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise InputError(f"{path}: not of 'ivos pseudo-label', or damaged; give another folder") from error


def save_review(manifest: ReviewManifest, folder: Path) -> None:
    """Write the manifest.

    Raises:
        InputError: the folder cannot be written to.
    """
    with replacing(folder / MANIFEST) as path:
        path.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class InLoop:
    """The round of a loop whose pseudo-labels a page shows.

    Attributes:
        number: of the round.
        labels: addresses of the labels that a correction begins with, by case.
    """

    number: int
    labels: Mapping[str, str]


def write_review_page(
    manifest: ReviewManifest,
    pictures: Mapping[str, ReviewPicture],
    folder: Path,
    *,
    title: str,
    loop: InLoop | None = None,
) -> None:
    """Write ``review.html``.

    Args:
        manifest: what was judged.
        pictures: of some cases, by name.
        folder: where it goes.
        title: the heading.
        loop: where the labels are of a loop: the page says how they are corrected for its next round.

    Raises:
        InputError: the folder cannot be written to.
    """
    names = {structure.structure: structure.name for case in manifest.cases for structure in case.structures}
    columns = sorted(names)
    middle = manifest.least or _MIDDLE
    page = template("review.html.j2").render(
        title=title,
        loop_round=loop,
        vanished=[case for case in manifest.cases if case.vanished],
        manifest=manifest,
        accepted=sum(case.accepted for case in manifest.cases),
        columns=[names[structure] for structure in columns],
        rows=[
            {"case": case, "cells": _cells(case, columns, middle), "picture": pictures.get(case.case)}
            for case in manifest.cases
        ],
    )
    with replacing(folder / PAGE) as path:
        path.write_text(page, encoding="utf-8")


def _cells(case: JudgedCase, columns: list[int], middle: float) -> list[dict[str, Any] | None]:
    """For each column the trust, its colour and what to say of it; None for a structure that the case does not have."""
    found = {structure.structure: structure for structure in case.structures}
    cells: list[dict[str, Any] | None] = []
    for column in columns:
        structure = found.get(column)
        if structure is None:
            cells.append(None)
            continue
        taken = "taken" if structure.trusted else "left open" if case.accepted else "left"
        cells.append(
            {
                "text": "?" if structure.trust is None else f"{structure.trust:.3f}",
                "hue": None if structure.trust is None else _hue(structure.trust, middle),
                "trusted": structure.trusted,
                "told": f"{structure.name}: {taken}; {structure.reason}",
            }
        )
    return cells


def _hue(trust: float, middle: float) -> int:
    """Red to orange below the threshold, green from there on, in degrees."""
    if trust < middle:
        return round(45 * trust / middle)
    return round(95 + 45 * (trust - middle) / max(1 - middle, 1e-9))
