"""`ivos propagate`: from a few drawn slices to the whole volume."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.terminal import numbers, print_json, print_line, progress_bar, size_bytes
from ivos.errors import InputError

if TYPE_CHECKING:
    from ivos.propagation.propagate import Propagation
    from ivos.volume.volume import Volume


class EngineChoice(str, Enum):
    """What carries masks from slice to slice."""

    fast = "fast"
    flow = "flow"
    stcn = "stcn"
    xmem = "xmem"
    nearest = "nearest"


class AxisChoice(str, Enum):
    """The stack of slices to walk."""

    axial = "axial"
    coronal = "coronal"
    sagittal = "sagittal"


class DeviceChoice(str, Enum):
    """Where networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class ModalityChoice(str, Enum):
    """Which intensity windows show the scan."""

    auto = "auto"
    ct = "ct"
    mr = "mr"


def propagate(
    scan: Annotated[Path, typer.Argument(help="NIfTI, NRRD or MetaImage file, DICOM folder or zip.")],
    annotations: Annotated[Path, typer.Option(help="Label volume on the scan's grid in which some slices are drawn.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the labels go: .nii.gz, .nrrd, .mha.")],
    engine: Annotated[EngineChoice, typer.Option(help="What carries masks from slice to slice.")] = EngineChoice.fast,
    checkpoint: Annotated[Path | None, typer.Option(help="Weights for the engine (stcn, xmem, fast).")] = None,
    axis: Annotated[AxisChoice | None, typer.Option(help="Walk along this axis; default: the drawn one.")] = None,
    structures: Annotated[str | None, typer.Option(help="Only these label ids, like 1,4,7-9.")] = None,
    complete: Annotated[
        str | None,
        typer.Option(
            help="Slices on which everything present is drawn, so that what is not drawn there is absent: 'all' for "
            "every slice with something drawn, or the file's own slice numbers from 0, like 12,40-44."
        ),
    ] = None,
    modality: Annotated[ModalityChoice, typer.Option(help="Intensity windows.")] = ModalityChoice.auto,
    device: Annotated[DeviceChoice, typer.Option(help="Where networks run.")] = DeviceChoice.auto,
    bfloat16: Annotated[bool, typer.Option("--bfloat16", help="stcn, xmem: faster, less exact.")] = False,
    long_term: Annotated[
        bool, typer.Option("--long-term", help="stcn: a long-term memory, for long scans; xmem has one.")
    ] = False,
    memory_budget: Annotated[str, typer.Option(help="What the engine's memory of slices may take.")] = "2GB",
    series: Annotated[str | None, typer.Option(help="DICOM: last characters of the series to take.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a report of the run (HTML, PNG, GIF).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Carry a few drawn slices over the whole scan."""
    from ivos.propagation.annotations import axis_number, drawn_axis
    from ivos.propagation.engines.choose import choose_engine
    from ivos.propagation.propagate import propagate as run
    from ivos.volume.read import read, read_labels
    from ivos.volume.volume import on_grid_of
    from ivos.volume.write import check_writable, write_volume

    check_writable(output)
    for source in (scan, annotations):
        if source.exists() and output.exists() and output.samefile(source):
            raise InputError(f"{output}: is an input of this command; give the output another name")
    ids = None if structures is None else numbers(structures)
    chosen = choose_engine(
        engine.value,
        checkpoint=checkpoint,
        device=device.value,
        memory_budget_bytes=size_bytes(memory_budget),
        bfloat16=bfloat16,
        long_term=long_term,
    )
    started = time.perf_counter()
    volume = read(scan, series=series)
    drawn = on_grid_of(read_labels(annotations), volume, str(annotations))
    along = drawn_axis(drawn) if axis is None else axis_number(axis.value)
    read_s = time.perf_counter() - started
    with progress_bar("Propagating", shown=not as_json) as progress:
        result = run(
            volume,
            drawn,
            engine=chosen,
            axis=_axis_name(along),
            structures=ids,
            complete=complete_slices(complete, volume, along),
            modality=modality.value,
            progress=progress,
        )
    propagate_s = time.perf_counter() - started - read_s
    write_volume(output, result.labels)
    seconds = {"read": read_s, "propagate": propagate_s}
    if report is not None:
        from ivos.report import write_report

        write_report(report, volume, result, title=scan.name, engine=engine.value, seconds=seconds)
    _hint(drawn, result, told=complete is not None or as_json)
    _tell(result, output, report, seconds, as_json=as_json)


def _axis_name(axis: int) -> str:
    from ivos.volume.geometry import AXIS_NAMES

    return AXIS_NAMES[axis]


def complete_slices(text: str | None, volume: Volume, axis: int) -> list[int] | bool:
    """Complete slices, from the file's own numbering to ours."""
    if text is None or text == "all":
        return text == "all"
    found = numbers(text)
    slices = volume.geometry.shape[axis]
    outside = [n for n in found if n >= slices]
    if outside:
        raise InputError(
            f"complete slices {outside[:5]} are outside the scan, which has {slices} {_axis_name(axis)} slices"
        )
    return [volume.source_index(axis, n) for n in found]


def _hint(drawn: Volume, result: Propagation, *, told: bool) -> None:
    """Say it where structures that a person left out on a drawn slice were filled in there."""
    import numpy as np

    found, by_hand = (np.moveaxis(v.array, result.axis, 0)[list(result.annotated)] for v in (result.labels, drawn))
    added = np.unique(found[(found != by_hand) & (found > 0)])
    if added.size and not told:
        names = ", ".join(drawn.names.get(int(label), str(label)) for label in added[:4]) + ", ..." * (added.size > 4)
        print_line(f"Not drawn on every drawn slice, so carried across some: {names}. If absent there: --complete all")


def _tell(result: Propagation, output: Path, report: Path | None, seconds: dict[str, float], *, as_json: bool) -> None:
    from ivos.report import structure_rows

    rows = structure_rows(result)
    annotated = [result.labels.source_index(result.axis, n) for n in result.annotated]
    if as_json:
        print_json(
            {
                "output": str(output),
                "report": str(report / "report.html") if report else None,
                "axis": _axis_name(result.axis),
                "annotated_slices": sorted(annotated),
                "seconds": seconds,
                "structures": rows,
            }
        )
        return
    slices = len(annotated)
    print_line(
        f"{len(rows)} structures from {slices} annotated {_axis_name(result.axis)} slice{'s' * (slices != 1)} "
        f"in {sum(seconds.values()):.1f} s: {output}"
    )
    if report is not None:
        print_line(f"Report: {report / 'report.html'}")
