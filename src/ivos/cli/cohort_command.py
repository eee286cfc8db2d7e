"""One job over a cohort, as a command does it: watched, told of at the end, with a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ivos.cli.cases import named
from ivos.cli.cohort_view import cohort_view
from ivos.cli.terminal import print_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ivos.cli.cohort_options import Where
    from ivos.cohort.manifest import Manifest, Row
    from ivos.cohort.run import RunProgress
    from ivos.pipelines.protocol import Case, Job

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C or a signal has ended."""


def over_cohort(
    job: Job,
    cases: Sequence[Case],
    output: Path,
    where: Where,
    *,
    overwrite: bool,
    watch: Callable[[RunProgress], None] | None = None,
) -> list[Row]:
    """Do a job over cases, and write the cohort's page.

    Args:
        job: what is done.
        cases: all of them.
        output: folder for what is written.
        where: cases are worked on, and files go.
        overwrite: do those that are done too.
        watch: is called with every change as well.

    Returns:
        What became of the cases, in their order.

    Raises:
        InputError: see :func:`ivos.cohort.run.run_cohort`.
        typer.Exit: with code 130 where it was interrupted.
    """
    from ivos.cohort.page import write_cohort_run_page

    with run_with_progress(job, cases, output, where, overwrite=overwrite, watch=watch) as manifest:
        write_cohort_run_page(output, manifest.rows(), job=job.name, title=output.absolute().name)
        return manifest.ours()


def run_or_rebuild(job: Job, cases: Sequence[Case], output: Path, where: Where) -> list[Row]:
    """Do a job whose results may always be replaced: what other settings or files have made is done anew, unasked.

    Cases that an earlier run has ended, with the same settings and inputs, stay as they are; why they failed is told
    again. There is no page.

    Args:
        job: what is done.
        cases: all of them.
        output: folder for the manifest, and for what is written.
        where: cases are worked on.

    Returns:
        What became of the cases, in their order.

    Raises:
        InputError: see :func:`ivos.cohort.run.run_cohort`.
        typer.Exit: with code 130 where it was interrupted.
    """
    from ivos.cohort.manifest import OtherResultsError

    ended: set[str] = set()

    def watch(standing: RunProgress) -> None:
        if standing.ended is not None:
            ended.add(standing.ended.case.name)

    try:
        manifest = run_with_progress(job, cases, output, where, overwrite=False, watch=watch)
    except OtherResultsError:
        manifest = run_with_progress(job, cases, output, where, overwrite=True, watch=watch)
    with manifest:
        rows = manifest.ours()
    for row in rows:
        if row.state != "done" and row.name not in ended:
            print_error(f"ivos: {row.name}: {row.reason}")
    return rows


def run_with_progress(
    job: Job,
    cases: Sequence[Case],
    output: Path,
    where: Where,
    *,
    overwrite: bool,
    watch: Callable[[RunProgress], None] | None = None,
) -> Manifest:
    """Do a job over cases, with a table on stderr, as :func:`over_cohort` does; the manifest is given open."""
    from ivos.cohort.run import run_cohort

    with cohort_view() as view:

        def progress(standing: RunProgress) -> None:
            view(standing)
            if watch is not None:
                watch(standing)

        try:
            return run_cohort(
                where.job(job), cases, output.absolute(), where.backend(), again=overwrite, progress=progress
            )
        except KeyboardInterrupt:
            print_error("ivos: stopped; what is done stays, and the same command goes on")
            raise typer.Exit(INTERRUPTED) from None


def json_rows(rows: Sequence[Row], cases: Sequence[Case], output: Path) -> list[dict[str, Any]]:
    """What ``--json`` says of the cases that went well; where their scans are stands nowhere else."""
    from ivos.cohort.upload import URLS_KEY
    from ivos.io.remote import redact_url

    by_name = {case.name: case for case in cases}
    return [
        {
            "case": row.name,
            "scan": redact_url(by_name[row.name].inputs["scan"]),
            "series": by_name[row.name].series,
            "stack": by_name[row.name].stack,
            "output": row.figures[URLS_KEY]["labels"]
            if URLS_KEY in row.figures
            else str(output / row.outputs["labels"]),
            "seconds": row.seconds,
            **row.figures,
        }
        for row in rows
        if row.state == "done"
    ]


def tell_failures(rows: Sequence[Row]) -> None:
    """How many cases failed and which, on stderr.

    Raises:
        typer.Exit: with code 1 if there are any.
    """
    failed = [row.name for row in rows if row.state != "done"]
    if failed:
        done = f"{len(rows) - len(failed)} of {len(rows)} done"
        print_error(f"{done}; {len(failed)} failed: {named(failed)}")
        raise typer.Exit(1)
