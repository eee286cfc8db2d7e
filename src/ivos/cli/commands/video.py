"""`ivos video`: a video through a scan, with predictions, truth and uncertainty side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ivos.cli import options
from ivos.cli.output import name_some, print_line
from ivos.cli.predictions import check_is_no_file, for_each_case
from ivos.cli.progress import progress_bar
from ivos.errors import InputError, counted
from ivos.files import check_file_writable, check_writable
from ivos.types import Axis, AxisName
from ivos.volume.windows import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.report.video import Column
    from ivos.types import Progress
    from ivos.volume.volume import Volume

VideoFormat = Literal["gif", "mp4"]


def video(
    scan: Annotated[Path, typer.Argument(help=f"{options.SCAN_HELP} Or a folder of files.")],
    output: Annotated[
        Path, options.output_option("--output", "-o", help="FILE.gif or FILE.mp4; for a folder of scans, a folder.")
    ],
    labels: Annotated[
        list[Path] | None, options.input_option(help="Label file, or folder of them; repeat for further columns.")
    ] = None,
    truth: Annotated[Path | None, options.input_option(help="Ground truth: file or folder.")] = None,
    uncertainty: Annotated[
        Path | None,
        options.input_option(help="Uncertainty, as integers of 0 to 255 or fractions of 0 to 1: file or folder."),
    ] = None,
    axis: Annotated[
        AxisName | None,
        options.input_option(help="Orientation of the slices. Default: the one in which the scan was acquired."),
    ] = None,
    modality: options.ModalityOption = "auto",
    format_: Annotated[
        VideoFormat | None, options.output_option("--format", help="Format for a folder of scans. Default: gif.")
    ] = None,
    series: options.SeriesOption = None,
    stack: options.StackOption = None,
) -> None:
    """Make a video through a scan, slice by slice, with labels, truth and uncertainty side by side.

    It shows the labelled part of the scan: every slice in an MP4, at most 90 slices in a GIF.
    """
    from ivos.io.cases import holds_files
    from ivos.report.video import check_video

    overlays = _Overlays(labels or [], truth, uncertainty)
    if not holds_files(scan):
        if format_ is not None and output.suffix.lower() != f".{format_}":
            raise InputError(f"{output}: is not named .{format_}; leave out --format or name it so")
        check_video(output)
        check_file_writable(output)
        for path in overlays.paths:
            if path.is_dir():
                raise InputError(f"{path}: is a folder, and {scan} is one scan: give a file")
        with progress_bar("Rendering") as progress:
            _write(scan, overlays, output, axis, modality, (series, stack), progress)
        print_line(f"Video: {output}")
        return
    check_is_no_file(output)
    suffix = f".{format_ or 'gif'}"
    check_video(output / f"video{suffix}")
    check_writable(output)
    cases = _find_cases(scan, overlays)

    def write(case: str) -> None:
        path, of_case = cases[case]
        _write(path, of_case, output / f"{case}{suffix}", axis, modality, (None, None), None)

    with progress_bar("Rendering") as progress:
        for_each_case(cases, write, progress)
    print_line(f"{counted(len(cases), 'video')}: {output}")


class _Overlays:
    """What is shown next to the scan: files, or folders with a file for each case."""

    def __init__(
        self, labels: Sequence[Path], truth: Path | None, uncertainty: Path | None, titles: Sequence[str] = ()
    ):
        self.labels, self.truth, self.uncertainty = labels, truth, uncertainty
        self.titles = titles or _titles(labels)

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        return [*self.labels, *(path for path in (self.truth, self.uncertainty) if path is not None)]

    def of_case(self, files: dict[Path, Path]) -> _Overlays:
        """A case's files instead of the folders that they are in; the folders' names stay above the columns."""
        truth, uncertainty = (path and files[path] for path in (self.truth, self.uncertainty))
        return _Overlays([files[path] for path in self.labels], truth, uncertainty, self.titles)


def _titles(paths: Sequence[Path]) -> list[str]:
    """What tells label files or folders apart: their names, their folders' names, or both."""
    from ivos.files import stem_of

    if len(paths) == 1:
        return ["labels"]
    names = [stem_of(path.resolve()) for path in paths]
    folders = [path.resolve().parent.name for path in paths]
    both = [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]
    return next((titles for titles in (names, folders) if len(set(titles)) == len(paths)), both)


def _find_cases(scans: Path, overlays: _Overlays) -> dict[str, tuple[Path, _Overlays]]:
    """By case, the scan's file and what is shown next to it."""
    from ivos.io.cases import labels_by_case, scans_by_case

    paths = scans_by_case(scans)
    found = {folder: labels_by_case(folder) for folder in overlays.paths}
    for folder, files in found.items():
        missing = [case for case in paths if case not in files]
        if missing:
            raise InputError(
                f"{folder}: nothing of {len(missing)} of {counted(len(paths), 'scan')}: {name_some(missing)}"
            )
    return {
        case: (path, overlays.of_case({folder: files[case] for folder, files in found.items()}))
        for case, path in paths.items()
    }


def _write(
    scan: Path,
    overlays: _Overlays,
    output: Path,
    axis: AxisName | None,
    modality: Modality,
    chosen: tuple[str | None, int | None],
    progress: Progress | None,
) -> None:
    from ivos.io.read import read
    from ivos.report.video import write_video
    from ivos.volume.windows import with_modality

    volume = with_modality(read(scan, series=chosen[0], stack=chosen[1]), modality)
    along = volume.geometry.through_plane_axis if axis is None else Axis.parse(axis)
    write_video(output, volume, _columns(volume, overlays), axis=along, progress=progress)


def _columns(scan: Volume, overlays: _Overlays) -> list[Column]:
    from ivos.io.read import read, read_labels
    from ivos.report.video import Column, uncertainty_of
    from ivos.volume.label_matching import in_one_numbering
    from ivos.volume.volume import on_grid_of

    paths = [*overlays.labels, *([overlays.truth] if overlays.truth is not None else [])]
    labels = [on_grid_of(read_labels(path, scan=scan), scan, str(path)) for path in paths]
    titles = [*overlays.titles[: len(overlays.labels)], "truth"]
    numbered = in_one_numbering(labels, paths)  # one colour stands for one structure
    columns = [Column("scan"), *(Column(title, one) for title, one in zip(titles, numbered, strict=False))]
    if overlays.uncertainty is not None:
        path = overlays.uncertainty
        doubt = on_grid_of(uncertainty_of(read(path), str(path)), scan, str(path))
        columns.append(Column("uncertainty", uncertainty=doubt))
    return columns
