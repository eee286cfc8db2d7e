"""`ivos video`: a video through a scan, predictions and truth side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ivos.cli.cases import each_case, named
from ivos.cli.series_options import SeriesOption, StackOption
from ivos.cli.terminal import print_line, progress_bar
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
    scan: Annotated[
        Path, typer.Argument(help="NIfTI, NRRD or MetaImage file, DICOM folder or zip; a folder of files.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="FILE.gif or FILE.mp4; for a folder of scans a folder.")
    ],
    labels: Annotated[
        list[Path] | None, typer.Option(help="Label file, or folder of them; repeat it for a column each.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="True labels: file or folder.")] = None,
    uncertainty: Annotated[
        Path | None, typer.Option(help="Uncertainty of 0 to 255, or of 0 to 1 with fractions: file or folder.")
    ] = None,
    axis: Annotated[
        AxisName | None, typer.Option(help="Slices to show; default: the ones the scan is made of.")
    ] = None,
    format_: Annotated[
        VideoFormat | None, typer.Option("--format", help="For a folder of scans; by default gif.")
    ] = None,
    modality: Annotated[Modality, typer.Option(help="Intensity windows.")] = "auto",
    series: SeriesOption = None,
    stack: StackOption = None,
) -> None:
    """Make a video of a scan: slice by slice, with labels, truth and uncertainty side by side.

    A GIF has 90 frames at most, an MP4 every slice; both show the labelled part of the scan.
    """
    from ivos.io.cases import holds_files
    from ivos.report.video import check_video

    shown = _Shown(labels or [], truth, uncertainty)
    if not holds_files(scan):
        if format_ is not None and output.suffix.lower() != f".{format_}":
            raise InputError(f"{output}: is not named .{format_}; leave out --format or name it so")
        check_video(output)
        check_file_writable(output)
        for path in shown.paths:
            if path.is_dir():
                raise InputError(f"{path}: is a folder, and {scan} is one scan: give a file")
        with progress_bar("Rendering") as progress:
            _make(scan, shown, output, axis, modality, (series, stack), progress)
        print_line(f"Video: {output}")
        return
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give the name of a folder")
    suffix = f".{format_ or 'gif'}"
    check_video(output / f"video{suffix}")
    check_writable(output)
    cases = _cases(scan, shown)

    def work(case: str) -> None:
        path, of_case = cases[case]
        _make(path, of_case, output / f"{case}{suffix}", axis, modality, (None, None), None)

    with progress_bar("Rendering") as progress:
        each_case(cases, work, progress)
    print_line(f"{counted(len(cases), 'video')}: {output}")


class _Shown:
    """What is shown beside the scan: files, or folders with a file for each case."""

    def __init__(
        self, labels: Sequence[Path], truth: Path | None, uncertainty: Path | None, titles: Sequence[str] = ()
    ):
        self.labels, self.truth, self.uncertainty = labels, truth, uncertainty
        self.titles = titles or _titles(labels)

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        return [*self.labels, *(path for path in (self.truth, self.uncertainty) if path is not None)]

    def of_case(self, files: dict[Path, Path]) -> _Shown:
        """A case's files instead of the folders that they are in; the folders' names stay above the columns."""
        truth, uncertainty = (path and files[path] for path in (self.truth, self.uncertainty))
        return _Shown([files[path] for path in self.labels], truth, uncertainty, self.titles)


def _titles(paths: Sequence[Path]) -> list[str]:
    """What tells label files or folders apart: their names, their folders' names, or both."""
    from ivos.files import stem_of

    if len(paths) == 1:
        return ["labels"]
    names = [stem_of(path.resolve()) for path in paths]
    folders = [path.resolve().parent.name for path in paths]
    both = [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]
    return next((titles for titles in (names, folders) if len(set(titles)) == len(paths)), both)


def _cases(scans: Path, shown: _Shown) -> dict[str, tuple[Path, _Shown]]:
    """By case the scan's file and what is shown beside it."""
    from ivos.io.cases import labels_by_case, scans_by_case

    paths = scans_by_case(scans)
    found = {folder: labels_by_case(folder) for folder in shown.paths}
    for folder, files in found.items():
        missing = [case for case in paths if case not in files]
        if missing:
            raise InputError(f"{folder}: nothing of {len(missing)} of {counted(len(paths), 'scan')}: {named(missing)}")
    return {
        case: (path, shown.of_case({folder: files[case] for folder, files in found.items()}))
        for case, path in paths.items()
    }


def _make(
    scan: Path,
    shown: _Shown,
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
    write_video(output, volume, _columns(volume, shown), axis=along, progress=progress)


def _columns(scan: Volume, shown: _Shown) -> list[Column]:
    from ivos.io.read import read, read_labels
    from ivos.report.video import Column, uncertainty_of
    from ivos.volume.label_matching import in_one_numbering
    from ivos.volume.volume import on_grid_of

    paths = [*shown.labels, *([shown.truth] if shown.truth is not None else [])]
    labels = [on_grid_of(read_labels(path, scan=scan), scan, str(path)) for path in paths]
    titles = [*shown.titles[: len(shown.labels)], "truth"]
    numbered = in_one_numbering(labels, paths)  # one colour stands for one structure
    columns = [Column("scan"), *(Column(title, one) for title, one in zip(titles, numbered, strict=False))]
    if shown.uncertainty is not None:
        path = shown.uncertainty
        doubt = on_grid_of(uncertainty_of(read(path), str(path)), scan, str(path))
        columns.append(Column("uncertainty", uncertainty=doubt))
    return columns
