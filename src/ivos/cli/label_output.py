"""Where a command that joins predictions writes the labels of its cases, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivos.cli.cases import named
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ivos.io.dicom.pseudonyms import Pseudonyms
    from ivos.io.labels import LabelFormat
    from ivos.io.provenance import Provenance
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class LabelOutput:
    """A folder of label files.

    Attributes:
        folder: where they go.
        form: what they are.
        scans: the DICOM series of each case, where they are DICOM.
        pseudonyms: stand in for patients in DICOM headers.
    """

    folder: Path
    form: LabelFormat
    scans: Mapping[str, Path]
    pseudonyms: Pseudonyms | None

    def path(self, case: str) -> Path:
        """Where the labels of a case go."""
        from ivos.io.labels import label_path

        return label_path(self.folder, case, self.form)

    def write(self, case: str, labels: Volume, provenance: Provenance) -> None:
        """Write the labels of a case.

        Raises:
            InputError: what :func:`ivos.io.labels.write_labels` refuses.
        """
        from ivos.io.labels import write_labels

        write_labels(
            self.path(case),
            labels,
            source=self.scans.get(case),
            form=self.form,
            pseudonyms=self.pseudonyms,
            provenance=provenance,
        )


def label_output(
    folder: Path,
    cases: Collection[str],
    *,
    form: LabelFormat | None,
    pseudonymise: Path | None,
    scans: Mapping[str, Path],
) -> LabelOutput:
    """What is to be written, refused before the work where it could not be.

    Args:
        folder: where label files go.
        cases: their names.
        form: what they are to be; NIfTI if nothing is said.
        pseudonymise: file with the key of pseudonyms.
        scans: the scans by case, as far as they are given.

    Raises:
        InputError: DICOM without a DICOM series of every case, or pseudonyms for files that say nothing of patients.
    """
    from ivos.cli.label_options import pseudonyms_of
    from ivos.io.labels import LabelFormat, check_dicom_source

    wanted = form or LabelFormat.nifti
    if wanted is LabelFormat.nifti:
        if pseudonymise is not None:
            raise InputError(
                "--pseudonymise: NIfTI says nothing of the patient; it goes with --format dicom-seg, rtstruct"
            )
        return LabelOutput(folder, wanted, {}, None)
    missing = [case for case in cases if case not in scans]
    if missing:
        raise InputError(
            f"--format {wanted.value}: needs the DICOM series of every case; give their folder with --scans; "
            f"missing: {named(missing)}"
        )
    for case in cases:
        check_dicom_source(wanted, scans[case])
    return LabelOutput(folder, wanted, scans, pseudonyms_of(pseudonymise))
