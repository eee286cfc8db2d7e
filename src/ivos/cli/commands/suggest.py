"""`ivos suggest`: which slice to draw next."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivos.cli.commands.propagate import complete_slices, tell_windows
from ivos.cli.label_options import IgnoreLabelOption
from ivos.cli.series_options import SeriesOption, StackOption
from ivos.cli.terminal import numbers, print_json, print_line, print_table, progress_bar
from ivos.device import DeviceChoice
from ivos.errors import InputError
from ivos.propagation.engines.protocol import EngineName
from ivos.types import AxisName
from ivos.volume.windows import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.types import Axis
    from ivos.uncertainty.suggest import Suggestion
    from ivos.volume.volume import Volume

logger = logging.getLogger(__name__)

_COLUMNS = ("helps most", "slice", "DSC", "why")


def suggest(
    scan: Annotated[Path, typer.Argument(help="NIfTI, NRRD or MetaImage file, DICOM folder or zip.")],
    annotations: Annotated[Path, typer.Option(help="Label volume on the scan's grid in which some slices are drawn.")],
    count: Annotated[int, typer.Option("-n", help="How many slices to suggest.")] = 5,
    engine: Annotated[EngineName, typer.Option(help="What carries masks from slice to slice.")] = "fast",
    checkpoint: Annotated[Path | None, typer.Option(help="Weights for the engine (stcn, fast).")] = None,
    axis: Annotated[AxisName | None, typer.Option(help="Walk along this axis; default: the drawn one.")] = None,
    structures: Annotated[str | None, typer.Option(help="Only what helps these label ids, like 1,4,7-9.")] = None,
    fully_annotated: Annotated[
        str | None,
        typer.Option(
            help="Slices on which everything present is drawn: 'all' for every slice with something drawn, or the "
            "file's own slice numbers from 0, like 12,40-44. Structures that no slice shows yet are looked for then."
        ),
    ] = None,
    ignore_label: IgnoreLabelOption = None,
    modality: Annotated[Modality, typer.Option(help="Intensity windows.")] = "auto",
    device: Annotated[DeviceChoice, typer.Option(help="Where networks run.")] = "auto",
    series: SeriesOption = None,
    stack: StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say which slices to draw next, the one that helps most first: for all structures together and for each."""
    from ivos.io.read import read, read_labels
    from ivos.propagation.annotated_planes import along_one_axis
    from ivos.propagation.engines.registry import create_engine
    from ivos.uncertainty.suggest import suggest as run
    from ivos.volume.labels import ignoring
    from ivos.volume.volume import on_grid_of
    from ivos.volume.windows import describe_windows, with_modality

    if count < 1:
        raise InputError(f"-n {count}: give at least 1")
    ids = None if structures is None else numbers(structures)
    chosen = create_engine(engine, checkpoint=checkpoint, device=device)
    volume = with_modality(read(scan, series=series, stack=stack), modality)
    windows = describe_windows(volume, modality)
    drawn = on_grid_of(ignoring(read_labels(annotations, scan=volume), ignore_label), volume, str(annotations))
    taken = along_one_axis(drawn, axis, structures=ids, what=str(annotations))
    along, drawn = taken.axis, taken.labels
    if taken.note:
        logger.warning("%s", taken.note)
    with progress_bar("Propagating", shown=not as_json) as progress:
        found = run(
            volume,
            drawn,
            count=count,
            engine=chosen,
            axis=along.plane,
            structures=ids,
            complete=complete_slices(fully_annotated, volume, along),
            modality=modality,
            progress=progress,
        )
    best, by_structure = (_rows(part, drawn, along) for part in (found.slices, found.by_structure))
    if as_json:
        print_json({"axis": along.plane, "slices": best, "by_structure": by_structure, **windows})
    elif not best:
        print_line("No slice is expected to change much.")
    else:
        print_table(f"Draw next, of the {along} slices", _COLUMNS, [_cells(row) for row in best])
        print_table("The slice that helps each structure most", _COLUMNS, [_cells(row) for row in by_structure])
        tell_windows(windows)


def _rows(suggestions: Sequence[Suggestion], drawn: Volume, axis: Axis) -> list[dict[str, Any]]:
    """With the file's own slice numbers."""
    return [
        {
            "slice": drawn.source_index(axis, suggestion.index),
            "gain": suggestion.gain,
            "structure": suggestion.structure,
            "name": _name(suggestion.structure, drawn),
            "why": suggestion.why,
        }
        for suggestion in suggestions
    ]


def _name(structure: int | None, drawn: Volume) -> str | None:
    return None if structure is None else drawn.names.get(structure, f"label {structure}")


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return row["name"] or "one not drawn yet", str(row["slice"]), f"{row['gain']:+.3f}", row["why"]
