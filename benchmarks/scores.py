"""How well drawn slices were carried over the slices that were not drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from ivos.metrics.overlap import dsc
from ivos.propagation.propagate import propagate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from ivos.propagation.engines.protocol import Engine
    from ivos.types import Array
    from ivos.volume.volume import Volume

BIN_SLICES = 10


@dataclass(frozen=True)
class Score:
    """How one structure came out.

    Attributes:
        structure: label id.
        name: its name.
        dsc: DSC over the slices that were not drawn.
        overshoot: see :func:`overshoot`.
        by_distance: DSC over the slices that are 1 to 10, 11 to 20, ... away from the nearest drawn one; NaN where
            the structure neither is nor was found.
        present: whether the structure truly is on those slices.
    """

    structure: int
    name: str
    dsc: float
    overshoot: float
    by_distance: tuple[float, ...]
    present: tuple[bool, ...]


def propagate_slices(scan: Volume, labels: Volume, drawn: list[int], structures: list[int], engine: Engine) -> Array:
    """Labels from the true ones of ``structures`` on the axial slices ``drawn``, all structures walked together."""
    array = np.zeros_like(labels.array)
    array[drawn] = np.where(np.isin(labels.array[drawn], structures), labels.array[drawn], 0)
    return propagate(scan, labels.with_array(array), engine=engine, axis="axial", complete=drawn).labels.array


def scores_of(scan: Volume, labels: Volume, drawn: list[int], structures: list[int], engine: Engine) -> list[Score]:
    """A score for each of ``structures`` that is on a drawn slice."""
    found = propagate_slices(scan, labels, drawn, structures, engine)
    return [
        _score(found == k, labels.array == k, drawn, k, labels.names.get(k, f"label {k}"))
        for k in structures
        if (labels.array[drawn] == k).any()
    ]


def _score(
    found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_], drawn: list[int], structure: int, name: str
) -> Score:
    distance = np.abs(np.arange(len(truth))[:, None] - np.array(drawn)).min(axis=1)
    bins = [(distance - 1) // BIN_SLICES == n for n in range(-(-int(distance.max()) // BIN_SLICES))]
    return Score(
        structure=structure,
        name=name,
        dsc=dsc(found[distance > 0], truth[distance > 0]),
        overshoot=overshoot(found, truth),
        by_distance=tuple(dsc(found[there], truth[there]) for there in bins),
        present=tuple(bool(truth[there].any()) for there in bins),
    )


def overshoot(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """Voxels found on slices below the first or above the last true one, as a share of the true volume."""
    true = np.flatnonzero(truth.any(axis=(1, 2)))
    within = np.count_nonzero(found[true[0] : true[-1] + 1])
    return (np.count_nonzero(found) - within) / np.count_nonzero(truth)


def mean(values: Iterable[float]) -> float:
    """Mean of what is a number; NaN where nothing is."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def mean_by_distance(scores: Sequence[Score]) -> list[float]:
    """Mean DSC over structures at each distance from the drawn slice."""
    return [mean(bin_) for bin_ in zip_longest(*(score.by_distance for score in scores), fillvalue=math.nan)]


def present_by_distance(scores: Sequence[Score]) -> list[int]:
    """How many structures truly are at each distance from the drawn slice."""
    return [sum(bin_) for bin_ in zip_longest(*(score.present for score in scores), fillvalue=False)]
