"""Labels into files of any form: NIfTI and its like, DICOM Segmentation, RT Structure Set."""

from __future__ import annotations

from enum import Enum
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.io.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.io.dicom.pseudonyms import Pseudonyms
    from ivos.volume.volume import Volume


class LabelFormat(str, Enum):
    """What a label file is."""

    nifti = "nifti"
    dicom_seg = "dicom-seg"
    rtstruct = "rtstruct"


_ENDINGS = {LabelFormat.nifti: ".nii.gz", LabelFormat.dicom_seg: ".dcm", LabelFormat.rtstruct: "-rtstruct.dcm"}


def label_path(folder: Path, case: str, form: LabelFormat) -> Path:
    """Where the labels of a case go in a folder of them: ``CASE.nii.gz``, ``CASE.dcm`` or ``CASE-rtstruct.dcm``."""
    return folder / f"{case}{_ENDINGS[form]}"


def format_of(path: Path, form: LabelFormat | None = None) -> LabelFormat:
    """The form of a label file: as given, or by its suffix, where ``.dcm`` is a DICOM Segmentation.

    Raises:
        InputError: suffix and form do not go together.
    """
    dicom = suffix_of(path) == ".dcm"
    if form is None:
        return LabelFormat.dicom_seg if dicom else LabelFormat.nifti
    if dicom != (form is not LabelFormat.nifti):
        ending = _ENDINGS[form] if form is LabelFormat.nifti else ".dcm"
        raise InputError(f"{path}: {form.value} files end in {ending}; give the file such a name, or another format")
    return form


def check_label_path(path: Path, form: LabelFormat | None = None, source: Path | None = None) -> None:
    """Refuse what :func:`write_labels` could not write, before the work is done.

    Args:
        path: of the file to be written.
        form: what it is to be; by default what its suffix says.
        source: the scan that the labels will lie on.

    Raises:
        InputError: an unknown suffix, a folder, a DICOM form for a scan that is not DICOM, or highdicom is missing.
    """
    form = format_of(path, form)
    if form is LabelFormat.nifti:
        from ivos.io.write import check_writable  # the command line takes no more from here than the formats

        check_writable(path)
        return
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    check_dicom_source(form, source)


def check_dicom_source(form: LabelFormat, source: Path | None) -> None:
    """Refuse a DICOM form for a scan that did not come as DICOM, or without the library that writes it.

    Raises:
        InputError: one of these.
    """
    if source is None or not (source.is_dir() or suffix_of(source) == ".zip"):
        came = "no scan is given" if source is None else f"{source} is none"
        raise InputError(f"{form.value} needs a scan that came as DICOM, a folder or .zip, and {came}; take nifti")
    check_installed(form)


def check_installed(form: LabelFormat) -> None:
    """Refuse a form without the library that writes it.

    Raises:
        InputError: highdicom is missing.
    """
    if form is LabelFormat.dicom_seg and find_spec("highdicom") is None:
        raise InputError("DICOM Segmentation needs highdicom: pip install 'ivos[dicom]'")


def write_labels(
    path: Path,
    labels: Volume,
    *,
    source: Path | None = None,
    series: str | None = None,
    stack: int | None = None,
    form: LabelFormat | None = None,
    pseudonyms: Pseudonyms | None = None,
    provenance: Provenance | None = None,
) -> None:
    """Write labels; the file appears whole or not at all.

    Args:
        path: of the file.
        labels: on the scan's grid in any orientation, with names.
        source: folder or zip file of the DICOM series that they lie on; the DICOM forms need it.
        series: the last characters of its SeriesInstanceUID, where there are several.
        stack: the number of its stack, where the series holds several.
        form: what to write; by default what the suffix says, where .dcm is a DICOM Segmentation.
        pseudonyms: stand in for the patient in DICOM headers; other forms say nothing of the patient.
        provenance: how the labels came about, for DICOM headers.

    Raises:
        InputError: as :func:`check_label_path`; nothing is labelled (DICOM forms), the series is not that of the
            labels or cannot be referred to, or the file cannot be written.
    """
    form = format_of(path, form)
    check_label_path(path, form, source)
    if form is LabelFormat.nifti or source is None:
        from ivos.io.write import write_volume

        write_volume(path, labels)
        return
    if form is LabelFormat.dicom_seg:
        from ivos.io.dicom.seg_write import write_dicom_seg as write
    else:
        from ivos.io.dicom.rtstruct_write import write_rtstruct as write
    write(
        path, labels, source, series=series, stack=stack, pseudonyms=pseudonyms, provenance=provenance or Provenance()
    )
