"""`ivos ensemble`: several predictions of the same cases into one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.cases import each_case
from ivos.cli.label_options import ByOption, FormatOption, IgnoreLabelOption, PseudonymiseOption
from ivos.cli.label_output import label_output
from ivos.cli.predictions import cases_of, check_folders, check_probabilities
from ivos.cli.terminal import print_line, progress_bar
from ivos.errors import InputError, counted
from ivos.segmentation.ensemble import ConsensusRule

logger = logging.getLogger(__name__)


def ensemble(
    predictions: Annotated[list[Path], typer.Argument(help="Two folders or more with label files of the same names.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the joined label files.")],
    rule: Annotated[
        ConsensusRule,
        typer.Option(help="Vote; STAPLE; the highest mean of the probabilities that ivos segment wrote beside labels."),
    ] = "majority",
    uncertainty: Annotated[
        bool,
        typer.Option("--uncertainty", help="Also write which share of predictions has another label, 0 to 255."),
    ] = False,
    ignore_label: IgnoreLabelOption = None,
    by: ByOption = "auto",
    form: FormatOption = None,
    scans: Annotated[
        Path | None,
        typer.Option(
            help="For and from DICOM label files: folder with a folder or .zip of the DICOM series of each case."
        ),
    ] = None,
    pseudonymise: PseudonymiseOption = None,
) -> None:
    """Join predictions of the same cases into one folder of labels.

    Beside the labels of CASE goes uncertainty/CASE.nii.gz where it is asked for.
    """
    from ivos.io.cases import scans_by_case
    from ivos.io.provenance import Provenance
    from ivos.io.write import write_volume
    from ivos.pseudo_labels.predictions import probabilities_of, read_predictions, refuse_other_numbering
    from ivos.segmentation.ensemble import consensus

    if len(predictions) < 2:
        raise InputError(f"{predictions[0]}: give two folders of predictions or more")
    check_folders(predictions, output, scans)
    cases = cases_of(predictions)
    series = {} if scans is None else scans_by_case(scans)
    labels_out = label_output(output, cases, form=form, pseudonymise=pseudonymise, scans=series)
    provenance = Provenance(algorithm=f"ivos ensemble, {rule}", parameters={"predictions": str(len(predictions))})
    by_probability = rule == "mean-probability"
    if by_probability:
        check_probabilities(predictions)
    if rule == "majority" and len(predictions) == 2:
        logger.warning("a vote of two is decided by the first wherever they differ: give three, or another --rule")

    told: set[str] = set()

    def tell_once(sentence: str) -> None:
        if sentence not in told:
            told.add(sentence)
            logger.warning(sentence)

    note = refuse_other_numbering if by_probability else tell_once

    def work(case: str) -> None:
        labels = read_predictions(cases[case], series.get(case), by=by, ignore=ignore_label, note=note)
        probabilities = probabilities_of(predictions, case, labels[0]) if by_probability else None
        joined = consensus(rule, labels, probabilities)
        if uncertainty:
            doubt = joined.agreement.with_array(255 - joined.agreement.array)
            write_volume(output / "uncertainty" / f"{case}.nii.gz", doubt)
        labels_out.write(case, joined.labels, provenance)

    with progress_bar("Joining") as progress:
        each_case(cases, work, progress)
    print_line(f"{counted(len(cases), 'case')} of {len(predictions)} predictions by {rule}: {output}")
