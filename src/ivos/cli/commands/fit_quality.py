"""`ivos fit-quality`: a model that estimates the DSC of structures without ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ivos.cli import options
from ivos.cli.output import print_json, print_line
from ivos.cli.progress import progress_bar
from ivos.errors import InputError, counted
from ivos.files import check_file_writable


def fit_quality(
    segmented: Annotated[Path, typer.Argument(help="Labels from ivos segment --quality-features: a folder.")],
    truth: Annotated[Path, typer.Argument(help="Ground truth: a folder of label files with the same names.")],
    output: Annotated[
        Path, options.output_option("--output", "-o", help="JSON file for ivos segment --quality-model.")
    ],
    by: options.ByOption = "auto",
    as_json: options.JsonOption = False,
) -> None:
    """Fit a model that estimates the Dice score of each structure without ground truth.

    Use scans that the reference networks were not trained on.
    """
    from dataclasses import asdict

    from ivos.io.cases import labels_by_case
    from ivos.io.read import read_labels
    from ivos.metrics.overlap import dsc
    from ivos.uncertainty.case_file import read_evidence
    from ivos.uncertainty.estimate import Observation, assess_estimates, fit, save_estimator
    from ivos.volume.label_matching import in_one_numbering
    from ivos.volume.labels import ignored_in
    from ivos.volume.volume import on_grid_of

    if output.suffix != ".json":
        raise InputError(f"{output}: name it .json")
    check_file_writable(output)
    evidence, found, true = read_evidence(segmented), labels_by_case(segmented), labels_by_case(truth)
    cases = sorted(set(evidence) & set(found) & set(true))
    if not cases:
        raise InputError(f"{truth}: no case of the same name as in {segmented}")
    observations = []
    with progress_bar("Comparing", shown=not as_json) as progress:
        for number, case in enumerate(cases, start=1):
            labels = read_labels(true[case])
            segmented_labels = on_grid_of(read_labels(found[case]), labels, str(found[case]))
            pair, paths = [segmented_labels, labels], [found[case], true[case]]
            segmentation, labels = segmented_labels.array, in_one_numbering(pair, paths, by)[1]
            said = ~ignored_in(labels)
            for structure in evidence[case].structures:
                overlap = dsc((segmentation == structure) & said, (labels.array == structure) & said)
                observations.append(Observation(case, structure, evidence[case].figures(structure), overlap))
            progress(number, len(cases))
    estimator, held_out = fit(observations, evidence[cases[0]].made_by)
    save_estimator(estimator, output)
    fitted = assess_estimates(held_out, [observation.dsc for observation in observations])
    if as_json:
        print_json({"output": str(output), "scans": len(cases), "structures": len(observations), **asdict(fitted)})
        return
    print_line(f"{counted(len(observations), 'structure')} of {counted(len(cases), 'scan')}: {output}")
    print_line(
        f"Cross-validated: correlation with the true DSC {fitted.pearson:.2f}, mean absolute "
        f"error {fitted.mean_error:.3f}, {fitted.covered:.0%} within the 90 % interval"
    )
    if fitted.bad:
        bad = f"{counted(fitted.bad, 'structure')} below DSC 0.7"
        print_line(f"{fitted.detection_rate:.0%} of {bad} are found, at 10 % false alarms")
