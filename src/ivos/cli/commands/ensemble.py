"""`ivos ensemble`: several predictions of the same cases into one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ivos.cli import options
from ivos.cli.output import print_line
from ivos.cli.predictions import check_folders, check_probabilities, choose_label_files, for_each_case, match_cases
from ivos.cli.progress import progress_bar
from ivos.errors import InputError, counted
from ivos.segmentation.ensemble import ConsensusRule

_log = logging.getLogger(__name__)


def ensemble(
    predictions: Annotated[list[Path], typer.Argument(help="Two or more folders of label files with the same names.")],
    output: Annotated[Path, options.output_option("--output", "-o", help="Folder for the combined labels.")],
    rule: Annotated[
        ConsensusRule,
        options.model_option(
            help="Majority vote; STAPLE; or the highest mean of the probabilities that ivos segment wrote next to the "
            "labels."
        ),
    ] = "majority",
    uncertainty: Annotated[
        bool,
        options.output_option(
            "--uncertainty",
            help="Also write uncertainty/CASE.nii.gz: the share of predictions with another label, 0 to 255.",
        ),
    ] = False,
    ignore_label: options.IgnoreLabelOption = None,
    by: options.ByOption = "auto",
    form: options.FormatOption = None,
    scans: Annotated[
        Path | None,
        options.dicom_option(
            help="Folder with the DICOM series of each case (folder or .zip), to read and write DICOM labels."
        ),
    ] = None,
    pseudonymise: options.PseudonymiseOption = None,
) -> None:
    """Combine several predictions of the same cases."""
    from ivos.io.cases import scans_by_case
    from ivos.io.provenance import Provenance
    from ivos.io.write import write_volume
    from ivos.pipelines.protocol import Case
    from ivos.pseudo_labels.predictions import probabilities_of, read_predictions, refuse_other_numbering
    from ivos.segmentation.ensemble import consensus

    if len(predictions) < 2:
        raise InputError(f"{predictions[0]}: give two folders of predictions or more")
    check_folders(predictions, output, scans)
    files_by_case = match_cases(predictions)
    series = {} if scans is None else scans_by_case(scans)
    files = choose_label_files(form, pseudonymise, files_by_case, series)
    provenance = Provenance(algorithm=f"ivos ensemble, {rule}", parameters={"predictions": str(len(predictions))})
    by_probability = rule == "mean-probability"
    if by_probability:
        check_probabilities(predictions)
    if rule == "majority" and len(predictions) == 2:
        _log.warning("in a vote of two, the first decides wherever they differ: give three, or another --rule")

    warned: set[str] = set()

    def warn_once(sentence: str) -> None:
        if sentence not in warned:
            warned.add(sentence)
            _log.warning(sentence)

    note = refuse_other_numbering if by_probability else warn_once

    def combine(name: str) -> None:
        labels = read_predictions(files_by_case[name], series.get(name), by=by, ignore=ignore_label, note=note)
        probabilities = probabilities_of(predictions, name, labels[0]) if by_probability else None
        combined = consensus(rule, labels, probabilities)
        if uncertainty:
            doubt = combined.agreement.with_array(255 - combined.agreement.array)
            write_volume(output / "uncertainty" / f"{name}.nii.gz", doubt)
        case = Case(name, {"scan": str(series[name])} if name in series else {})
        files.write(files.path(output, case), combined.labels, case, provenance)

    with progress_bar("Combining") as progress:
        for_each_case(files_by_case, combine, progress)
    print_line(f"{counted(len(files_by_case), 'case')} of {len(predictions)} predictions by {rule}: {output}")
