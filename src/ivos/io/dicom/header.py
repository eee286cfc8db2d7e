"""What the headers of slices say, as far as it decides which stack they are of and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset

PLACED = ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
"""What places a slice; a file without one of these is not a slice of a volume."""

TELLS_APART = (
    "AcquisitionNumber", "TemporalPositionIdentifier", "EchoNumbers", "EchoTime", "InversionTime", "TriggerTime",
    "DiffusionBValue", "StackID", "ImageType", "AcquisitionTime", "SeriesTime",
)  # fmt: skip
"""What differs between the stacks of one series, the plainest first."""


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One slice.

    Attributes:
        path: of the file.
        series: SeriesInstanceUID, or nothing.
        instance: SOPInstanceUID, or nothing.
        number: InstanceNumber.
        description: SeriesDescription.
        modality: where the file says it.
        frame_of_reference: where the file says it.
        size: rows and columns.
        pixel_spacing_mm: between rows, between columns.
        position_mm: of the first pixel, an LPS point.
        rounding_mm: for x, y and z the unit of the last digit that the position has.
        row: direction of growing column index.
        column: direction of growing row index.
        apart: what may tell stacks apart, by keyword.
    """

    path: Path
    series: str
    instance: str
    number: int | None
    description: str
    modality: str | None
    frame_of_reference: str | None
    size: tuple[int, int]
    pixel_spacing_mm: tuple[float, float]
    position_mm: npt.NDArray[np.float64]
    rounding_mm: tuple[float, float, float]
    row: npt.NDArray[np.float64]
    column: npt.NDArray[np.float64]
    apart: Mapping[str, str] = field(default_factory=dict)


def is_placed(data: Dataset) -> bool:
    """Whether a header places its slice in space."""
    return all(data.get(keyword) for keyword in PLACED)


def slice_header(data: Dataset, path: Path) -> SliceHeader:
    """What a header that places its slice says.

    Raises:
        Exception: nearly any, where values are damaged: pydicom parses them when they are first used.
    """
    a, b, c, d, e, f = _numbers(data.ImageOrientationPatient)
    x, y, z = _numbers(data.ImagePositionPatient)
    down, across = _numbers(data.PixelSpacing)
    ux, uy, uz = (_last_digit(v) for v in data.ImagePositionPatient)
    instance = data.get("SOPInstanceUID") or getattr(data, "file_meta", {}).get("MediaStorageSOPInstanceUID")
    return SliceHeader(
        path=path,
        series=str(data.get("SeriesInstanceUID") or ""),
        instance=str(instance or ""),
        number=_whole(_optional(data, "InstanceNumber")),
        description=_optional(data, "SeriesDescription"),
        modality=str(data.Modality) if data.get("Modality") else None,
        frame_of_reference=str(data.FrameOfReferenceUID) if data.get("FrameOfReferenceUID") else None,
        size=(int(data.Rows), int(data.Columns)),
        pixel_spacing_mm=(down, across),
        position_mm=np.array([x, y, z]),
        rounding_mm=(ux, uy, uz),
        row=np.array([a, b, c]),
        column=np.array([d, e, f]),
        apart={keyword: text for keyword in TELLS_APART if (text := _optional(data, keyword))},
    )


def _optional(data: Dataset, keyword: str) -> str:
    """A value as text; nothing where it is absent, empty or damaged: no slice is lost by it."""
    try:
        value = data.get(keyword)
    except Exception:  # as above
        return ""
    return "" if value is None else str(value).strip()


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _numbers(values: Sequence[Any]) -> list[float]:
    numbers = [float(value) for value in values]
    if not np.isfinite(numbers).all():
        raise ValueError("a value is not a number")
    return numbers


def _last_digit(value: Any) -> float:
    """The unit of the last digit of a number as the file has it, zeros at its end left away; 1 at most."""
    exponent = Decimal(str(value).strip()).normalize().as_tuple().exponent
    return 10.0 ** min(int(exponent), 0)
