"""What jobs share: the form of label files, checksums of weights."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError
from ivos.files import check_file_writable
from ivos.io.download import checksum
from ivos.io.labels import (
    LabelFormat,
    check_dicom_source,
    check_installed,
    check_label_path,
    format_of,
    label_path,
    write_labels,
)
from ivos.io.remote import canonical_url, is_address, local_copy, redact_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.io.dicom.pseudonyms import Pseudonyms
    from ivos.io.provenance import Provenance
    from ivos.pipelines.protocol import Case
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class LabelFiles:
    """How label files are written.

    Attributes:
        form: of all of them; None for what the suffix of a file says.
        pseudonyms: stand in for patients in DICOM headers.
    """

    form: LabelFormat | None = None
    pseudonyms: Pseudonyms | None = None

    def settings(self) -> dict[str, Any]:
        """Without the key of the pseudonyms; with the version of ivos, which may change what labels are."""
        return {
            "version": version("ivos"),
            "format": (self.form or LabelFormat.nifti).value,
            "pseudonyms": None if self.pseudonyms is None else self.pseudonyms.of("this key"),
        }

    def check(self, cases: Sequence[Case], folder: str) -> None:
        """Refuse cases of which such files could not be written, before the work is done.

        Args:
            cases: all of them.
            folder: path or address where their files go.

        Raises:
            InputError: a DICOM form for a scan that did not come as DICOM, pseudonyms for another form, or a file that
                would take the place of an input.
        """
        inputs = {canonical_url(place) for case in cases for place in case.inputs.values()}
        for case in cases:
            file = f"{folder.rstrip('/')}/{self.path(Path(), case)}"
            if canonical_url(file) in inputs:
                raise InputError(f"{redact_url(file)}: is an input of this command; give another folder for the labels")
        if self.form is None or self.form is LabelFormat.nifti:
            if self.pseudonyms is not None:
                raise InputError("--pseudonymise: only DICOM says anything of the patient; add --format dicom-seg")
            return
        check_installed(self.form)
        for case in cases:
            if not is_address(case.inputs["scan"]):
                check_dicom_source(self.form, Path(case.inputs["scan"]))

    def check_file(self, path: Path, scan: str) -> None:
        """The same for one file.

        Raises:
            InputError: it could not be written where it is to go, or in its form, or has no place for pseudonyms.
        """
        check_file_writable(path)
        form = format_of(path, self.form)
        if is_address(scan) and form is not LabelFormat.nifti:
            check_installed(form)  # what lies there shows when it is here
        else:
            check_label_path(path, form, Path(scan))
        if self.pseudonyms is not None and form is LabelFormat.nifti:
            raise InputError(
                f"{path}: only DICOM says anything of the patient; leave --pseudonymise out, or name it .dcm"
            )

    def check_scan(self, scan: Volume, place: str) -> None:
        """Refuse a scan that labels of this form could not refer to, before the work on it.

        Raises:
            InputError: a DICOM form, and the scan has no frame of reference.
        """
        if self.form not in (None, LabelFormat.nifti) and scan.frame_of_reference is None:
            raise InputError(f"{place}: not DICOM, or without FrameOfReferenceUID; write NIfTI instead")

    def path(self, folder: Path, case: Case) -> Path:
        """Where the labels of a case go."""
        return label_path(folder, case.name, self.form or LabelFormat.nifti)

    def write(self, path: Path, labels: Volume, case: Case, provenance: Provenance) -> None:
        """Write the labels of a case."""
        scan = case.inputs.get("scan")
        if format_of(path, self.form) is LabelFormat.nifti:
            scan = None  # of an address it would be fetched once more for nothing
        with nullcontext() if scan is None else local_copy(scan) as source:
            write_labels(
                path,
                labels,
                source=source,
                series=case.series,
                stack=case.stack,
                form=self.form,
                pseudonyms=self.pseudonyms,
                provenance=provenance,
            )


def weights_checksum(path: Path) -> str:
    """The first digits of a checkpoint's checksum.

    Raises:
        InputError: no such file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint file")
    return checksum(path)[:16]
