"""`ivos info`: what a scan or a label file contains."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli import options
from ivos.cli.output import print_json, print_line, print_table
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.volume.label_layers import LabelLayers
    from ivos.volume.volume import Volume

    Facts = dict[str, object]


def info(
    file: Annotated[
        Path, typer.Argument(help="Scan or labels: NIfTI, NRRD or MetaImage file, DICOM file, folder or .zip.")
    ],
    scan: Annotated[
        Path | None, options.input_option(help="For RTSTRUCT and DICOM SEG: the scan, to count slices and volumes.")
    ] = None,
    as_json: options.JsonOption = False,
    series: options.SeriesOption = None,
    stack: options.StackOption = None,
) -> None:
    """Show what a scan or a label file contains: size, spacing, orientation, intensities, labels."""
    from ivos.io.dicom.choice import ChoiceNeededError
    from ivos.io.dicom.labels import holds_dicom_labels

    stacks: list[dict[str, object]] = []
    if holds_dicom_labels(file):
        facts, labels = _read_dicom_labels(file, scan, series, stack)
    elif scan is not None:
        raise InputError(f"--scan {scan}: goes with RTSTRUCT and DICOM SEG files")
    else:
        stacks = _stack_rows(file, series)
        try:
            facts, labels = _read_image(file, series, stack)
        except ChoiceNeededError as error:  # the choices are the answer
            if as_json:
                print_json({"file": str(file), "stacks": stacks})
            else:
                _print_stacks(stacks)
                print_line(str(error))
            return
    if as_json:
        print_json({"file": str(file), **facts, "labels": labels, **({"stacks": stacks} if len(stacks) > 1 else {})})
        return
    if len(stacks) > 1:
        _print_stacks(stacks)
    print_table(str(file), ("", ""), [(key.replace("_", " "), _words(value)) for key, value in facts.items()])
    if labels:
        columns = [column for column in _COLUMNS if any(column in row for row in labels)]
        rows = [tuple(_cell(row.get(column)) for column in columns) for row in labels]
        print_table("Labels", [_COLUMNS[column] for column in columns], rows)


_COLUMNS = {
    "label": "label",
    "name": "name",
    "contours": "contours",
    "frames": "frames",
    "slices": "slices",
    "volume_ml": "mL",
}


def _read_image(file: Path, series: str | None, stack: int | None) -> tuple[Facts, list[Facts]]:
    """What a scan or a label file is, and its labels if it looks like one."""
    from ivos.io.label_names import label_names
    from ivos.io.pairs import read_label_layers
    from ivos.io.read import read, read_labels
    from ivos.io.slicer_segments import is_segmentation
    from ivos.volume.label_layers import layers_of
    from ivos.volume.label_statistics import looks_like_labels

    if is_segmentation(file):
        layers = read_label_layers(file)
        overlap = {"structures_overlap": True} if len(layers.layers) > 1 else {}
        return {**_facts(layers.flat()), **overlap}, _label_rows(layers)
    volume = read(file, series=series, stack=stack)
    is_file = file.is_file() and volume.modality is None
    if not is_file or not (looks_like_labels(volume.array) or label_names(file)):
        return _facts(volume), []
    return _facts(volume), _label_rows(layers_of(read_labels(file)))


def _read_dicom_labels(
    file: Path, scan: Path | None, series: str | None, stack: int | None
) -> tuple[Facts, list[Facts]]:
    """What a DICOM file of labels is, and all its structures, whether they overlap or have no voxels."""
    from ivos.io.dicom.labels import holds_contours, summarise_dicom_labels
    from ivos.io.dicom.seg_read import NoGridError
    from ivos.io.pairs import read_label_layers
    from ivos.io.read import read
    from ivos.volume.label_statistics import extents

    contours = holds_contours(file)
    kind: Facts = {"kind": "RT Structure Set" if contours else "DICOM Segmentation"}
    rows: list[Facts] = [
        {
            "label": one.label,
            "name": one.name,
            "contours" if contours else "frames": _pieces(one.pieces) if contours else one.pieces["frames"],
            "slices": one.slices,
            "volume_ml": None,
        }
        for one in summarise_dicom_labels(file)
    ]
    layers: LabelLayers | None = None
    if scan is not None or not contours:
        try:
            layers = read_label_layers(file, None if scan is None else read(scan, series=series, stack=stack))
        except NoGridError:
            kind["grid"] = "not said by the file; give the scan with --scan"
    if layers is None:
        return kind, rows
    found = extents(layers)
    for row in rows:
        slices, volume_ml = found.get(int(str(row["label"])), (0, 0.0))
        row["slices"], row["volume_ml"] = slices, volume_ml
    return {**kind, **_facts(layers.flat()), "structures_overlap": len(layers.layers) > 1}, rows


def _pieces(kinds: Mapping[str, int]) -> str:
    """Contours by type: ``6 closed, 1 point``."""
    words = {"CLOSED_PLANAR": "closed", "CLOSEDPLANAR_XOR": "closed", "OPEN_PLANAR": "open", "OPEN_NONPLANAR": "open"}
    counted: dict[str, int] = {}
    for kind, count in kinds.items():
        word = words.get(kind, kind.lower())
        counted[word] = counted.get(word, 0) + count
    return ", ".join(f"{count} {word}" for word, count in counted.items()) or "none"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _facts(volume: Volume) -> dict[str, object]:
    from ivos.volume.windows import modality_of

    grid = volume.source
    return {
        "size_xyz": list(reversed(grid.shape)),
        "spacing_mm_xyz": [round(s, 6) for s in reversed(grid.spacing_mm)],
        "origin_mm_lps": [round(o, 4) for o in grid.origin_mm],
        "axis_directions_xyz": [_direction(axis) for axis in reversed(grid.axes)],
        "slices_lie": volume.geometry.through_plane_axis.plane,
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


def _label_rows(labels: LabelLayers) -> list[Facts]:
    from ivos.volume.label_statistics import extents

    return [
        {"label": label, "name": labels.names.get(label, ""), "slices": extent.slices, "volume_ml": extent.volume_ml}
        for label, extent in extents(labels).items()
    ]


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _stack_rows(file: Path, series: str | None) -> list[dict[str, object]]:
    """The stacks of the DICOM series in a folder or zip file, restricted to the series asked for."""
    from ivos.files import suffix_of
    from ivos.io.dicom.series import series_in

    if not file.is_dir() and not (file.is_file() and suffix_of(file) == ".zip"):
        return []
    return [
        {
            "series": found.uid,
            "description": found.description,
            "stack": number,
            "orientation": stack.orientation,
            "slices": len(stack.slices),
            "spacing_mm": None if stack.spacing_mm is None else round(stack.spacing_mm, 6),
            "size_xy": list(reversed(stack.slices[0].size)),
            "apart_by": stack.apart,
        }
        for found in series_in(file)
        if series is None or found.uid.endswith(series)
        for number, stack in enumerate(found.stacks, start=1)
    ]


def _print_stacks(rows: Sequence[Mapping[str, object]]) -> None:
    """Print a table for each series."""
    columns = ("--stack", "orientation", "slices", "mm apart", "apart by")
    for series, group in groupby(rows, key=lambda row: (str(row["series"]), str(row["description"]))):
        cells = [
            (
                str(row["stack"]),
                str(row["orientation"]),
                str(row["slices"]),
                "" if row["spacing_mm"] is None else f"{row['spacing_mm']:.3g}",
                str(row["apart_by"]),
            )
            for row in group
        ]
        print_table(f"Series ...{series[0][-12:]} {series[1]}", columns, cells)
