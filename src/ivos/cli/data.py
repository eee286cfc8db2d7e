"""`ivos info` and `ivos phantom`: looking at files, and making some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.terminal import print_json, print_line, print_table, progress_bar
from ivos.errors import InputError

if TYPE_CHECKING:
    from ivos.volume.volume import Volume


def info(
    file: Annotated[Path, typer.Argument(help="NIfTI, NRRD or MetaImage file, DICOM folder, zip or labels.")],
    series: Annotated[str | None, typer.Option(help="DICOM: last characters of the series to take.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """What a scan or a label file holds: size, spacing, orientation, intensities, labels."""
    from ivos.volume.dicom_labels import holds_dicom_labels
    from ivos.volume.read import read, read_labels

    volume = read_labels(file) if holds_dicom_labels(file) else read(file, series=series)
    facts = _facts(volume)
    labels: list[dict[str, object]] = []
    if _looks_like_labels(volume):
        volume = volume if volume.names else read_labels(file)
        labels = _label_rows(volume)
    if as_json:
        print_json({"file": str(file), **facts, "labels": labels})
        return
    print_table(str(file), ("", ""), [(key.replace("_", " "), _words(value)) for key, value in facts.items()])
    if labels:
        columns = ("label", "name", "slices", "mL")
        rows = [(str(r["label"]), str(r["name"]), str(r["slices"]), f"{r['volume_ml']:.2f}") for r in labels]
        print_table("Labels", columns, rows)


def _facts(volume: Volume) -> dict[str, object]:
    from ivos.volume.geometry import AXIS_NAMES
    from ivos.volume.windows import modality_of

    grid = volume.source
    return {
        "size_xyz": list(reversed(grid.shape)),
        "spacing_mm_xyz": [round(s, 6) for s in reversed(grid.spacing_mm)],
        "origin_mm_lps": [round(o, 4) for o in grid.origin_mm],
        "axis_directions_xyz": [_direction(axis) for axis in reversed(grid.axes)],
        "slices_lie": AXIS_NAMES[volume.geometry.through_plane_axis],
        "modality": volume.modality or ("CT" if modality_of(volume) == "ct" else "not CT"),
        "stored_as": str(volume.array.dtype),
        "lowest": float(volume.array.min()),
        "highest": float(volume.array.max()),
    }


def _direction(axis: tuple[float, float, float]) -> str:
    """Where an array axis runs to, in a letter or as a vector where it is oblique."""
    largest = max(range(3), key=lambda n: abs(axis[n]))
    letter = ("LPS" if axis[largest] > 0 else "RAI")[largest]
    oblique = abs(axis[largest]) < 0.9999
    return f"{letter} (oblique: {', '.join(f'{v:.3f}' for v in axis)})" if oblique else letter


def _looks_like_labels(volume: Volume) -> bool:
    import numpy as np

    array = volume.array
    whole = np.issubdtype(array.dtype, np.integer) or bool((array == np.rint(array)).all())
    return whole and array.min() == 0 and 0 < array.max() < 1000 and np.unique(array).size <= 256


def _label_rows(volume: Volume) -> list[dict[str, object]]:
    import numpy as np

    axis = volume.geometry.through_plane_axis
    rows: list[dict[str, object]] = []
    for label in (int(n) for n in np.unique(volume.array) if n):
        mask = volume.array == label
        slices = int(mask.any(axis=tuple(a for a in range(3) if a != axis)).sum())
        ml = float(mask.sum()) * volume.geometry.voxel_volume_ml
        rows.append({"label": label, "name": volume.names.get(label, ""), "slices": slices, "volume_ml": ml})
    return rows


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def phantom(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for images/ and labels/ (FLARE22 layout).")],
    cases: Annotated[int, typer.Option("--cases", "-n", help="How many.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same cases.")] = 0,
    size: Annotated[
        str | None, typer.Option(help="Voxels as x,y,z, like 128,128,40; by default each case draws its own.")
    ] = None,
) -> None:
    """Make synthetic abdominal CT scans with the 13 FLARE22 organs and their true labels."""
    from ivos.phantom import write_cohort

    if cases < 1:
        raise InputError(f"--cases {cases}: must be at least 1")
    shape = None if size is None else _shape(size)
    with progress_bar("Making phantoms") as progress:
        names = write_cohort(output, cases, seed=seed, shape=shape, progress=lambda done: progress(done, cases))
    print_line(f"{len(names)} cases in {output}: images/ and labels/")


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() and 16 <= int(part) <= 1024 for part in parts):
        raise InputError(f"--size {text}: give three numbers of 16 to 1024 voxels, like 128,128,40 (x, y, z)")
    x, y, z = (int(part) for part in parts)
    return z, y, x
