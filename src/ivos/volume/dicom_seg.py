"""Labels as DICOM Segmentation objects, beside the series that they were made on."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pydicom

from ivos.errors import InputError
from ivos.files import replacing
from ivos.volume.dicom import dicom_folder, series_files
from ivos.volume.labels import Label, apply_mapping, canonical_name, scheme_from_names, structures_in
from ivos.volume.volume import Volume, on_grid_of

if TYPE_CHECKING:
    from pathlib import Path

    from highdicom.seg import SegmentDescription
    from pydicom.dataset import Dataset

_NEEDED = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_SERIES_NUMBER = 300  # beyond those that scanners give


class _Concept(NamedTuple):
    """A SNOMED CT concept, with a side where there are two of it."""

    code: str
    meaning: str
    side: tuple[str, str] | None = None


_RIGHT, _LEFT = ("24028007", "Right"), ("7771000", "Left")
_ANATOMY, _TISSUE = ("123037004", "Anatomical Structure"), ("85756007", "Tissue")
_CONCEPTS = {
    "liver": _Concept("10200004", "Liver"),
    "kidney_right": _Concept("64033007", "Kidney", _RIGHT),
    "kidney_left": _Concept("64033007", "Kidney", _LEFT),
    "spleen": _Concept("78961009", "Spleen"),
    "pancreas": _Concept("15776009", "Pancreas"),
    "aorta": _Concept("15825003", "Aorta"),
    "inferior_vena_cava": _Concept("64131007", "Inferior vena cava"),
    "adrenal_gland_right": _Concept("23451007", "Adrenal gland", _RIGHT),
    "adrenal_gland_left": _Concept("23451007", "Adrenal gland", _LEFT),
    "gallbladder": _Concept("28231008", "Gallbladder"),
    "esophagus": _Concept("32849002", "Esophagus"),
    "stomach": _Concept("69695003", "Stomach"),
    "duodenum": _Concept("38848004", "Duodenum"),
}


def write_dicom_seg(path: Path, labels: Volume, source: Path, *, series: str | None = None) -> None:
    """Write labels as a binary DICOM Segmentation that refers to every slice of the series that it lies on.

    Structures whose names we know get their SNOMED CT codes; others one of our own coding scheme, 99IVOS. Segments are
    numbered from 1 by ascending label id, whatever the ids are, as DICOM asks; a structure without voxels is left out.
    The file appears whole or not at all.

    Args:
        path: of the .dcm file.
        labels: on the grid of the series, in any orientation; ``names`` say what they are.
        source: the folder or zip file of the DICOM series.
        series: the last characters of its SeriesInstanceUID, where there are several.

    Raises:
        InputError: no such series, one that cannot be referred to, another grid, nothing labelled, highdicom is not
            installed, or the file cannot be written.

    References:
        DICOM PS3.3 A.51 and C.8.20: Segmentation; PS3.16 CID 7150 and 7166.
    """
    present = structures_in(labels.array)
    if not present:
        raise InputError(f"{path.name}: nothing is labelled; a DICOM Segmentation needs at least one structure")
    with dicom_folder(source) as folder:
        files, geometry = series_files(folder, series)
        headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    slices = [_referable(header, geometry.spacing_mm[0], source) for header in headers]
    grid = Volume.from_array(np.zeros(geometry.shape, np.uint8), geometry)
    numbered = apply_mapping(on_grid_of(labels, grid, "labels").source_array(), _numbers(present))
    names = {k: labels.names.get(k) or f"label {k}" for k in present}
    written = _segmentation(slices, numbered, scheme_from_names(names).labels)
    with replacing(path) as temporary:
        written.save_as(temporary)


def _numbers(present: list[int]) -> dict[int, int]:
    return {label: number for number, label in enumerate(present, start=1)}


def _referable(data: Dataset, spacing_mm: float, source: Path) -> Dataset:
    """The header of a slice with all that a reference needs: anonymised files often lack what may be empty."""
    missing = [name for name in _NEEDED if name not in _MAY_BE_EMPTY and not data.get(name)]
    if missing:
        raise InputError(
            f"{source}: its DICOM files have no {', '.join(missing)}: nothing can refer to them; use NIfTI"
        )
    for name in _MAY_BE_EMPTY:
        if name not in data:
            setattr(data, name, "")
    data.SpacingBetweenSlices = spacing_mm  # as the slices lie: what headers say of it is not always so
    data.SliceThickness = data.get("SliceThickness") or spacing_mm
    return data


def _segmentation(slices: list[Dataset], numbered: Any, structures: tuple[Label, ...]) -> Any:
    """The object of segment numbers (Z, Y, X), one plane for each slice."""
    try:
        import highdicom as hd
    except ImportError as error:
        raise InputError("DICOM Segmentation needs highdicom: pip install 'ivos[annotate]'") from error
    try:
        return hd.seg.Segmentation(
            source_images=slices,
            pixel_array=numbered.astype(np.uint8),
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[_described(number, label) for number, label in enumerate(structures, start=1)],
            series_instance_uid=hd.UID(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="ivos",
            manufacturer_model_name="ivos",
            software_versions=version("ivos"),
            device_serial_number="0",
            content_label="SEGMENTATION",
        )
    except (AttributeError, ValueError, TypeError) as error:  # for what a header has to say and does not
        raise InputError(f"the DICOM series cannot be referred to: {error}; write NIfTI instead") from error


def _described(number: int, structure: Label) -> SegmentDescription:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    concept = _CONCEPTS.get(canonical_name(structure.name))
    kind = (
        hd.sr.CodedConcept(concept.code, "SCT", concept.meaning)
        if concept is not None
        else hd.sr.CodedConcept(f"label-{structure.id}", "99IVOS", structure.name[:64])
    )
    if concept is not None and concept.side is not None:
        code, meaning = concept.side
        kind.SegmentedPropertyTypeModifierCodeSequence = [hd.sr.CodedConcept(code, "SCT", meaning)]
    category, meaning = _TISSUE if concept is None else _ANATOMY
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=structure.name[:64],
        segmented_property_category=hd.sr.CodedConcept(category, "SCT", meaning),
        segmented_property_type=kind,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="ivos", family=codes.cid7162.ArtificialIntelligence, version=version("ivos")
        ),
        display_color=hd.color.CIELabColor.from_rgb(*structure.colour),
    )
