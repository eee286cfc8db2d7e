"""Label names that a label file carries in its own header."""

from __future__ import annotations

import gzip
import re
import struct
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ivos.files import suffix_of

if TYPE_CHECKING:
    from pathlib import Path

_HEADER_BYTES = 348
_EXTENSION_LIMIT_BYTES = 1 << 20


def label_names(path: Path) -> dict[int, str]:
    """Label ids to names from a NIfTI extension (as TotalSegmentator writes it) or NRRD fields (as 3D Slicer does).

    Returns:
        An empty dictionary where the file names nothing.
    """
    suffix = suffix_of(path)
    if suffix in (".nii", ".nii.gz"):
        return _nifti_names(path)
    if suffix == ".nrrd":
        return _nrrd_names(path)
    return {}


def _nifti_names(path: Path) -> dict[int, str]:
    with gzip.open(path) if suffix_of(path) == ".nii.gz" else path.open("rb") as file:
        head = file.read(_HEADER_BYTES + 4)
        if len(head) < _HEADER_BYTES + 4 or not head[_HEADER_BYTES]:  # this byte says whether extensions follow
            return {}
        order = "<" if struct.unpack("<i", head[:4])[0] == _HEADER_BYTES else ">"
        size, _code = struct.unpack(order + "2i", file.read(8).ljust(8, b"\0"))
        text = file.read(max(0, min(size - 8, _EXTENSION_LIMIT_BYTES))).rstrip(b"\0 \n")
    try:
        entries = ET.fromstring(text).iter("Label")  # noqa: S314 - expat limits entity expansion itself
        return {int(entry.attrib["Key"]): (entry.text or "").strip() for entry in entries}
    except (ET.ParseError, KeyError, ValueError):
        return {}


def _nrrd_names(path: Path) -> dict[int, str]:
    with path.open("rb") as file:
        head = file.read(_EXTENSION_LIMIT_BYTES).split(b"\n\n")[0].decode("utf-8", "replace")
    fields = dict(re.findall(r"^(Segment\d+_(?:Name|LabelValue)):=(.*?)\r?$", head, re.MULTILINE))
    names = {}
    for field, value in fields.items():
        name = fields.get(field.replace("_LabelValue", "_Name"))
        if field.endswith("_LabelValue") and name and value.strip().isdigit():
            names[int(value)] = name.strip()
    return names
