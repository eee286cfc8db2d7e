"""`ivos propagate` and `ivos segment` over one scan or many: the inputs, the run, and what is printed at the end."""

from __future__ import annotations

import re
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.cli.execution import Execution, report_failures, run_cohort_with_page
from ivos.cli.output import print_json, print_line
from ivos.cli.progress import CaseProfiler, progress_bar
from ivos.errors import InputError, counted
from ivos.files import check_writable, stem_of, suffix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ivos.cohort.dicom_tree import SeriesRules
    from ivos.cohort.manifest import Row
    from ivos.cohort.sources import FoundCases
    from ivos.metrics.efficiency import Sampler
    from ivos.pipelines.propagate import PropagateJob
    from ivos.pipelines.protocol import Case
    from ivos.pipelines.segment import SegmentJob

    Describe = Callable[[Mapping[str, Any], Any], None]

_BROKEN_URL = re.compile(r"[a-z][a-z0-9+.-]+:/")  # what a path makes of s3://...
_DONE = {"propagate": "propagated", "segment": "segmented"}


@dataclass(frozen=True)
class ScanSource:
    """One scan or many.

    Attributes:
        scan: path or URL of a scan, of a folder of them, or of a list.
        series: last characters of the SeriesInstanceUID to use.
        stack: number of the stack within the series.
        rules: which series of a DICOM tree are used.
        annotations: label file, or folder of label files.
        has_annotations: whether every scan must have annotations, from ``annotations`` or a list.
    """

    scan: str
    series: str | None
    stack: int | None
    rules: SeriesRules
    annotations: Path | None = None
    has_annotations: bool = False

    def is_cohort(self, output: Path) -> bool:
        """Whether these are many cases: a list, a folder of image files; a DICOM folder or URL by the output's suffix.

        Raises:
            InputError: there is no such file or folder.
        """
        from ivos.cohort.sources import LISTS
        from ivos.io.cases import holds_files
        from ivos.io.registry import READABLE, WRITERS
        from ivos.io.remote import is_address

        path = Path(self.scan)
        if not is_address(self.scan) and not path.exists():
            raise InputError(f"{self.scan}: no such file or folder")
        if suffix_of(path) in LISTS or holds_files(path):
            return True
        one = suffix_of(path) in (*READABLE, ".zip") or suffix_of(output) in (*WRITERS, ".dcm")
        return not one and (is_address(self.scan) or path.is_dir())

    def inputs(self) -> dict[str, str]:
        """Paths or URLs by role.

        Raises:
            InputError: annotations are missing.
        """
        if self.has_annotations and self.annotations is None:
            raise InputError(f"{self.scan}: give the annotated slices with --annotations FILE")
        return (
            {"scan": self.scan}
            if self.annotations is None
            else {"scan": self.scan, "annotations": str(self.annotations)}
        )

    def cases(self) -> FoundCases:
        """The cases of a cohort: annotations are found by the scans' names in a folder, or named by a list."""
        from ivos.cohort.sources import cases_from, joined

        if self.has_annotations and self.annotations is None:
            found = cases_from(self.scan, roles=("annotations",), rules=self.rules)
        else:
            found = cases_from(self.scan, rules=self.rules)
        if self.annotations is not None:
            found = joined(found, "annotations", self.annotations)
        cases = (replace(c, series=c.series or self.series, stack=c.stack or self.stack) for c in found.cases)
        return replace(found, cases=tuple(cases))


