"""Several predictions of one scan into one: by vote, by STAPLE, by mean probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ivos.errors import InputError
from ivos.volume.boxes import bounding_box
from ivos.volume.label_matching import same_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from ivos.types import Array
    from ivos.volume.volume import Volume

    Mask = npt.NDArray[np.bool_]

ConsensusRule = Literal["majority", "staple", "mean-probability"]
"""How several predictions become one."""

_STAPLE_MARGIN = 2  # voxels of background around a structure
_STAPLE_ITERATIONS = 100  # it settles in 5 to 20
_STAPLE_DECIMALS = 6  # beyond them the order of summation shows


@dataclass(frozen=True)
class Consensus:
    """What several predictions say together.

    Attributes:
        labels: label ids (Z, Y, X), with the names that any of the predictions has for them.
        agreement: share of the predictions that have this label at the voxel, 0..255.
    """

    labels: Volume
    agreement: Volume


def consensus(
    rule: ConsensusRule, labels: Sequence[Volume], probabilities: Mapping[int, Iterable[Array]] | None = None
) -> Consensus:
    """What predictions say together by :func:`majority`, :func:`staple` or :func:`mean_probability`.

    Args:
        rule: which.
        labels: two predictions or more, on one grid.
        probabilities: for mean probability, as there.

    Raises:
        InputError: a label id has different names.
    """
    if rule == "majority":
        return majority(labels)
    if rule == "staple":
        return staple(labels)
    if probabilities is None:
        raise ValueError("mean probability needs probabilities beside the labels")
    return mean_probability(labels, probabilities)


def majority(labels: Sequence[Volume]) -> Consensus:
    """At every voxel the label that most predictions have.

    Where several labels have equally many votes, it is the one that the more central prediction has: predictions are
    ranked by their mean DSC with the others (:func:`pairwise_dsc`), over structures and predictions, and the best
    ranked one among those that hold one of these labels decides; of equals, the first. Two predictions are equals by
    nature, so the first decides wherever they differ: take three, or another rule.

    Args:
        labels: two predictions or more, on one grid.

    Raises:
        InputError: a label id has different names.
    """
    _check(labels)
    ranked = [labels[number] for number in _most_central_first(labels)]
    joined = np.empty(labels[0].array.shape, np.result_type(*(volume.array.dtype for volume in labels)))
    for index in range(len(joined)):
        planes = np.stack([volume.array[index] for volume in ranked])  # (M, Y, X)
        joined[index] = planes[0]
        disputed = (planes != planes[0]).any(axis=0)
        said = planes[:, disputed]  # (M, N)
        votes = (said[:, None] == said).sum(axis=1)  # (M, N): for each prediction how many say the same
        joined[index][disputed] = np.take_along_axis(said, votes.argmax(axis=0)[None], axis=0)[0]
    return _consensus(labels, joined)


def staple(labels: Sequence[Volume]) -> Consensus:
    """At every voxel the structure that is most probably there, each prediction weighted by how well it does.

    For every structure by itself, expectation maximisation estimates sensitivity and specificity of each prediction
    together with the probability that a voxel belongs to the structure (SimpleITK's filter). The voxel gets the
    structure with the highest probability above one half, of equals the lowest id, and background if none is.

    The estimate depends on how much background is looked at: the more of it, the nearer every specificity is to 1,
    and the less it takes to outvote those who saw nothing, up to the union of all. So each structure is estimated in
    the box around it, all predictions together, with two voxels of background on each side, also where the scan ends.

    Args:
        labels: two predictions or more, on one grid.

    Raises:
        InputError: a label id has different names.

    References:
        Warfield, Zou, Wells: Simultaneous Truth and Performance Level Estimation (STAPLE). IEEE TMI 23(7), 2004.
    """
    _check(labels)
    joined = np.zeros(labels[0].array.shape, np.result_type(*(volume.array.dtype for volume in labels)))
    highest = np.full(joined.shape, 0.5, np.float32)
    for structure, box, masks in _structures(labels):
        probability = _staple(masks)
        won = probability > highest[box]
        joined[box][won] = structure
        highest[box][won] = probability[won]
    return _consensus(labels, joined)


def mean_probability(labels: Sequence[Volume], probabilities: Mapping[int, Iterable[Array]]) -> Consensus:
    """At every voxel the structure, or the background, with the highest mean probability.

    The background has what the structures leave; it has the voxel too where a structure is only as probable, and of
    two structures the lower id has it. Means are compared as whole numbers, so nothing hangs on rounding.

    Args:
        labels: the labels that each prediction made of its probabilities: the grid, and the votes for the agreement.
        probabilities: by label id a map (Z, Y, X) of each prediction, uint8, 255 for 1. They are taken one after the
            other, structure by structure, so that an iterator may read them from files.

    Raises:
        InputError: a label id has different names.
    """
    _check(labels)
    shape, sums = labels[0].array.shape, np.min_scalar_type(255 * len(labels))
    joined = np.zeros(shape, np.min_scalar_type(max(probabilities, default=0)))
    highest, left = np.zeros(shape, sums), np.full(shape, 255 * len(labels), np.int32)
    for structure in sorted(probabilities):
        total = np.zeros(shape, sums)
        for array in probabilities[structure]:
            total += array
        won = total > highest
        joined[won] = structure
        np.maximum(highest, total, out=highest)
        left -= total
    joined[left >= highest] = 0
    return _consensus(labels, joined)


def pairwise_dsc(labels: Sequence[Volume]) -> dict[int, npt.NDArray[np.float64]]:
    """How far predictions agree with one another.

    Args:
        labels: M predictions on one grid.

    Returns:
        By id of every structure that is in any of them the DSC (M, M) of each with each; NaN where the structure is
        in neither.
    """
    return {structure: _dsc_of_all(masks) for structure, _, masks in _structures(labels)}


def _dsc_of_all(masks: Sequence[Mask]) -> npt.NDArray[np.float64]:
    sizes = np.array([np.count_nonzero(mask) for mask in masks], np.float64)
    both = np.diag(sizes)
    for first in range(len(masks)):
        for second in range(first):
            both[first, second] = both[second, first] = np.count_nonzero(masks[first] & masks[second])
    together = sizes[:, None] + sizes
    dsc = np.full(both.shape, np.nan)
    np.divide(2 * both, together, out=dsc, where=together > 0)
    return dsc


def _most_central_first(labels: Sequence[Volume]) -> list[int]:
    """Numbers of the predictions by their mean DSC with the others, in the order given where it is the same."""
    others = ~np.eye(len(labels), dtype=bool)
    dsc = np.array([table[others].reshape(len(labels), -1) for table in pairwise_dsc(labels).values()])  # (K, M, M-1)
    mean = np.zeros(len(labels))
    if dsc.size:
        known = np.isfinite(dsc)
        mean = np.nansum(dsc, axis=(0, 2)) / np.maximum(known.sum(axis=(0, 2)), 1)
    return list(np.argsort(-mean.round(9), kind="stable"))  # rounded: the order of summation is no reason to differ


def _staple(masks: Sequence[Mask]) -> npt.NDArray[np.float32]:
    """Probability of the structure at each voxel of its box."""
    import SimpleITK as sitk

    if all(np.array_equal(mask, masks[0]) for mask in masks[1:]):
        return masks[0].astype(np.float32)
    estimate = sitk.STAPLEImageFilter()
    estimate.SetForegroundValue(1)
    estimate.SetMaximumIterations(_STAPLE_ITERATIONS)
    padded = [sitk.GetImageFromArray(np.pad(mask, _STAPLE_MARGIN).astype(np.uint8)) for mask in masks]
    inner = (slice(_STAPLE_MARGIN, -_STAPLE_MARGIN),) * 3
    probability = sitk.GetArrayFromImage(estimate.Execute(padded))[inner]
    return np.asarray(probability.round(_STAPLE_DECIMALS), np.float32)


def _structures(labels: Sequence[Volume]) -> Iterator[tuple[int, tuple[slice, ...], list[Mask]]]:
    """Every structure that is in any prediction: its id, the box around all of it, its mask there in each."""
    present = np.unique(np.concatenate([np.unique(volume.array) for volume in labels]))
    for structure in (int(label) for label in present if label):
        anywhere = np.zeros(labels[0].array.shape, bool)
        for volume in labels:
            anywhere |= volume.array == structure
        box = bounding_box(anywhere)
        if box is not None:
            yield structure, box, [volume.array[box] == structure for volume in labels]


def _consensus(labels: Sequence[Volume], joined: npt.NDArray[Any]) -> Consensus:
    agreement = np.empty(joined.shape, np.uint8)
    for index, plane in enumerate(joined):
        votes = np.sum([volume.array[index] == plane for volume in labels], axis=0)
        agreement[index] = np.rint(votes * (255 / len(labels)))
    return Consensus(labels[0].with_array(joined, joined_names(labels)), labels[0].with_array(agreement))


def joined_names(labels: Sequence[Volume]) -> dict[int, str]:
    """The names that any of some label volumes has for a label id.

    Raises:
        InputError: a label id has different names.
    """
    names: dict[int, str] = {}
    for volume in labels:
        for label, name in volume.names.items():
            known = names.setdefault(label, name)
            if not same_name(known, name):
                raise InputError(
                    f"label {label} is '{known}' in one prediction and '{name}' in another; bring them to one scheme"
                )
    return names


def _check(labels: Sequence[Volume]) -> None:
    if len(labels) < 2:
        raise ValueError(f"{len(labels)} predictions: a consensus needs two or more")
    for volume in labels[1:]:
        if volume.array.shape != labels[0].array.shape:
            raise ValueError(f"predictions of shapes {labels[0].array.shape} and {volume.array.shape}")
    joined_names(labels)  # before the work rather than after it
