"""Names of labels in an extension of a NIfTI header, in the XML of Caret's label tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAG_BYTES = 4
"""After a header: the first of them says whether extensions follow."""

CODE = 0
"""Of the extension, as TotalSegmentator has it: nibabel gives out no content of Caret's own code, 30."""


def names_in(gap: bytes, endianness: str) -> dict[int, str]:
    """Label ids to names, as TotalSegmentator writes them too.

    Args:
        gap: what lies between a header and the voxels: the flag that extensions follow, and these.
        endianness: of the file, ``<`` or ``>``.

    Returns:
        An empty dictionary where no extension has any.
    """
    order: Literal["little", "big"] = "little" if endianness == "<" else "big"
    place = FLAG_BYTES
    while gap[:1] not in (b"", b"\0") and place + 8 <= len(gap):
        size = int.from_bytes(gap[place : place + 4], order, signed=True)
        if size < 8:
            break
        text = gap[place + 8 : place + size].rstrip(b"\0 \n")
        try:
            entries = ET.fromstring(text).iter("Label")  # noqa: S314 - expat limits entity expansion itself
            names = {int(entry.attrib["Key"]): (entry.text or "").strip() for entry in entries}
        except (ET.ParseError, KeyError, ValueError):
            names = {}
        if names:
            return names
        place += size
    return {}


def names_as_xml(names: Mapping[int, str]) -> bytes:
    """The content of an extension that :func:`names_in` reads; characters that XML does not have become spaces."""
    root = ET.Element("CaretExtension")
    table = ET.SubElement(ET.SubElement(root, "VolumeInformation", Index="0"), "LabelTable")
    for label, name in sorted(names.items()):
        ET.SubElement(table, "Label", Key=str(label)).text = "".join(c if c.isprintable() else " " for c in name)
    return ET.tostring(root)
