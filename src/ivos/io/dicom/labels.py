"""DICOM files that hold labels: Segmentations and RT Structure Sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from ivos.errors import InputError
from ivos.io.dicom.files import is_dicom
from ivos.io.dicom.rtstruct_read import read_rtstruct, read_rtstruct_layers, summarise_rtstruct
from ivos.io.dicom.seg_read import read_dicom_seg, read_dicom_seg_layers, summarise_dicom_seg

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ivos.io.dicom.segments import SegmentSummary
    from ivos.volume.label_layers import LabelLayers
    from ivos.volume.volume import Volume

_LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"  # Label Map Segmentation Storage, which pydicom 3.0 has no name for


def holds_dicom_labels(path: Path) -> bool:
    """Whether a file is a DICOM Segmentation or an RT Structure Set."""
    return _class_of(path) in (SegmentationStorage, _LABEL_MAP_STORAGE, RTStructureSetStorage)


def holds_contours(path: Path) -> bool:
    """Whether a file is an RT Structure Set, which can only be read with its scan."""
    return _class_of(path) == RTStructureSetStorage


def read_dicom_labels(
    path: Path,
    scan: Volume | None = None,
    *,
    structures: Collection[int] | None = None,
    names: Mapping[int, str] | None = None,
) -> Volume:
    """Read a DICOM file of labels; see :func:`read_dicom_seg` and :func:`read_rtstruct`.

    Raises:
        InputError: what these refuse, or an RT Structure Set without its scan.
    """
    if not holds_contours(path):
        return read_dicom_seg(path, scan, structures=structures, names=names)
    return read_rtstruct(path, _needed(scan, path), structures=structures, names=names)


def read_dicom_label_layers(
    path: Path, scan: Volume | None = None, *, names: Mapping[int, str] | None = None
) -> LabelLayers:
    """Read a DICOM file of labels whose structures may overlap.

    Raises:
        InputError: as :func:`read_dicom_labels`, but for overlap.
    """
    if not holds_contours(path):
        return read_dicom_seg_layers(path, scan, names=names)
    return read_rtstruct_layers(path, _needed(scan, path), names=names)


def summarise_dicom_labels(path: Path) -> list[SegmentSummary]:
    """What a DICOM file of labels holds, without its scan.

    Raises:
        InputError: damaged.
    """
    return summarise_rtstruct(path) if holds_contours(path) else summarise_dicom_seg(path)


def _needed(scan: Volume | None, path: Path) -> Volume:
    if scan is None:
        raise InputError(f"{path}: an RT Structure Set has contours and no voxels; it can only be read with its scan")
    return scan


def _class_of(path: Path) -> str | None:
    if not path.is_file() or not is_dicom(path):
        return None
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"], force=True)
        return str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID", ""))
    except Exception:  # a damaged header makes pydicom raise nearly anything: whoever reads it whole says so
        return None
