"""The page of an evaluation: every structure's scores, how they are distributed, every case's, and the worst seen."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.files import replacing
from ivos.io.pairs import read_pair
from ivos.io.read import read
from ivos.metrics.evaluation import by_structure, counts, deviations, means
from ivos.metrics.same_structures import match_pair, remove_ignored
from ivos.report.boxplot import Group, box_plot
from ivos.report.scan import template
from ivos.volume.labels import scheme_from_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ivos.metrics.evaluation import Score
    from ivos.report.pictures import Picture
    from ivos.types import Progress
    from ivos.volume.label_matching import By
    from ivos.volume.volume import Volume

_WORST = 12
_COLUMN_PIXELS = 420
_METRICS = {"dsc": "DSC", "nsd": "NSD"}


@dataclass(frozen=True)
class CaseFiles:
    """Where a case is; it is read only if it is among the worst.

    Attributes:
        prediction: label file.
        truth: label file.
        scan: the scan that is shown below the labels; without one they are shown on a dark ground.
        names: of label ids, instead of those in the files.
        ignore: the label that a person says is "ignore".
        by: what tells which labels are the same structure.
    """

    prediction: Path
    truth: Path
    scan: Path | None = None
    names: Mapping[int, str] | None = None
    ignore: int | None = None
    by: By = "auto"


def write_evaluation(
    folder: Path,
    scores: Sequence[Score],
    files: Mapping[str, CaseFiles],
    *,
    title: str,
    nsd: str = "NSD",
    failed: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write ``evaluation.html``, a page that needs no other file.

    Args:
        folder: where it goes; made if it is not there.
        scores: of every case and structure.
        files: of every case.
        title: the heading.
        nsd: what to call the NSD, with its tolerance for example.
        failed: cases without scores, and why.
        progress: called with pictures done and pictures to do.

    Returns:
        The page.

    Raises:
        InputError: the folder cannot be written to, or a file that is to be shown cannot be read or does not fit.
    """
    by_case = _worst_first(scores)
    worst = []
    for number, (case, of_case) in enumerate(list(by_case.items())[:_WORST], start=1):
        worst.append({"case": case, "scores": of_case, **_pictured(files[case], of_case)})
        if progress is not None:
            progress(number, min(len(by_case), _WORST))
    structures = by_structure(scores)
    scheme = scheme_from_names(_names(scores))
    colours = {label.id: "rgb({}, {}, {})".format(*label.colour) for label in scheme.labels}
    page = template("evaluation.html.j2").render(
        title=title,
        nsd=nsd,
        by_case=by_case,
        structures=[
            {"of": of[0], "cases": counts(of)["dsc"], "mean": means(of), "sd": deviations(of), "counts": counts(of)}
            for of in structures
        ],
        mean=means(scores),
        counts=counts(scores),
        failed=failed or {},
        colours=colours,
        charts=[_chart(metric, {**_METRICS, "nsd": nsd}[metric], structures, colours) for metric in _METRICS],
        table=[(case, {score.structure: score for score in of_case}) for case, of_case in by_case.items()],
        worst=worst,
    )
    path = folder / "evaluation.html"
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _names(scores: Sequence[Score]) -> dict[int, str]:
    return {score.structure: score.name for score in scores}


def _worst_first(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """The scores of each case, the worst structure first, and the cases by their worst structure, then their mean.

    By the mean alone a case with one organ lost would stand behind one where all are middling.
    """
    by_case: dict[str, list[Score]] = {}
    for score in scores:
        by_case.setdefault(score.case, []).append(score)
    ordered = {case: sorted(of_case, key=_badness) for case, of_case in by_case.items()}

    def key(case: str) -> tuple[float, float, str]:
        mean = means(ordered[case])["dsc"]
        return _badness(ordered[case][0])[0], 1.0 if math.isnan(mean) else mean, case

    return {case: ordered[case] for case in sorted(ordered, key=key)}


def _badness(score: Score) -> tuple[float, float, float]:
    """Lowest for the worst: by DSC, then NSD, then the volume that is wrong; what is in neither comes last."""
    dsc, nsd = (2.0 if math.isnan(value) else value for value in (score.dsc, score.nsd))
    return dsc, nsd, -abs(score.volume_ml - score.true_volume_ml)


def _chart(
    metric: str, title: str, structures: Sequence[Sequence[Score]], colours: Mapping[int, str]
) -> dict[str, Any]:
    """A box plot of one metric, from a round figure below the lowest score to 1."""
    groups = [
        Group(
            of[0].name, colours[of[0].structure], [(s.case, v) for s in of if not math.isnan(v := getattr(s, metric))]
        )
        for of in structures
    ]
    lowest = min((value for group in groups for _, value in group.figures), default=0.0)
    first = min(math.floor(10 * lowest + 1e-9), 9)
    return box_plot(title, groups, [tenth / 10 for tenth in range(first, 11)])


def _pictured(files: CaseFiles, scores: Sequence[Score]) -> dict[str, Any]:
    """The slice where prediction and truth differ most for the worst structure, and its number in the file."""
    from ivos.report.video import Column, Video

    structure, names = scores[0].structure, _names(scores)
    truth, prediction, scan = _volumes(files, scores)
    axis = truth.geometry.through_plane_axis
    others = tuple(other for other in range(3) if other != axis)
    wrong = np.count_nonzero((truth.array == structure) != (prediction.array == structure), axis=others)
    index = int(np.argmax(wrong))
    columns = [
        Column(what, volume.with_array(volume.array, names))
        for what, volume in (("truth", truth), ("prediction", prediction))
    ]
    picture = Video(scan, columns, axis, _COLUMN_PIXELS).frame(index)
    return {"picture": _embedded(picture), "slice": truth.source_index(axis, index), "wrong": int(wrong[index])}


def _volumes(files: CaseFiles, scores: Sequence[Score]) -> tuple[Volume, Volume, Volume]:
    """Truth, prediction and scan on one grid, under the ids of the scores, the first of which is shown whole.

    Voxels of which the truth says nothing are background in both.
    """
    prediction, truth = read_pair(files.prediction, files.truth, scan=files.scan, names=files.names)
    grid = truth.layers[0]
    scan = grid.with_array(np.zeros(grid.array.shape, np.uint8)) if files.scan is None else read(files.scan)
    truth = truth.on_grid_of(scan, str(files.truth))
    prediction = prediction.on_grid_of(scan, str(files.prediction))
    prediction, truth = remove_ignored(prediction, truth, files.names, files.ignore)
    pair = match_pair(prediction, truth, files.names, files.by)[:2]
    own = {name: label for labels in pair for label, name in labels.names.items()}
    ids = {own.get(score.name, score.structure): score.structure for score in scores}
    shown = [labels.numbered(ids, _names(scores)).flat(scores[0].structure) for labels in pair]
    return shown[1], shown[0], scan


def _embedded(picture: Picture) -> str:
    import cv2

    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return f"data:image/png;base64,{base64.b64encode(encoded.tobytes()).decode()}"
