"""What the segments of a DICOM Segmentation are, and which label ids they get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivos.io.dicom.anatomy_codes import concept_of
from ivos.volume.labels import canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydicom.dataset import Dataset
    from pydicom.sr.coding import Code

_NOTE = "ivos label {}"
_NOTED = re.compile(_NOTE.format(r"(\d+)"))


@dataclass(frozen=True)
class Segment:
    """A segment as its header describes it.

    Attributes:
        number: its number in the file.
        name: its label.
        noted: the label id that ivos has noted.
        kind: the code of what it is.
        side: the code of its side.
    """

    number: int
    name: str
    noted: int | None
    kind: Code | None
    side: Code | None


@dataclass(frozen=True)
class SegmentSummary:
    """What the header of a file says of a segment or a region of interest.

    Attributes:
        label: the label id that it is read as.
        name: its name.
        pieces: how many pieces of each kind it has: ``{"frames": 12}``, or contours by their type in the file.
        slices: on how many planes it lies.
    """

    label: int
    name: str
    pieces: Mapping[str, int]
    slices: int


def note_of(label: int) -> str:
    """What a segment's description says, so that its label id is not lost: segments are numbered from 1."""
    return _NOTE.format(label)


def segments_of(data: Dataset) -> list[Segment]:
    """The segments of a file; the background, which a label map may describe as number 0, is none."""
    return [_segment(item) for item in data.SegmentSequence if int(item.SegmentNumber) > 0]


def label_ids(segments: Sequence[Segment], names: Mapping[int, str] | None) -> dict[int, int]:
    """Segment numbers to label ids.

    Args:
        segments: of a file.
        names: names by label id of the structures that are wanted; without them every segment is.

    Returns:
        By names or, where names differ, by what the codes say; without names as noted, if every segment has a note of
        its own; else the numbers.
    """
    if names is not None:
        found = {segment.number: _label_of(segment, names) for segment in segments}
        return {number: label for number, label in found.items() if label is not None}
    noted = {segment.noted for segment in segments if segment.noted}
    if len(noted) == len(segments):
        return {segment.number: segment.noted for segment in segments if segment.noted}
    return {segment.number: segment.number for segment in segments}


def _segment(item: Dataset) -> Segment:
    noted = _NOTED.fullmatch(str(item.get("SegmentDescription") or "").strip())
    kind = _code(item, "SegmentedPropertyTypeCodeSequence")
    holder = item.SegmentedPropertyTypeCodeSequence[0] if kind is not None else item
    number = int(item.SegmentNumber)
    return Segment(
        number=number,
        name=str(item.get("SegmentLabel") or f"segment {number}").strip(),
        noted=int(noted[1]) if noted else None,
        kind=kind,
        side=_code(holder, "SegmentedPropertyTypeModifierCodeSequence"),
    )


def _code(item: Dataset, sequence: str) -> Code | None:
    from pydicom.sr.coding import Code

    found = item.get(sequence)
    if not found or not (value := found[0].get("CodeValue")):
        return None
    return Code(str(value), str(found[0].get("CodingSchemeDesignator", "")), str(found[0].get("CodeMeaning", "")))


def _label_of(segment: Segment, names: Mapping[int, str]) -> int | None:
    wanted = canonical_name(segment.name)
    for label, name in names.items():
        if canonical_name(name) == wanted:
            return label
    for label, name in names.items():
        concept = concept_of(name)
        if concept and concept.region is None and (concept.kind, concept.side) == (segment.kind, segment.side):
            return label
    return None
