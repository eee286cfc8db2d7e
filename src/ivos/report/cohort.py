"""The page of a prepared cohort: grids, volumes of structures, a picture of some cases, what was left out and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.files import replacing
from ivos.report.scan import embedded, template, write_png
from ivos.types import Axis
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.report.pictures import Picture
    from ivos.training.data.prepare import Manifest, ManifestCase

_BARS = 16
_PICTURED, _COLUMNS, _TILE_PIXELS = 12, 4, 300
_FAR = 3.0  # times the median volume, or that part of it
_FAR_SHOWN = 5


def write_cohort_page(folder: Path, manifest: Manifest, *, title: str) -> None:
    """Write ``cohort.html`` and ``cohort.png``.

    Args:
        folder: the prepared folder.
        manifest: what it holds.
        title: the heading.

    Raises:
        InputError: the folder cannot be written to, or a stored scan is damaged.
    """
    with replacing(folder / "cohort.png") as path:
        write_png(path, _montage(folder, manifest))
    infos = [case.info for case in manifest.cases]
    grids = {
        "Slice distance, mm": [info.spacing_mm[0] for info in infos],
        "Pixel spacing, mm": [info.spacing_mm[2] for info in infos],
        "Slices": [float(info.shape[0]) for info in infos],
        "Extent through the slices, mm": [info.shape[0] * info.spacing_mm[0] for info in infos],
    }
    page = template("cohort.html.j2").render(
        title=title,
        cases=len(infos),
        labelled=sum(info.labelled for info in infos),
        tests=sum(case.split == "test" for case in manifest.cases),
        folds=manifest.folds,
        refused=manifest.refused,
        montage=embedded(folder / "cohort.png", "image/png"),
        charts=[_chart(what, values) for what, values in grids.items()],
        rows=_structures(manifest),
    )
    with replacing(folder / "cohort.html") as path:
        path.write_text(page, encoding="utf-8")


def _montage(folder: Path, manifest: Manifest) -> Picture:
    from ivos.report.pictures import tiled

    labelled = [case for case in manifest.cases if case.info.labelled] or list(manifest.cases)
    chosen = np.unique(np.linspace(0, len(labelled) - 1, min(_PICTURED, len(labelled))).round().astype(int))
    return tiled([_picture(folder, labelled[n], manifest) for n in chosen], _COLUMNS)


def _picture(folder: Path, case: ManifestCase, manifest: Manifest) -> Picture:
    from ivos.report.pictures import Painter
    from ivos.training.data.store import StoredScan

    stored = StoredScan(folder / case.file)
    scan = stored.scan()
    labels = stored.labels() if stored.info.labelled else scan.with_array(np.zeros(scan.array.shape, np.uint8))
    structures = [len(structures_in(plane)) for plane in labels.array]
    index = int(np.argmax(structures)) if any(structures) else len(scan.array) // 2
    named = scan.with_array(labels.array, manifest.names)
    return Painter(scan, named, Axis.AXIAL, _TILE_PIXELS).paint(index, drawn=False)


def _chart(what: str, values: Sequence[float]) -> dict[str, Any]:
    counts, _ = np.histogram(values, bins=_BARS)
    low, median, high = (f"{v:.3g}" for v in (min(values), float(np.median(values)), max(values)))
    heights = (100 * counts / counts.max()).round(1).tolist()
    return {"what": what, "heights": heights, "low": low, "median": median, "high": high}


def _structures(manifest: Manifest) -> list[dict[str, Any]]:
    """For each structure in how many cases it is, its volumes, and the cases whose volume is far from the usual."""
    volumes: dict[int, dict[str, float]] = {}
    for case in manifest.cases:
        for label, volume_ml in (case.info.volumes_ml or {}).items():
            volumes.setdefault(label, {})[case.info.case] = volume_ml
    rows = []
    for label, by_case in sorted(volumes.items()):
        median = float(np.median(list(by_case.values())))
        far = [case for case, volume in by_case.items() if not median / _FAR <= volume <= median * _FAR]
        rows.append(
            {
                "label": label,
                "name": manifest.names.get(label, f"label {label}"),
                "cases": len(by_case),
                "median": median,
                "least": min(by_case.values()),
                "most": max(by_case.values()),
                "far": far[:_FAR_SHOWN] + ["..."] * (len(far) > _FAR_SHOWN),
            }
        )
    return rows
