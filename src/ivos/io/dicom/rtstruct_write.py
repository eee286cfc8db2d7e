"""Labels as RT Structure Sets: contours on the slices of a DICOM series."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid
from scipy.ndimage import find_objects

from ivos.files import replacing
from ivos.io.dicom.anatomy_codes import code_item, concept_or_own
from ivos.io.dicom.contours import outlines
from ivos.io.dicom.seg_write import on_grid_of_series
from ivos.io.dicom.source import SERIES_NUMBER, DicomSource, read_source
from ivos.io.provenance import Provenance
from ivos.volume.anatomy_names import dicom_names, dicom_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ivos.io.dicom.pseudonyms import Pseudonyms
    from ivos.types import Array
    from ivos.volume.labels import Label
    from ivos.volume.volume import Volume

_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"  # a retired class by whose UID a structure set still refers to its study
_CONTOUR_DATA = Tag(0x3006, 0x0050)
_DECIMALS = 3  # of a millimetre: far finer than a pixel, and within the 16 characters that DICOM gives a number


def write_rtstruct(
    path: Path,
    labels: Volume,
    source: Path,
    *,
    series: str | None = None,
    stack: int | None = None,
    pseudonyms: Pseudonyms | None = None,
    provenance: Provenance | None = None,
) -> None:
    """Write labels as an RT Structure Set on the slices of the series that they lie on.

    Contours run along the edges of pixels; a hole is joined to the outline around it by a channel of no width. The
    number of a region of interest is the label id. The file appears whole or not at all.

    Args:
        path: of the .dcm file.
        labels: on the grid of the series, in any orientation; ``names`` say what they are.
        source: the folder or zip file of the DICOM series.
        series: the last characters of its SeriesInstanceUID, where there are several.
        stack: the number of its stack, where the series holds several.
        pseudonyms: stand in for the patient.
        provenance: how the labels came about.

    Raises:
        InputError: no such series, one that cannot be referred to, another grid, nothing labelled, or the file cannot
            be written.

    References:
        DICOM PS3.3 A.19 and C.8.8.5 to C.8.8.8: Structure Set, ROI Contour, RT ROI Observations.
    """
    on_series = read_source(source, series, stack)
    numbered, structures = on_grid_of_series(path, labels, on_series)
    names = dicom_names({structure.id: structure.name for structure in structures}, path)
    provenance = provenance or Provenance()
    written = _general(on_series, provenance)
    on_series.carry_identity(written, pseudonyms)
    written.ReferencedFrameOfReferenceSequence = [_referred(on_series)]
    frame = on_series.slices[0].FrameOfReferenceUID
    written.StructureSetROISequence = [
        _region(structure, names[structure.id], frame, provenance) for structure in structures
    ]
    written.ROIContourSequence = [
        _contoured(structure, list(_contours(numbered, number, box, on_series)))
        for number, (structure, box) in enumerate(zip(structures, find_objects(numbered), strict=True), start=1)
    ]
    written.RTROIObservationsSequence = [_observed(structure) for structure in structures]
    with replacing(path) as temporary:
        written.save_as(temporary, enforce_file_format=True)


def _general(source: DicomSource, provenance: Provenance) -> Dataset:
    """Whose it is, what made it, and when."""
    data, now = Dataset(), datetime.now().astimezone()
    data.file_meta = FileMetaDataset()
    # Implicit: with explicit types a contour of more than 64 kB has no room for its length
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = RTStructureSetStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.StudyInstanceUID = source.slices[0].StudyInstanceUID
    data.Modality, data.SeriesInstanceUID, data.SeriesNumber = "RTSTRUCT", generate_uid(), SERIES_NUMBER
    data.SeriesDescription, data.OperatorsName, data.InstanceNumber = "ivos: labels", "", 1
    data.Manufacturer = data.ManufacturerModelName = "ivos"
    data.SoftwareVersions, data.DeviceSerialNumber = version("ivos"), "0"
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = source.slices[0].FrameOfReferenceUID, ""
    data.StructureSetLabel, data.StructureSetName = "ivos", dicom_text(provenance.algorithm)
    data.StructureSetDate = data.InstanceCreationDate = now.strftime("%Y%m%d")
    data.StructureSetTime = data.InstanceCreationTime = now.strftime("%H%M%S")
    data.ApprovalStatus = "UNAPPROVED"
    return data


def _referred(source: DicomSource) -> Dataset:
    """The frame of reference, and the images in it that the contours lie on."""
    first = source.slices[0]
    series = _item(
        SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=[_image(image) for image in source.slices]
    )
    study = _item(
        ReferencedSOPClassUID=_STUDY_CLASS,
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return _item(FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _region(structure: Label, name: str, frame: str, provenance: Provenance) -> Dataset:
    told = "".join(f", {name} {value}" for name, value in provenance.parameters.items())
    return _item(
        ROINumber=structure.id,
        ReferencedFrameOfReferenceUID=frame,
        ROIName=name,
        ROIGenerationAlgorithm=provenance.manner.value,
        ROIGenerationDescription=dicom_text(f"{provenance.algorithm} {provenance.version or version('ivos')}{told}"),
    )


def _observed(structure: Label) -> Dataset:
    """What a region is, as far as it has a code."""
    concept = concept_or_own(structure)
    code = code_item(concept.kind)
    if concept.region is None and concept.side is not None:
        code.SegmentedPropertyTypeModifierCodeSequence = [code_item(concept.side)]
    return _item(
        ObservationNumber=structure.id,
        ReferencedROINumber=structure.id,
        RTROIIdentificationCodeSequence=[code],
        RTROIInterpretedType="ORGAN",
        ROIInterpreter="",
    )


def _contoured(structure: Label, contours: Sequence[Dataset]) -> Dataset:
    return _item(
        ReferencedROINumber=structure.id, ROIDisplayColor=list(structure.colour), ContourSequence=list(contours)
    )


def _contours(numbered: Array, number: int, box: tuple[slice, ...], source: DicomSource) -> Iterator[Dataset]:
    """The contours of a segment number, slice by slice, from the box that holds it."""
    z, y, x = (part.start for part in box)
    for index, plane in enumerate(numbered[box] == number, start=z):
        for polygon in outlines(plane):
            places = np.column_stack([np.full(len(polygon), index), polygon + np.array([y, x])])
            contour = _item(
                ContourImageSequence=[_image(source.slices[index])],
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(polygon),
            )
            contour[_CONTOUR_DATA] = _numbers(source.geometry.points_mm(places))
            yield contour


def _numbers(points_mm: npt.NDArray[np.float64]) -> RawDataElement:
    """Points as they stand in the file: as objects of pydicom, a number each, they would take minutes."""
    text = "\\".join(f"{value:.{_DECIMALS}f}" for value in points_mm.ravel()).encode()
    text += b" " * (len(text) % 2)
    return RawDataElement(_CONTOUR_DATA, "DS", len(text), text, 0, True, True)


def _image(header: Dataset) -> Dataset:
    return _item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
