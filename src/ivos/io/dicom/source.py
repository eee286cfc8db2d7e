"""A DICOM series as something that other objects refer to, and whose patient they carry on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pydicom.valuerep import TEXT_VR_DELIMS, DSfloat, PersonName

from ivos.errors import InputError
from ivos.io.dicom.files import dicom_folder, open_header
from ivos.io.dicom.series import series_files
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ivos.io.dicom.pseudonyms import Pseudonyms
    from ivos.volume.geometry import Geometry

logger = logging.getLogger(__name__)

UTF_8 = "ISO_IR 192"
SERIES_NUMBER = 300  # beyond those that scanners give

_IN_FILE_HEADER = {"SOPClassUID": "MediaStorageSOPClassUID", "SOPInstanceUID": "MediaStorageSOPInstanceUID"}
_NEEDED = (*_IN_FILE_HEADER, "FrameOfReferenceUID")
_MADE = ("StudyInstanceUID", "SeriesInstanceUID")
"""Anonymised files may lack these; nothing is found by them alone."""

_IDENTITY = (
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate",
    "StudyTime", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""What DICOM asks of every object of a study to say of patient and study: no more of them is carried on."""

_OPTIONAL = ("IssuerOfPatientID",)  # left out where it is empty; the others may be empty but not absent


@dataclass(frozen=True)
class DicomSource:
    """A series that labels lie on.

    Attributes:
        slices: for each slice along the grid's first axis what identifies and places it, and nothing of the patient.
        geometry: the grid.
        identity: what the files say of patient and study, as text by keyword.
    """

    slices: list[Dataset]
    geometry: Geometry
    identity: dict[str, str]

    def grid(self) -> Volume:
        """An empty volume on the grid."""
        frame_of_reference = str(self.slices[0].FrameOfReferenceUID)
        empty = np.zeros(self.geometry.shape, np.uint8)
        return Volume.from_array(empty, self.geometry, frame_of_reference=frame_of_reference)

    def carry_identity(self, target: Dataset, pseudonyms: Pseudonyms | None) -> None:
        """Say in another object whose study it belongs to.

        Args:
            target: gets patient and study; its text is in UTF-8.
            pseudonyms: stand in for the patient; what else the files say of patient and study becomes empty then. The
                UIDs stay, because references need them.
        """
        target.SpecificCharacterSet = UTF_8
        identity = self.identity if pseudonyms is None else self._hidden(pseudonyms)
        for keyword in _IDENTITY:
            text = identity.get(keyword, "")
            if text or keyword not in _OPTIONAL:
                target[keyword] = _element(keyword, text)
        if pseudonyms is not None:
            target.PatientIdentityRemoved = "YES"
            target.DeidentificationMethod = "ivos: HMAC-SHA256 of the patient identifier"

    def _hidden(self, pseudonyms: Pseudonyms) -> dict[str, str]:
        who = [self.identity.get(k, "").strip() for k in ("IssuerOfPatientID", "PatientID", "PatientName")]
        known = "\\".join(who[:2]) if who[1] else who[2]
        pseudonym = pseudonyms.of(known or str(self.slices[0].StudyInstanceUID))  # nameless patients are not one
        return {"PatientID": pseudonym, "PatientName": f"{pseudonym}^"}  # a family name alone


def read_source(source: Path, series: str | None = None, stack: int | None = None) -> DicomSource:
    """The series in a folder or zip file as :func:`ivos.io.dicom.series.read_series` finds it.

    Args:
        source: the folder or zip file.
        series: the last characters of its SeriesInstanceUID, where there are several.
        stack: the number of its stack, where the series holds several.

    Raises:
        InputError: no such series, or one whose files lack what a reference needs.
    """
    with dicom_folder(source) as folder:
        files, geometry = series_files(folder, series, stack, named=source)
        headers = [open_header(file) for file in files]
    slices = [_placed(header, geometry, index, source) for index, header in enumerate(headers)]
    _fill_in(slices, source)
    return DicomSource(slices, geometry, {keyword: _text(headers[0], keyword) for keyword in _IDENTITY})


def _placed(header: Dataset, geometry: Geometry, index: int, source: Path) -> Dataset:
    """What identifies a slice, and its place on the grid: headers are rounded, and labels lie on the grid."""
    slice_ = Dataset()
    slice_.SpecificCharacterSet = UTF_8
    for name in (*_NEEDED, *_MADE, "Rows", "Columns"):
        if name in header:
            slice_[name] = header[name]
    for name, twin in _IN_FILE_HEADER.items():
        if not slice_.get(name) and header.file_meta.get(twin):
            setattr(slice_, name, header.file_meta[twin].value)
    missing = [name for name in _NEEDED if not slice_.get(name)]
    if missing:
        raise InputError(
            f"{source}: its DICOM files have no {', '.join(missing)}: nothing can refer to them; use NIfTI"
        )
    slice_.Modality = str(header.get("Modality") or "OT")
    _, column, row = geometry.axes
    slice_.ImageOrientationPatient = _decimals([*row, *column])
    slice_.ImagePositionPatient = _decimals(geometry.points_mm([[index, 0, 0]])[0])
    slice_.PixelSpacing = _decimals(geometry.spacing_mm[1:])
    slice_.SpacingBetweenSlices = geometry.spacing_mm[0]  # as the slices lie: what headers say of it is not always so
    slice_.SliceThickness = header.get("SliceThickness") or geometry.spacing_mm[0]
    for name in _IDENTITY:
        if name not in _OPTIONAL:
            setattr(slice_, name, "")  # whoever makes objects of these asks for them
    return slice_


def _decimals(values: Iterable[float]) -> list[DSfloat]:
    """Numbers with as many digits as DICOM has room for."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def _fill_in(slices: list[Dataset], source: Path) -> None:
    """Study and series of files that do not say theirs: always the same ones for the same files."""
    missing = [name for name in _MADE if not all(slice_.get(name) for slice_ in slices)]
    if not missing:
        return
    logger.warning(
        "%s: its DICOM files have no %s (anonymised?); one is made up: archives will not file the result with the scan",
        source,
        " and no ".join(missing),
    )
    instances = sorted(str(slice_.SOPInstanceUID) for slice_ in slices)
    for name in missing:
        made = generate_uid(entropy_srcs=[name, *instances])
        for slice_ in slices:
            setattr(slice_, name, made)


def _text(header: Dataset, keyword: str) -> str:
    """The value as text, whether DICOM would have it so or not: libraries warn of odd values, and print them."""
    element = header.get_item(keyword)
    if element is None or not element.value:
        return ""
    if not isinstance(element.value, bytes):
        return str(element.value)
    encodings = convert_encodings(header.get("SpecificCharacterSet") or "ISO_IR 6")
    if dictionary_VR(element.tag) == "PN":
        return str(PersonName(element.value, encodings, validation_mode=IGNORE)).strip("\0 ")
    return decode_bytes(element.value, encodings, TEXT_VR_DELIMS).strip("\0 ")


def _element(keyword: str, text: str) -> DataElement:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return DataElement(tag, dictionary_VR(tag), text, validation_mode=IGNORE)
