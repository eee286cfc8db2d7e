"""What a review tells of each case, with pictures of the worst, where cases are judged in several processes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ivos.report.review import JudgedCase
from ivos.report.review_pictures import PICTURED, ReviewPicture, WorstPictures, review_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ivos.pseudo_labels import PseudoLabels
    from ivos.volume.volume import Volume


class CaseReview:
    """Tells of the cases of one process, and paints those that rank among its worst so far.

    The worst of all cases are among the worst of their process, so that none of them lacks a picture.
    """

    def __init__(self) -> None:
        self._pictures = WorstPictures()

    def __call__(
        self, case: str, judged: PseudoLabels, others: Mapping[str, Volume], scan: Callable[[], Volume | None]
    ) -> dict[str, Any]:
        """The summary of a case, as JSON can hold it.

        Args:
            case: its name.
            judged: what became of it.
            others: what it was judged by, by name.
            scan: reads what lies below a picture; None for a dark ground.
        """
        found = JudgedCase.of(case, judged)
        self._pictures.add(case, found.rank, lambda: review_picture(scan(), judged.consensus, others, found.doubtful))
        picture = self._pictures.kept.get(case)
        return {"case": found.model_dump(mode="json"), "picture": None if picture is None else asdict(picture)}


def judged_case(told: Mapping[str, Any]) -> JudgedCase:
    """A case from what was told of it."""
    return JudgedCase.model_validate(told["case"])


def worst_pictures(told: Sequence[Mapping[str, Any]]) -> dict[str, ReviewPicture]:
    """The pictures of the cases that rank first among all, by case."""
    worst = sorted(told, key=lambda of: judged_case(of).rank)[:PICTURED]
    return {judged_case(of).case: ReviewPicture(**of["picture"]) for of in worst if of["picture"] is not None}
