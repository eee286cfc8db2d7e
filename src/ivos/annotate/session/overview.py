"""What a page shows of a session beside the voxels."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Literal

from ivos.annotate.messages import IntensityWindow, Structure
from ivos.annotate.session.masks import hexadecimal
from ivos.interactive.tally import Tally
from ivos.types import Axis
from ivos.volume.windows import CT_WINDOWS_HU, windows_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivos.annotate.messages import RunsOf, SlicesOf
    from ivos.annotate.storage.corrections import Correction
    from ivos.interactive.session import InteractiveSession
    from ivos.volume.volume import Volume

_DOUBTFUL_DSC = 0.85  # a slice below it is worth looking at
_CT_NAMES, _MR_NAMES = ("soft tissue", "lung", "bone"), ("all tissues", "dark tissues", "bright tissues")


def windows_of(scan: Volume) -> tuple[Literal["ct", "mr"], list[IntensityWindow]]:
    """The modality as "ct" or "mr", and the windows that show it."""
    windows = windows_for(scan)
    is_ct = windows == CT_WINDOWS_HU
    return "ct" if is_ct else "mr", [
        IntensityWindow(name=name, level=(low + high) / 2, width=high - low)
        for name, (low, high) in zip(_CT_NAMES if is_ct else _MR_NAMES, windows, strict=True)
    ]


class Overview:
    """Made of a session again and again; what has not changed is not counted again.

    Args:
        session: which is shown.
    """

    def __init__(self, session: InteractiveSession) -> None:
        self._session = session
        self._tallies = {axis: Tally(session, axis) for axis in Axis}

    def structures(self) -> list[Structure]:
        """The structures with their volumes."""
        session = self._session
        voxels = self._tallies[Axis.AXIAL].voxels.sum(axis=0)
        millilitres = session.labels.geometry.voxel_volume_ml
        return [
            Structure(
                id=label.id,
                name=label.name,
                colour=hexadecimal(label.colour),
                frozen=label.id in session.committed,
                volume_ml=round(float(voxels[label.id]) * millilitres, 4),
            )
            for label in session.structures
        ]

    def slices(self, corrections: Iterable[Correction]) -> tuple[SlicesOf, RunsOf, SlicesOf, SlicesOf]:
        """Drawn, propagated, doubtful and corrected slices, of axes along which anything is drawn."""
        drawn: SlicesOf = {}
        propagated: RunsOf = {}
        doubtful: SlicesOf = {}
        corrected: SlicesOf = {}
        for axis in self._axes():
            by_structure = self._session.drawn(axis)
            sure = self._tallies[axis].expected_dsc
            guessed = {k: [n for n, s in enumerate(states) if s == "propagated"] for k, states in by_structure.items()}
            by_hand = {k: [n for n, s in enumerate(states) if s == "drawn"] for k, states in by_structure.items()}
            plane = axis.plane
            drawn[plane] = _filled(by_hand)
            propagated[plane] = {k: _runs(numbers) for k, numbers in _filled(guessed).items()}
            doubtful[plane] = _filled({k: [n for n in ns if sure[n, k] < _DOUBTFUL_DSC] for k, ns in guessed.items()})
            anew = {(c.number, c.structure) for c in corrections if c.axis == plane}
            corrected[plane] = _filled({k: [n for n in numbers if (n, k) in anew] for k, numbers in by_hand.items()})
        return drawn, propagated, doubtful, corrected

    @property
    def any_propagated(self) -> bool:
        """Whether anything but drawing has put labels on a slice."""
        return any("propagated" in states for states in self._session.drawn("axial").values())

    def _axes(self) -> list[Axis]:
        """The axial one, and those along which something is drawn."""
        return [axis for axis in Axis if axis is Axis.AXIAL or axis.plane in self._session.drawn_along]


def _filled(slices: dict[int, list[int]]) -> dict[int, list[int]]:
    return {structure: numbers for structure, numbers in slices.items() if numbers}


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of neighbouring numbers."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    return [(run[0], run[-1]) for run in runs]
