"""A job over many cases, in this process, in several or on a cluster, with progress and a summary of failures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from ivos.cli.output import name_some, print_error
from ivos.cli.progress import show_run
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ivos.cohort.backends.protocol import Backend
    from ivos.cohort.manifest import Manifest, Row
    from ivos.cohort.run import RunProgress
    from ivos.pipelines.protocol import Case, Job

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C or a signal has ended."""


@dataclass(frozen=True)
class Execution:
    """Where many scans are processed.

    Attributes:
        workers: processes, on this machine or the cluster; None for this process, or all that the cluster has.
        cluster: address of a Ray cluster.
        upload_to: URL that results go to instead of the output folder.
        overwrite: whether finished scans are processed again.
    """

    workers: int | None = None
    cluster: str | None = None
    upload_to: str | None = None
    overwrite: bool = False

    @property
    def is_serial(self) -> bool:
        """Whether this process does one case after the other."""
        return self.workers is None and self.cluster is None

    def folder(self, output: Path) -> str:
        """Path or URL of the folder that results go to."""
        return str(output) if self.upload_to is None else self.upload_to

    def job(self, job: Job) -> Job:
        """The job, with its results uploaded where that is asked for.

        Raises:
            InputError: ``upload_to`` is not a URL.
        """
        from ivos.cohort.upload import UploadJob
        from ivos.io.remote import is_address

        if self.upload_to is None:
            return job
        if not is_address(self.upload_to):
            raise InputError(f"--upload-to {self.upload_to}: not a URL like s3://bucket/labels; for a folder use -o")
        return UploadJob(job, self.upload_to)

    def backend(self) -> Backend:
        """What distributes the cases.

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


def run_cohort_with_page(
    job: Job,
    cases: Sequence[Case],
    output: Path,
    execution: Execution,
    *,
    watch: Callable[[RunProgress], None] | None = None,
) -> list[Row]:
    """Run a job over cases, and write the cohort's page.

    Args:
        job: what is done.
        cases: all of them.
        output: folder for manifest, page and results.
        execution: where cases are processed.
        watch: called with every change, too.

    Returns:
        What became of the cases, in their order.

    Raises:
        InputError: see :func:`ivos.cohort.run.run_cohort`.
        typer.Exit: with code 130 if it was interrupted.
    """
    from ivos.cohort.page import write_cohort_run_page

    with _run_with_progress(job, cases, output, execution, watch=watch) as manifest:
        write_cohort_run_page(output, manifest.rows(), job=job.name, title=output.absolute().name)
        return manifest.ours()


def run_or_rebuild(job: Job, cases: Sequence[Case], output: Path, execution: Execution) -> list[Row]:
    """Run a job whose results may always be replaced: those of other settings or files are computed again, unasked.

    Cases that an earlier run has ended, with the same settings and inputs, stay as they are; why they failed is printed
    again. There is no page.

    Args:
        job: what is done.
        cases: all of them.
        output: folder for the manifest and results.
        execution: where cases are processed.

    Returns:
        What became of the cases, in their order.

    Raises:
        InputError: see :func:`ivos.cohort.run.run_cohort`.
        typer.Exit: with code 130 if it was interrupted.
    """
    from ivos.cohort.manifest import OtherResultsError

    ended: set[str] = set()

    def watch(progress: RunProgress) -> None:
        if progress.ended is not None:
            ended.add(progress.ended.case.name)

    try:
        manifest = _run_with_progress(job, cases, output, execution, watch=watch)
    except OtherResultsError:
        manifest = _run_with_progress(job, cases, output, replace(execution, overwrite=True), watch=watch)
    with manifest:
        rows = manifest.ours()
    for row in rows:
        if row.state != "done" and row.name not in ended:
            print_error(f"ivos: {row.name}: {row.reason}")
    return rows


def report_failures(rows: Sequence[Row]) -> None:
    """Print how many cases failed and which, to stderr.

    Raises:
        typer.Exit: with code 1 if there are any.
    """
    exit_with_failures([row.name for row in rows if row.state != "done"], len(rows))


def exit_with_failures(failed: Sequence[str], total: int) -> None:
    """Print how many cases failed and which, to stderr, and end with code 1; does nothing if none has."""
    if failed:
        print_error(f"{total - len(failed)} of {total} done; {len(failed)} failed: {name_some(failed)}")
        raise typer.Exit(1)


def _run_with_progress(
    job: Job,
    cases: Sequence[Case],
    output: Path,
    execution: Execution,
    *,
    watch: Callable[[RunProgress], None] | None = None,
) -> Manifest:
    """Run a job over cases, with progress on stderr; the manifest is returned open."""
    from ivos.cohort.run import run_cohort

    with show_run() as show:

        def update(progress: RunProgress) -> None:
            show(progress)
            if watch is not None:
                watch(progress)

        try:
            return run_cohort(
                execution.job(job),
                cases,
                output.absolute(),
                execution.backend(),
                again=execution.overwrite,
                progress=update,
            )
        except KeyboardInterrupt:
            print_error("ivos: interrupted; finished scans are kept, run the same command again to resume")
            raise typer.Exit(INTERRUPTED) from None
