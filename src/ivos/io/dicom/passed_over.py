"""Files that are passed over when a series is read: how many there are, and which of them may belong to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ivos.io.dicom.header import SliceHeader

_NAMED = 5
_START = 256  # bytes by which text is known


@dataclass
class SkippedFiles:
    """What a folder holds beside slices.

    Attributes:
        foreign: files that are not DICOM.
        unplaced: DICOM files that do not say where they lie, with their SeriesInstanceUID or nothing.
        damaged: DICOM files whose header cannot be read.
        copies: for a slice, the files that are copies of it.
    """

    foreign: list[Path] = field(default_factory=list)
    unplaced: list[tuple[Path, str]] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    copies: dict[Path, list[Path]] = field(default_factory=dict)

    def about(self, slices: Sequence[SliceHeader]) -> str:
        """How many files are passed over, and which may belong to the stack of these slices; nothing if there are none.

        A file may belong to it if its header cannot be read or names the same series without a place; a file that is
        not DICOM, if it lies among the slices under such a name as theirs.
        """
        series = {header.series for header in slices}
        paths = [header.path for header in slices]
        suspects = [(path, "not DICOM, or cut off") for path in self.foreign if _among(path, paths)]
        suspects += [(path, "no position in its header, or cut off") for path, uid in self.unplaced if uid in series]
        suspects += [(path, "no series in its header, or cut off") for path, uid in self.unplaced if not uid]
        suspects += [(path, "damaged header") for path in self.damaged]
        parts = []
        count = len(self.foreign) + len(self.unplaced) + len(self.damaged)
        if count:
            parts.append(f"{count} file{'s are' if count > 1 else ' is'} passed over")
        if suspects:
            named = ", ".join(f"{path.name} ({why})" for path, why in suspects[:_NAMED])
            more = f" and {len(suspects) - _NAMED} more" if len(suspects) > _NAMED else ""
            parts.append(f"slices of the series may be among them: {named}{more}")
        twins = sum(len(self.copies.get(path, ())) for path in paths)
        if twins:
            parts.append(f"{twins} cop{'ies of slices count' if twins > 1 else 'y of a slice counts'} once")
        return "; ".join(parts)


def _among(path: Path, slices: Collection[Path]) -> bool:
    """Whether a file that is not DICOM lies among slices and is named as they are."""
    beside = [other for other in slices if other.parent == path.parent]
    if any(_pattern(path) == _pattern(other) for other in beside):
        return True
    alike = any(path.suffix.lower() == other.suffix.lower() for other in beside)
    return alike and (bool(path.suffix) or not _is_text(path))


def _pattern(path: Path) -> str:
    return re.sub(r"\d+", "0", path.name.lower())


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:
        return False
    return bool(start) and b"\0" not in start
