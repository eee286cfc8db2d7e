"""Label names that a label file carries in its own header: read from it, and put into it."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, BinaryIO, cast
from xml.etree import ElementTree as ET

from ivos.files import suffix_of
from ivos.volume.slicer_segments import segment_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HEADER_BYTES, _VOXEL_OFFSET = 348, 108  # of a NIfTI-1 header, and where in it the offset of the voxels stands
_CARET_CODE = 30  # the registered code of this kind of extension
_EXTENSION_LIMIT_BYTES = 1 << 20


def label_names(path: Path) -> dict[int, str]:
    """Label ids to names from a NIfTI extension (as TotalSegmentator writes it) or NRRD fields (as 3D Slicer does).

    Returns:
        An empty dictionary where the file names nothing.
    """
    if suffix_of(path) in (".nii", ".nii.gz"):
        return _nifti_names(path)
    return segment_names(path)


def embed_names(path: Path, names: Mapping[int, str]) -> None:
    """Put label names into a NIfTI-1 file that has no extension yet, in the form that :func:`label_names` reads."""
    root = ET.Element("CaretExtension")
    table = ET.SubElement(ET.SubElement(root, "VolumeInformation", Index="0"), "LabelTable")
    for label, name in sorted(names.items()):
        ET.SubElement(table, "Label", Key=str(label)).text = name
    text = ET.tostring(root)
    size = -(-(len(text) + 8) // 16) * 16  # of the extension: a multiple of 16 that counts its own 8-byte head
    extension = struct.pack("<2i", size, _CARET_CODE) + text.ljust(size - 8, b"\0")
    with _opened(path) as file:
        content = file.read()
    (offset,) = struct.unpack("<f", content[_VOXEL_OFFSET : _VOXEL_OFFSET + 4])
    head = bytearray(content[: _HEADER_BYTES + 4])
    head[_VOXEL_OFFSET : _VOXEL_OFFSET + 4] = struct.pack("<f", offset + size)
    head[_HEADER_BYTES] = 1
    whole = bytes(head) + extension + content[int(offset) :]
    path.write_bytes(gzip.compress(whole, 6) if suffix_of(path) == ".nii.gz" else whole)


def _nifti_names(path: Path) -> dict[int, str]:
    with _opened(path) as file:
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


def _opened(path: Path) -> BinaryIO:
    packed = suffix_of(path) == ".nii.gz"
    return cast("BinaryIO", gzip.open(path) if packed else path.open("rb"))
