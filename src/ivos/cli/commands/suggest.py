"""`ivos suggest`: which slices to annotate next."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ivos.cli import options
from ivos.cli.output import print_json, print_line, print_table, print_windows
from ivos.cli.progress import progress_bar
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.types import Axis
    from ivos.uncertainty.suggest import Suggestion
    from ivos.volume.volume import Volume

_log = logging.getLogger(__name__)

_COLUMNS = ("structure", "slice", "DSC", "reason")


def suggest(
    scan: options.ScanArgument,
    annotations: Annotated[
        Path, options.input_option(help="Label volume on the scan's grid in which some slices are annotated.")
    ],
    count: Annotated[int, options.output_option("-n", help="Number of slices to suggest.")] = 5,
    axis: options.AxisOption = None,
    structures: Annotated[
        str | None, options.input_option(help="Suggest slices for these label ids only, such as 1,4,7-9.")
    ] = None,
    fully_annotated: options.FullyAnnotatedOption = None,
    ignore_label: options.IgnoreLabelOption = None,
    modality: options.ModalityOption = "auto",
    engine: options.EngineOption = "fast",
    checkpoint: Annotated[Path | None, options.model_option(help="Weights for the engine (stcn, xmem, fast).")] = None,
    device: options.DeviceOption = "auto",
    as_json: options.JsonOption = False,
    series: options.SeriesOption = None,
    stack: options.StackOption = None,
) -> None:
    """Suggest which slices to annotate next, best first: for all structures together and for each.

    Structures that no annotated slice shows are considered only with --fully-annotated.
    """
    from ivos.io.read import read, read_labels
    from ivos.pipelines.propagate import canonical_slices
    from ivos.propagation.annotated_planes import along_one_axis
    from ivos.propagation.engines.registry import create_engine
    from ivos.uncertainty.suggest import suggest as find_suggestions
    from ivos.volume.labels import ignoring
    from ivos.volume.volume import on_grid_of
    from ivos.volume.windows import describe_windows, with_modality

    if count < 1:
        raise InputError(f"-n {count}: give at least 1")
    ids = options.parse_structures(structures)
    complete = options.parse_fully_annotated(fully_annotated)
    chosen = create_engine(engine, checkpoint=checkpoint, device=device)
    volume = with_modality(read(scan, series=series, stack=stack), modality)
    windows = describe_windows(volume, modality)
    labels = on_grid_of(ignoring(read_labels(annotations, scan=volume), ignore_label), volume, str(annotations))
    annotated = along_one_axis(labels, axis, structures=ids, what=str(annotations))
    along, labels = annotated.axis, annotated.labels
    if annotated.note:
        _log.warning("%s", annotated.note)
    with progress_bar("Propagating", shown=not as_json) as progress:
        found = find_suggestions(
            volume,
            labels,
            count=count,
            engine=chosen,
            axis=along.plane,
            structures=ids,
            complete=canonical_slices(complete, volume, along) if isinstance(complete, tuple) else complete,
            modality=modality,
            progress=progress,
        )
    best, by_structure = (_rows(part, labels, along) for part in (found.slices, found.by_structure))
    if as_json:
        print_json({"axis": along.plane, "slices": best, "by_structure": by_structure, **windows})
    elif not best:
        print_line("No slice is expected to change the result much.")
    else:
        print_table(f"Annotate next ({along} slices)", _COLUMNS, [_cells(row) for row in best])
        print_table("Best slice for each structure", _COLUMNS, [_cells(row) for row in by_structure])
        print_windows(windows)


def _rows(suggestions: Sequence[Suggestion], labels: Volume, axis: Axis) -> list[dict[str, Any]]:
    """With the slice numbers of the file."""
    return [
        {
            "slice": labels.source_index(axis, suggestion.index),
            "gain": suggestion.gain,
            "structure": suggestion.structure,
            "name": _name(suggestion.structure, labels),
            "why": suggestion.why,
        }
        for suggestion in suggestions
    ]


def _name(structure: int | None, labels: Volume) -> str | None:
    return None if structure is None else labels.names.get(structure, f"label {structure}")


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return row["name"] or "not annotated yet", str(row["slice"]), f"{row['gain']:+.3f}", row["why"]
