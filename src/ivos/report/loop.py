"""The pages of a loop: its rounds on one, and for every round after the first its pseudo-labels to be reviewed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ivos.files import replacing
from ivos.loop.labelling import REVIEW, corrections
from ivos.loop.records import RoundFiles, read_decisions, read_rounds
from ivos.loop.rounds import best_round, has_converged, has_ended
from ivos.report.lineplot import line_plot
from ivos.report.loop_review import write_round_review
from ivos.report.review import PAGE as REVIEW_PAGE
from ivos.report.scan import template
from ivos.training.data.store import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from ivos.loop.records import Round, ScanDecision
    from ivos.loop.settings import LoopSettings
    from ivos.training.data.cases import ChosenCases

PAGE = "loop.html"


def write_loop_pages(settings: LoopSettings, folder: Path, cases: ChosenCases) -> None:
    """Write ``loop.html``, and ``round_N/review.html`` for every round that has pseudo-labels and no such page yet.

    The loop may have ended, be running, or have been stopped anywhere.

    Args:
        settings: of the loop.
        folder: of the loop.
        cases: the scans on which it works.

    Raises:
        InputError: the folder cannot be written to, or a file that is to be shown cannot be read.
    """
    scans = {path.name.removesuffix(SUFFIX): path for path in cases.unlabelled}
    rounds, judged = read_rounds(folder), _round_judgements(folder)
    for number, judgements in judged.items():
        files = RoundFiles(folder, number)
        if not (files.folder / REVIEW_PAGE).exists():
            write_round_review(settings.pseudo_label, files, judgements, scans)
    page = template("loop.html.j2").render(
        title=folder.resolve().name,
        settings=settings,
        scans=len(scans),
        rows=_rows(rounds, judged, ended=has_ended(rounds, settings)),
        best=best_round(rounds).number if rounds else None,
        plots=_plots(rounds, judged),
        next=_next(settings, rounds, judged),
        again=_again(settings, rounds),
        corrected=_corrected(folder, set(scans), judged),
        folder=REVIEW,
        names=sorted(cases.names.items()),
    )
    with replacing(folder / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _round_judgements(folder: Path) -> dict[int, dict[str, ScanDecision]]:
    """By number of the round what became of the scans, of the rounds that have pseudo-labels."""
    found: dict[int, dict[str, ScanDecision]] = {}
    while RoundFiles(folder, len(found) + 1).decisions.exists():
        found[len(found) + 1] = read_decisions(RoundFiles(folder, len(found) + 1).folder)
    return found


def _rows(rounds: Sequence[Round], judged: dict[int, dict[str, ScanDecision]], *, ended: bool) -> list[dict[str, Any]]:
    """The rounds that have ended, and the one that is going on."""
    numbers = range(len(rounds) + (not ended))
    return [
        {
            "number": number,
            "round": rounds[number] if number < len(rounds) else None,
            "review": f"round_{number}/{REVIEW_PAGE}" if number in judged else None,
            **_counts(judged.get(number, {})),
        }
        for number in numbers
    ]


def _counts(judgements: dict[str, ScanDecision]) -> dict[str, Any]:
    """What can be counted of the scans of a round; None for the first one."""
    own = [judgement for judgement in judgements.values() if not judgement.corrected]
    structures = [structure.trusted for judgement in own for structure in judgement.structures]
    return {
        "corrected": len(judgements) - len(own) if judgements else None,
        "accepted": sum(judgement.accepted for judgement in own) if judgements else None,
        "judged": len(own),
        "trusted": sum(structures) / len(structures) if structures else None,
        "vanished": sum(bool(j.change and j.change.vanished) for j in own) if judgements else None,
    }


def _plots(rounds: Sequence[Round], judged: dict[int, dict[str, ScanDecision]]) -> list[dict[str, Any]]:
    """The validation DSC of the rounds, and how much of their pseudo-labels is trusted; what is known of it."""
    plots = []
    dscs = [math.nan if r.validation_dsc is None else r.validation_dsc for r in rounds]
    known = [dsc for dsc in dscs if not math.isnan(dsc)]
    if known:
        first = min(math.floor(10 * min(known) + 1e-9), 9)
        ticks = [tenth / 10 for tenth in range(first, 11)]
        plots.append(line_plot([r.number for r in rounds], {"DSC": dscs}, "round", "validation DSC", ticks))
    if judged:
        counts = {number: _counts(judgements) for number, judgements in judged.items()}
        scans = [math.nan if not c["judged"] else c["accepted"] / c["judged"] for c in counts.values()]
        structures = [math.nan if c["trusted"] is None else c["trusted"] for c in counts.values()]
        curves = {"scans": scans, "structures": structures}
        plots.append(line_plot(list(counts), curves, "round", "share that is trusted"))
    return plots


def _next(settings: LoopSettings, rounds: Sequence[Round], judged: dict[int, dict[str, ScanDecision]]) -> int:
    """The number of the round that takes up what is corrected now, be it one that the settings no longer ask for."""
    return max(1, len(rounds), len(judged) + (not has_ended(rounds, settings)))


def _again(settings: LoopSettings, rounds: Sequence[Round]) -> str | None:
    """The settings with which a loop that has ended has one more round; None for one that goes on by itself."""
    if not has_ended(rounds, settings):
        return None
    more = [f"rounds={len(rounds)}"] if len(rounds) > settings.rounds else []
    return " ".join([*more, *([f"patience={settings.patience + 1}"] if has_converged(rounds, settings) else [])])


def _corrected(
    folder: Path, cases: Collection[str], judged: dict[int, dict[str, ScanDecision]]
) -> dict[str, list[str]]:
    """Corrected labels in the folder for them: taken up by the last round, waiting for the next, of no scan."""
    found, others = corrections(folder, cases)
    last = judged[max(judged)] if judged else {}
    taken = [case for case in found if case in last and last[case].corrected]
    return {
        "taken": taken,
        "waiting": [case for case in found if case not in taken],
        "foreign": [path.name for path in others],
    }
