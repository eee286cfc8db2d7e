"""Label names that a label file carries in its own header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.files import suffix_of
from ivos.io.nifti import SUFFIXES, nifti_names
from ivos.io.slicer_segments import segment_names

if TYPE_CHECKING:
    from pathlib import Path


def label_names(path: Path) -> dict[int, str]:
    """Label ids to names from a NIfTI extension (as TotalSegmentator writes it) or NRRD fields (as 3D Slicer does).

    Returns:
        An empty dictionary where the file names nothing.
    """
    return nifti_names(path) if suffix_of(path) in SUFFIXES else segment_names(path)
