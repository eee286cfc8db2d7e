"""Label names that a label file carries in its own header."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ivos.files import suffix_of
from ivos.volume.nifti import SUFFIXES, nifti_names

if TYPE_CHECKING:
    from pathlib import Path

_HEADER_LIMIT_BYTES = 1 << 20


def label_names(path: Path) -> dict[int, str]:
    """Label ids to names from a NIfTI extension (as TotalSegmentator writes it) or NRRD fields (as 3D Slicer does).

    Returns:
        An empty dictionary where the file names nothing.
    """
    suffix = suffix_of(path)
    if suffix in SUFFIXES:
        return nifti_names(path)
    if suffix == ".nrrd":
        return _nrrd_names(path)
    return {}


def _nrrd_names(path: Path) -> dict[int, str]:
    with path.open("rb") as file:
        head = file.read(_HEADER_LIMIT_BYTES).split(b"\n\n")[0].decode("utf-8", "replace")
    fields = dict(re.findall(r"^(Segment\d+_(?:Name|LabelValue)):=(.*?)\r?$", head, re.MULTILINE))
    names = {}
    for field, value in fields.items():
        name = fields.get(field.replace("_LabelValue", "_Name"))
        if field.endswith("_LabelValue") and name and value.strip().isdigit():
            names[int(value)] = name.strip()
    return names
