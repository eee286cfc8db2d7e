"""The page of a run: self-contained HTML beside a PNG and a GIF."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ivos.files import replacing
from ivos.report.summary import structure_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jinja2 import Template

    from ivos.metrics.evaluation import Score
    from ivos.propagation.label_result import LabelResult
    from ivos.report.pictures import Picture
    from ivos.uncertainty.estimate import Estimate
    from ivos.volume.volume import Volume


def write_report(
    folder: Path,
    scan: Volume,
    result: LabelResult,
    *,
    title: str,
    engine: str,
    seconds: Mapping[str, float],
    mark: str = "drawn",
    scores: Sequence[Score] = (),
    estimates: Mapping[int, Estimate] | None = None,
) -> None:
    """Write ``report.html``, ``montage.png`` and ``slices.gif``.

    Args:
        folder: where they go; made if it is not there.
        scan: the scan.
        result: its labels.
        title: the heading.
        engine: the engine's name.
        seconds: duration of each part of the run.
        mark: what the slices are that propagation began from.
        estimates: of the DSC of structures, by label id, where there are any.
        scores: how the result compares with a true segmentation, where there is one.

    Raises:
        InputError: the folder cannot be written to.
    """
    from ivos.report.pictures import Painter, film, montage, save_film
    from ivos.volume.labels import scheme_from_names

    sheet = montage(Painter(scan, result.labels, result.axis, 360, mark), result.sources)
    with replacing(folder / "montage.png") as path:
        write_png(path, sheet)
    with replacing(folder / "slices.gif") as path:
        save_film(film(Painter(scan, result.labels, result.axis, 400, mark), result.sources), str(path))

    scheme = scheme_from_names(result.labels.names)
    by_structure = {score.structure: score for score in scores}
    html = template("report.html.j2").render(
        title=title,
        engine=engine,
        mark=mark,
        scan=scan.source.describe(),
        axis=result.axis.plane,
        annotated=result.source_slices,
        slices=result.labels.array.shape[result.axis],
        seconds=seconds,
        rows=[
            {
                **row,
                "colour": "rgb({}, {}, {})".format(*scheme.colour(row["label"])),
                "score": by_structure.get(row["label"]),
                "estimate": (estimates or {}).get(row["label"]),
            }
            for row in structure_rows(result)
        ],
        scored=bool(scores),
        estimated=bool(estimates),
        montage=embedded(folder / "montage.png", "image/png"),
        film=embedded(folder / "slices.gif", "image/gif"),
    )
    with replacing(folder / "report.html") as path:
        path.write_text(html, encoding="utf-8")


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture (H, W, 3), RGB, by Python's own means: OpenCV's do not say that a disk is full."""
    import cv2

    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    path.write_bytes(encoded.tobytes())


def template(name: str) -> Template:
    """One of the pages of this folder."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    return Environment(loader=PackageLoader("ivos.report", "."), autoescape=select_autoescape(["j2"])).get_template(
        name
    )


def embedded(path: Path, kind: str) -> str:
    """A picture as the address of an image in a page."""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
