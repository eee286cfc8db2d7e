"""What commands over cohorts are told, and what they make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.terminal import print_line
from ivos.errors import InputError
from ivos.files import suffix_of

if TYPE_CHECKING:
    from ivos.cohort.backends.protocol import Backend
    from ivos.cohort.dicom_tree import SeriesRules
    from ivos.cohort.sources import FoundCases
    from ivos.pipelines.protocol import Job

WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Several scans at once, in so many processes of this machine.")
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", help="On a Ray cluster: HOST:PORT, or 'auto' for the one that this machine is part of."),
]
UploadOption = Annotated[
    str | None,
    typer.Option(
        "--upload-to", help="Of many: put their files at this address, s3://...; OUT keeps manifest and page."
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Of a folder: do all scans anew, those done too.")]
SeriesModalityOption = Annotated[
    str | None, typer.Option("--series-modality", help="DICOM trees: only series of this modality, like CT.")
]
SeriesThicknessOption = Annotated[
    str | None, typer.Option("--series-thickness", help="DICOM trees: only slices this thick, in mm, like 0.5-5.")
]
SeriesKernelOption = Annotated[
    str | None, typer.Option("--series-kernel", help="DICOM trees: only kernels with these letters in their name.")
]
SeriesSlicesOption = Annotated[
    int, typer.Option("--series-slices", min=1, help="DICOM trees: only series of so many slices at least.")
]

_BROKEN_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")  # what a path makes of s3://...


@dataclass(frozen=True)
class Where:
    """Where cases are worked on, and where their files go.

    Attributes:
        workers: processes, on this machine or the cluster; None for this process, or all that the cluster has.
        cluster: a Ray cluster's address.
        upload_to: address where files go in place of the output folder.
    """

    workers: int | None = None
    cluster: str | None = None
    upload_to: str | None = None

    @property
    def here(self) -> bool:
        """Whether it is this process, with one case after the other."""
        return self.workers is None and self.cluster is None

    def folder(self, output: Path) -> str:
        """Path or address of the folder where files go."""
        return str(output) if self.upload_to is None else self.upload_to

    def job(self, job: Job) -> Job:
        """The job with its files going where they are to go.

        Raises:
            InputError: that is no address.
        """
        from ivos.cohort.upload import UploadJob
        from ivos.io.remote import is_address

        if self.upload_to is None:
            return job
        if not is_address(self.upload_to):
            raise InputError(
                f"--upload-to {self.upload_to}: give an address like s3://bucket/labels; folders go with -o"
            )
        return UploadJob(job, self.upload_to)

    def backend(self) -> Backend:
        """Gives cases to workers there.

        Raises:
            InputError: the cluster's package is missing.
        """
        if self.cluster is not None:
            from ivos.cohort.backends.ray import RayBackend

            return RayBackend(self.cluster, workers=self.workers)
        if self.workers is not None:
            from ivos.cohort.backends.processes import ProcessesBackend

            return ProcessesBackend(self.workers)
        from ivos.cohort.backends.serial import SerialBackend

        return SerialBackend()


def series_rules(
    series: str | None, modality: str | None, thickness: str | None, kernel: str | None, slices: int
) -> SeriesRules:
    """Rules for the series of DICOM trees.

    Raises:
        InputError: a thickness that is no range.
    """
    from ivos.cohort.dicom_tree import SeriesRules

    return SeriesRules(modality, None if thickness is None else _range_mm(thickness), kernel, slices, series)


def is_cohort(source: str, output: Path) -> bool:
    """Whether a source is of many cases: a list, a folder of image files; a DICOM folder or address by the output.

    Raises:
        InputError: there is no such file or folder.
    """
    from ivos.cohort.sources import LISTS
    from ivos.io.cases import holds_files
    from ivos.io.registry import READABLE, WRITERS
    from ivos.io.remote import is_address

    path = Path(source)
    if not is_address(source) and not path.exists():
        raise InputError(f"{source}: no such file or folder")
    if suffix_of(path) in LISTS or holds_files(path):
        return True
    one = suffix_of(path) in (*READABLE, ".zip") or suffix_of(output) in (*WRITERS, ".dcm")
    return not one and (is_address(source) or path.is_dir())


def check_folder(output: Path, *inputs: str) -> None:
    """Refuse an output folder of a cohort that is a file, looks like one, is an input, or an address.

    Raises:
        InputError: one of these.
    """
    from ivos.io.registry import WRITERS

    if _BROKEN_ADDRESS.match(str(output)):
        raise InputError(f"{output}: give a folder for manifest and page, and the address with --upload-to")
    same = any(Path(place).exists() and output.exists() and output.samefile(place) for place in inputs)
    if output.is_file() or suffix_of(output) in (*WRITERS, ".dcm") or same:
        raise InputError(f"{output}: give another folder for the labels")


def check_one(where: Where, *, overwrite: bool) -> None:
    """Refuse of a single scan what goes with cohorts.

    Raises:
        InputError: one of these.
    """
    if where != Where() or overwrite:
        raise InputError("--workers, --cluster, --upload-to and --overwrite are for many scans; leave them out for one")


def with_series(found: FoundCases, series: str | None, stack: int | None) -> FoundCases:
    """The cases with the series and stack asked for where they name none."""
    cases = (replace(case, series=case.series or series, stack=case.stack or stack) for case in found.cases)
    return replace(found, cases=tuple(cases))


def tell_left_out(found: FoundCases) -> None:
    """What of a DICOM tree is not taken."""
    if found.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
        print_line(f"{len(found.cases)} series taken; left out: {counts}")


def _range_mm(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low <= high:
        raise InputError(f"--series-thickness {text}: give a range in mm from low to high, like 0.5-5")
    return low, high
