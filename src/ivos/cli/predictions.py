"""Folders of label files of the same cases, as input and as output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.cli.execution import exit_with_failures
from ivos.cli.options import load_pseudonyms
from ivos.cli.output import name_some, print_error
from ivos.errors import InputError, counted
from ivos.files import check_writable
from ivos.io.labels import LabelFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from ivos.pipelines.outputs import LabelFiles
    from ivos.types import Progress


def check_folders(predictions: Sequence[Path], output: Path, *others: Path | None) -> None:
    """Refuse a prediction that is given twice, and an output that is an input, a file, or cannot be written to.

    Args:
        predictions: folders of label files.
        output: where results go.
        others: further inputs, as far as they are given.

    Raises:
        InputError: one of these.
    """
    resolved = [folder.resolve() for folder in predictions]
    for number, folder in enumerate(resolved):
        if folder in resolved[:number]:
            raise InputError(f"{predictions[number]}: is given twice; every prediction counts once")
    if output.resolve() in [*resolved, *(folder.resolve() for folder in others if folder is not None)]:
        raise InputError(f"{output}: is an input of this command; give the output another name")
    check_is_no_file(output)
    check_writable(output, "-o")


def check_is_no_file(output: Path) -> None:
    """Refuse an output folder that is a file.

    Raises:
        InputError: it is.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give the name of a folder")


def match_cases(predictions: Sequence[Path]) -> dict[str, list[Path]]:
    """The label files of each case, one of each prediction.

    Raises:
        InputError: a folder has no labels, or lacks cases that others have.
    """
    from ivos.io.cases import labels_by_case

    found = [labels_by_case(folder) for folder in predictions]
    everywhere = sorted({case for files in found for case in files})
    for folder, files in zip(predictions, found, strict=True):
        missing = [case for case in everywhere if case not in files]
        if missing:
            raise InputError(
                f"{folder}: no labels of {len(missing)} of {counted(len(everywhere), 'case')} that others have: "
                f"{name_some(missing)}"
            )
    return {case: [files[case] for files in found] for case in everywhere}


def find_scans(folder: Path | None, cases: Collection[str]) -> dict[str, Path]:
    """The scan of each case; nothing without a folder.

    Raises:
        InputError: a case has none.
    """
    from ivos.io.cases import scans_by_case

    if folder is None:
        return {}
    found = scans_by_case(folder)
    missing = [case for case in cases if case not in found]
    if missing:
        of = f"{len(missing)} of {counted(len(cases), 'case')}"
        raise InputError(f"{folder}: no scan for {of}: {name_some(missing)}")
    return found


def check_probabilities(predictions: Sequence[Path]) -> None:
    """Refuse predictions without any probabilities: once, before the first case.

    Raises:
        InputError: one has none.
    """
    from ivos.io.probabilities import PROBABILITIES

    for folder in predictions:
        if not (folder / PROBABILITIES).is_dir():
            raise InputError(
                f"{folder}: has no {PROBABILITIES}/; create it with 'ivos segment --probabilities all', or choose "
                "another rule"
            )


def choose_label_files(
    form: LabelFormat | None, key_file: Path | None, cases: Collection[str], scans: Mapping[str, Path]
) -> LabelFiles:
    """How the labels of cases are written, refused before the work where they could not be.

    Args:
        form: their format; NIfTI by default.
        key_file: file with the key of pseudonyms; created if missing.
        cases: their names.
        scans: the scans by case, as far as they are given.

    Raises:
        InputError: DICOM without a DICOM series of every case, or pseudonyms for files without patient identity.
    """
    from ivos.io.labels import check_dicom_source
    from ivos.pipelines.outputs import LabelFiles

    form = form or LabelFormat.nifti
    if form is LabelFormat.nifti:
        if key_file is not None:
            raise InputError(
                "--pseudonymise: NIfTI says nothing of the patient; use it with --format dicom-seg or rtstruct"
            )
        return LabelFiles(form)
    missing = [case for case in cases if case not in scans]
    if missing:
        raise InputError(
            f"--format {form.value}: needs the DICOM series of every case; give their folder with --scans; "
            f"missing: {name_some(missing)}"
        )
    for case in cases:
        check_dicom_source(form, scans[case])
    return LabelFiles(form, load_pseudonyms(key_file))


def for_each_case(cases: Collection[str], work: Callable[[str], None], progress: Progress | None = None) -> None:
    """Process every case; one that fails has a line on stderr, and the others go on.

    Args:
        cases: names.
        work: processes the case of a name.
        progress: called with cases processed, well or not, and all cases.

    Raises:
        typer.Exit: with code 1 at the end, if a case failed; how many and which is printed to stderr.
    """
    failed = []
    for number, case in enumerate(cases, start=1):
        try:
            work(case)
        except InputError as error:
            failed.append(case)
            print_error(f"ivos: {case}: {error}")
        except OSError as error:
            failed.append(case)
            print_error(f"ivos: {case}: {error.filename or 'file'}: {error.strerror or error}")
        if progress is not None:
            progress(number, len(cases))
    exit_with_failures(failed, len(cases))
