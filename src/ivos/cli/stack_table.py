"""The stacks of DICOM series as `ivos info` lists them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ivos.cli.terminal import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def stack_rows(file: Path, series: str | None) -> list[dict[str, object]]:
    """The stacks of the DICOM series in a folder or zip file, or of those that are asked for."""
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


def print_stacks(rows: Sequence[Mapping[str, object]]) -> None:
    """A table for each series."""
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
