"""Series of a tree of DICOM files, chosen by their headers: patients, studies and series in any nesting."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError
from ivos.files import is_system_file
from ivos.pipelines.protocol import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.io.dicom.header import SliceHeader

_TAGS = (
    "ImageType", "SOPInstanceUID", "Modality", "SliceThickness", "ConvolutionKernel", "SeriesInstanceUID",
    "ImagePositionPatient", "ImageOrientationPatient", "Rows", "Columns", "PixelSpacing",
)  # fmt: skip
_LAST_TAG = 0x00280030  # of those, PixelSpacing: what comes after it is not looked at
_NAME_DIGITS = 16


@dataclass(frozen=True)
class SeriesRules:
    """Which series of a tree are taken.

    Attributes:
        modality: "CT" or "MR" for example; None for any.
        thickness_mm: least and largest slice thickness; None for any.
        kernel: letters that the convolution kernel's name holds, upper or lower case; None for any.
        slices: so many at least, in the longest stack.
        series: the last characters of the SeriesInstanceUID; None for any.
    """

    modality: str | None = None
    thickness_mm: tuple[float, float] | None = None
    kernel: str | None = None
    slices: int = 10
    series: str | None = None


@dataclass(frozen=True)
class _Header:
    """What counts of a slice's header."""

    path: Path
    series: str
    modality: str
    localiser: bool
    thickness_mm: float | None
    kernel: str
    placed: SliceHeader | None  # None: not a slice of a volume


def cases_in_tree(folder: Path, rules: SeriesRules) -> tuple[list[Case], dict[str, int]]:
    """The series in a folder and all folders below it that the rules take, and how many others there are, by reason.

    A case's name is a digest of its SeriesInstanceUID: it is the same in every run, and says nothing of the patient.

    Raises:
        InputError: no DICOM file, or the rules leave no series.
    """
    series: dict[str, list[_Header]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    for path in _files(folder):
        header = _header(path)
        if isinstance(header, str):
            left_out[header] += 1
        elif header is not None:
            series[header.series].append(header)
    if not series and not left_out:
        raise InputError(f"{folder}: neither image files nor DICOM files in it")
    cases = []
    for uid, headers in sorted(series.items()):
        reason = _against(headers, rules)
        if reason is None:
            cases.append(_case(uid, headers))
        else:
            left_out[reason] += 1
    if not cases:
        told = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise InputError(f"{folder}: no series to take: {told}; give other --series- rules")
    return cases, dict(left_out)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_system_file(Path(name)))
        yield from (Path(parent, name) for name in sorted(names) if not is_system_file(Path(name)))


def _header(path: Path) -> _Header | str | None:
    """A file's header, why there is none, or None where the file is not DICOM."""
    from pydicom.datadict import tag_for_keyword

    from ivos.io.dicom.files import open_partly

    try:
        tags = [tag for tag in map(tag_for_keyword, _TAGS) if tag is not None]
        data: Any = open_partly(path, lambda tag, *_: tag > _LAST_TAG, tags)
        return None if data is None else _read(path, data)
    except Exception:  # a damaged header makes pydicom raise nearly anything
        return "files with a damaged header"


def _read(path: Path, data: Any) -> _Header | str:
    uid = str(data.get("SeriesInstanceUID", ""))
    if not uid:
        return "files without a series"
    from ivos.io.dicom.header import is_placed, slice_header

    kernel = data.get("ConvolutionKernel", "")
    return _Header(
        path=path,
        series=uid,
        modality=str(data.get("Modality", "")),
        localiser="LOCALIZER" in (data.get("ImageType") or ()),
        thickness_mm=float(data.SliceThickness) if data.get("SliceThickness") else None,
        kernel=kernel if isinstance(kernel, str) else " ".join(map(str, kernel or ())),
        placed=slice_header(data, path) if is_placed(data) else None,
    )


def _against(headers: list[_Header], rules: SeriesRules) -> str | None:
    """Why a series is not taken."""
    placed = [header for header in headers if header.placed is not None]
    slices = [header for header in placed if not header.localiser]
    if not placed:
        return "series without slices of a volume"
    if not slices:
        return "localisers"
    stack = _longest_stack(slices)
    first, thickness_mm = slices[0], _thickness_mm(slices, stack)
    if rules.series is not None and not first.series.endswith(rules.series):
        return "series that are not asked for"
    if rules.modality is not None and first.modality.upper() != rules.modality.upper():
        return f"series of modality {first.modality or 'unknown'}"
    if len(stack) < rules.slices:
        return f"series of fewer than {rules.slices} slices"
    if rules.thickness_mm is not None and not rules.thickness_mm[0] <= thickness_mm <= rules.thickness_mm[1]:
        return "series of another slice thickness"
    if rules.kernel is not None and rules.kernel.lower() not in first.kernel.lower():
        return "series of another kernel"
    return None


def _longest_stack(slices: list[_Header]) -> tuple[SliceHeader, ...]:
    """What is read of a series: the slices of one orientation, copies once."""
    from ivos.io.dicom.stacks import series_of, without_copies

    kept, _ = without_copies(header.placed for header in slices if header.placed is not None)
    return series_of(kept)[0].longest.slices


def _thickness_mm(slices: list[_Header], stack: tuple[SliceHeader, ...]) -> float:
    """What the headers say; where they say nothing, how far the slices are apart."""
    told = [header.thickness_mm for header in slices if header.thickness_mm is not None]
    if told:
        return median(told)
    return hypot(*(stack[-1].position_mm - stack[0].position_mm)) / max(len(stack) - 1, 1)


def _case(uid: str, headers: list[_Header]) -> Case:
    folder = os.path.commonpath([header.path.absolute().parent for header in headers])
    return Case(hashlib.sha256(uid.encode()).hexdigest()[:_NAME_DIGITS], {"scan": folder}, series=uid)