def run(
    job: PropagateJob | SegmentJob,
    source: ScanSource,
    output: Path,
    execution: Execution,
    *,
    describe: Describe,
    as_json: bool,
    profile: bool = False,
) -> None:
    """Run a job over one scan or many, and print what was done.

    Args:
        job: what to do.
        source: the scans.
        output: label file for one scan, folder for many.
        execution: how many scans are processed; for one scan only the default is allowed.
        describe: prints what was done with a single scan, from the facts of its JSON and the job's result.
        as_json: print JSON instead.
        profile: also measure time and memory of each scan.

    Raises:
        InputError: an input cannot be used, or options do not go together.
        typer.Exit: with code 1 if scans of many have failed, 130 if the run was interrupted.
    """
    from ivos.metrics.efficiency import Sampler

    if job.reports is not None:
        check_writable(job.reports, "--report")
    with Sampler() if profile else nullcontext() as sampler:  # before the networks: they take of the GPU's memory
        if source.is_cohort(output):
            _run_many(job, source, output, execution, as_json=as_json, sampler=sampler)
            return
        if execution != Execution():
            raise InputError(
                "--workers, --cluster, --upload-to and --overwrite are for many scans; leave them out for one"
            )
        facts, result = _run_one(job, source, output, shown=not as_json, sampler=sampler)
    if not as_json:
        describe(facts, result)
    else:
        print_json([facts] if job.name == "segment" else facts)


def _run_one(
    job: PropagateJob | SegmentJob, source: ScanSource, output: Path, *, shown: bool, sampler: Sampler | None
) -> tuple[dict[str, Any], Any]:
    """A single scan: no manifest, no page."""
    from ivos.pipelines.protocol import Case
    from ivos.report.efficiency import write_efficiency

    inputs = source.inputs()
    job.labels.check_file(output, source.scan)
    for path in map(Path, inputs.values()):
        if path.exists() and output.exists() and output.samefile(path):
            raise InputError(f"{output}: is an input of this command; give the output another name")
    case = Case(stem_of(output), inputs, source.series, source.stack)
    worker: Any = job.open()
    with sampler.interval() if sampler else nullcontext() as interval:
        started = time.perf_counter()
        data = worker.read(case)
        read_s = time.perf_counter() - started
        with progress_bar(case.name, shown=shown) as progress:
            result = worker.work(case, data, progress)
        done = worker.write_to(output, case, result)
    if interval:
        write_efficiency(output.parent, {case.name: interval.efficiency()})
    if job.reports is not None:
        worker.report(result, job.reports, case.name)
    page = None if job.reports is None else str(job.reports / "report.html")
    seconds = {"read": read_s, job.name: result.seconds}
    return {"case": case.name, "output": str(output), "report": page, "seconds": seconds, **done.figures}, result


def _run_many(
    job: PropagateJob | SegmentJob,
    source: ScanSource,
    output: Path,
    execution: Execution,
    *,
    as_json: bool,
    sampler: Sampler | None,
) -> None:
    """A cohort, with a manifest and a page."""
    from ivos.cohort.page import PAGE

    if sampler and not execution.is_serial:
        raise InputError("--profile measures one scan after the other: leave --workers and --cluster out")
    found = source.cases()
    _check_folder(output, source)
    job.labels.check(found.cases, execution.folder(output))
    if found.left_out and not as_json:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
        print_line(f"{len(found.cases)} series selected; left out: {counts}")
    with CaseProfiler(sampler, output) if sampler else nullcontext() as profiler:
        rows = run_cohort_with_page(job, found.cases, output, execution, watch=profiler)
    done = _json_rows(rows, found.cases, output)
    if as_json:
        print_json(done)
    else:
        print_line(f"{len(done)} of {counted(len(rows), 'scan')} {_DONE[job.name]}: {output / PAGE}")
    report_failures(rows)


def _check_folder(output: Path, source: ScanSource) -> None:
    """Refuse an output folder that is a file, looks like one, is an input, or a URL."""
    from ivos.io.registry import WRITERS

    if _BROKEN_URL.match(str(output)):
        raise InputError(f"{output}: give a folder for manifest and report, and the URL with --upload-to")
    inputs = [Path(source.scan), *([] if source.annotations is None else [source.annotations])]
    same = any(path.exists() and output.exists() and output.samefile(path) for path in inputs)
    if output.is_file() or suffix_of(output) in (*WRITERS, ".dcm") or same:
        raise InputError(f"{output}: give another folder for the labels")


def _json_rows(rows: Sequence[Row], cases: Sequence[Case], output: Path) -> list[dict[str, Any]]:
    """What ``--json`` prints of the cases that went well; nothing else says which case is which scan."""
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
