"""Labels as DICOM Segmentation objects, beside the series that they were made on."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError
from ivos.files import replacing
from ivos.io.dicom.anatomy_codes import code_item, concept_or_own
from ivos.io.dicom.segments import note_of
from ivos.io.dicom.source import SERIES_NUMBER, DicomSource, read_source
from ivos.io.provenance import Manner, Provenance
from ivos.volume.anatomy_names import dicom_names, dicom_text
from ivos.volume.labels import Label, apply_mapping, scheme_from_names, structures_in
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from highdicom.seg import SegmentDescription

    from ivos.io.dicom.pseudonyms import Pseudonyms
    from ivos.types import Array
    from ivos.volume.volume import Volume


def write_dicom_seg(
    path: Path,
    labels: Volume,
    source: Path,
    *,
    series: str | None = None,
    stack: int | None = None,
    pseudonyms: Pseudonyms | None = None,
    provenance: Provenance | None = None,
) -> None:
    """Write labels as a binary DICOM Segmentation that refers to every slice of the series that it lies on.

    Structures whose names we know get their SNOMED CT codes; others one of our own coding scheme, 99IVOS. Segments are
    numbered from 1 by ascending label id, as DICOM asks; the id stands in the segment's description, where
    :func:`ivos.io.dicom.seg_read.read_dicom_seg` finds it. A structure without voxels is left out. The file appears
    whole or not at all.

    Args:
        path: of the .dcm file.
        labels: on the grid of the series, in any orientation; ``names`` say what they are.
        source: the folder or zip file of the DICOM series.
        series: the last characters of its SeriesInstanceUID, where there are several.
        stack: the number of its stack, where the series holds several.
        pseudonyms: stand in for the patient.
        provenance: how the labels came about.

    Raises:
        InputError: no such series, one that cannot be referred to, another grid, nothing labelled, highdicom is not
            installed, or the file cannot be written.

    References:
        DICOM PS3.3 A.51 and C.8.20: Segmentation; PS3.16 CID 7150, 7151 and 7162.
    """
    on_series = read_source(source, series, stack)
    numbered, structures = on_grid_of_series(path, labels, on_series)
    names = dicom_names({structure.id: structure.name for structure in structures}, path)
    written = _segmentation(on_series, numbered, structures, names, provenance or Provenance())
    on_series.carry_identity(written, pseudonyms)
    with replacing(path) as temporary:
        written.save_as(temporary)


def on_grid_of_series(path: Path, labels: Volume, source: DicomSource) -> tuple[Array, tuple[Label, ...]]:
    """Labels as a series has its slices, numbered from 1 without a gap, and the structures in that order.

    Raises:
        InputError: nothing is labelled, or the labels lie on another grid.
    """
    present = structures_in(labels.array, labels.names)
    if not present:
        raise InputError(f"{path.name}: nothing is labelled; a DICOM file of labels needs at least one structure")
    numbers = {label: number for number, label in enumerate(present, start=1)}
    numbered = apply_mapping(on_grid_of(labels, source.grid(), "labels").source_array(), numbers)
    return numbered, scheme_from_names({k: labels.names.get(k) or f"label {k}" for k in present}).labels


def _segmentation(
    source: DicomSource,
    numbered: Array,
    structures: tuple[Label, ...],
    names: Mapping[int, str],
    provenance: Provenance,
) -> Any:
    """The object of segment numbers (Z, Y, X), one plane for each slice on which a segment is."""
    try:
        import highdicom as hd
    except ImportError as error:
        raise InputError("DICOM Segmentation needs highdicom: pip install 'ivos[dicom]'") from error
    try:
        return hd.seg.Segmentation(
            source_images=source.slices,
            pixel_array=numbered,
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[
                _described(n, label, names[label.id], provenance) for n, label in enumerate(structures, start=1)
            ],
            series_instance_uid=hd.UID(),
            series_number=SERIES_NUMBER,
            series_description="ivos: labels",
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="ivos",
            manufacturer_model_name="ivos",
            software_versions=version("ivos"),
            device_serial_number="0",
            content_label="SEGMENTATION",
            content_creator_name="ivos^",
        )
    except (AttributeError, ValueError, TypeError) as error:  # for what a header has to say and does not
        raise InputError(f"the DICOM series cannot be referred to: {error}; write NIfTI instead") from error


def _described(number: int, structure: Label, name: str, provenance: Provenance) -> SegmentDescription:
    import highdicom as hd

    concept = concept_or_own(structure)
    described = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=concept.category,
        segmented_property_type=concept.kind,
        algorithm_type=provenance.manner.value,
        algorithm_identification=_identified(provenance),
        anatomic_regions=[concept.region] if concept.region else None,
        display_color=hd.color.CIELabColor.from_rgb(*structure.colour),
    )
    if concept.side and concept.region:
        described.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [code_item(concept.side)]
    elif concept.side:
        kind = described.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [code_item(concept.side)]
    described.SegmentDescription = note_of(structure.id)
    return described


def _identified(provenance: Provenance) -> Any:
    """What drew; DICOM has no algorithm where a person did."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    if provenance.manner is Manner.manual:
        return None
    return hd.AlgorithmIdentificationSequence(
        name=dicom_text(provenance.algorithm),
        family=codes.cid7162.ArtificialIntelligence,
        version=dicom_text(provenance.version or version("ivos")),
        parameters=dict(provenance.parameters) or None,
    )
