"""What a person's deeds change: labels, confidence, what is drawn, and what suggestions go by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.interactive.annotation_state import AnnotatedSlice
from ivos.interactive.history import FIGURES_ALONG
from ivos.interactive.merging import merge_annotation, merge_prediction
from ivos.interactive.suggestions import figures_of_certain, suggestion_features
from ivos.interactive.validation import HIGHEST_STRUCTURE
from ivos.propagation.fusion import decide
from ivos.types import Axis
from ivos.volume.labels import scheme_from_names, structures_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ivos.interactive.history import ArrayName
    from ivos.interactive.state import Change, State
    from ivos.propagation.bidirectional import Propagated
    from ivos.types import Array, BoolArray
    from ivos.volume.volume import Volume

_OF_LABELS: tuple[ArrayName, ...] = ("labels", "guessed")
_SURE = 255
_FILLED = 191  # of what lies between drawn slices: three quarters, as nobody has looked at the scan there


def draw(change: Change, axis: Axis, index: int, masks: Mapping[int, BoolArray]) -> None:
    """Say where structures are on a slice.

    Args:
        change: of the session's state.
        axis: along which slices are numbered.
        index: of the slice.
        masks: (H, W) by label id; of no committed structures.
    """
    place = _slice_at(change, axis, index)
    before, facts = _plane(change, "labels", axis, place), change.state.facts
    after, touched = before, np.zeros(before.shape, bool)
    for structure, mask in masks.items():
        touched |= (after == structure) | mask
        after = merge_annotation(after, structure, mask, facts.committed)
    told = np.isin(after, [0, *masks]) & touched  # not what stayed with a committed structure
    confidence = _plane(change, "confidence", axis, place)
    _write(change, "labels", axis, place, after)
    _write(change, "confidence", axis, place, np.where(told, np.uint8(_SURE), confidence))
    change.facts(replace(facts, drawn=facts.drawn | {AnnotatedSlice(axis, index, structure) for structure in masks}))


def write_finished(
    change: Change, axis: Axis, finished: Propagated, structures: Sequence[int], locked: Collection[int] = ()
) -> None:
    """Take a slice that propagation has finished, where it may change what is there.

    Args:
        change: of the session's state.
        axis: that was walked.
        finished: the slice, with its number in the scan.
        structures: label ids of its masks, ascending.
        locked: those of them that stay as they are.
    """
    classes, sure = decide(finished.masks, finished.temperature)
    guess = np.array([0, *(0 if structure in locked else structure for structure in structures)], np.uint8)[classes]
    free = [structure for structure in structures if structure not in locked]
    _guess(change, axis, finished.index, guess, free, sure)
    before = _figures(change, axis, finished.index)
    figures = suggestion_features(finished, structures, before)
    figures[:, list(locked)] = before[:, list(locked)]
    _write_figures(change, axis, finished.index, figures)


def check_loadable(labels: Array) -> None:
    """Refuse labels (Z, Y, X) that are no structures.

    Raises:
        InputError: one is above 255, or negative.
    """
    unfit = [int(label) for label in np.unique(labels) if not 0 <= label <= HIGHEST_STRUCTURE]
    if unfit:
        raise InputError(f"labels to load: structures are numbered from 1 to {HIGHEST_STRUCTURE}, found {unfit[0]}")


def load(change: Change, labels: Volume, axis: Axis, *, drawn: bool) -> None:
    """Take labels from outside; structures that the session does not have come with them.

    Args:
        change: of the session's state.
        labels: on the scan's grid.
        axis: along which its slices are numbered.
        drawn: whether its filled slices are a person's word, or a guess.
    """
    present, facts = structures_in(labels.array), change.state.facts
    new = {k: labels.names.get(k) or f"label {k}" for k in present if k not in facts.by_id}
    change.facts(replace(facts, structures=facts.structures | set(scheme_from_names(new).labels)))
    free = [structure for structure in present if structure not in facts.committed]
    for index, plane in enumerate(np.moveaxis(labels.array, axis, 0)):
        if not drawn:
            guess = np.where(np.isin(plane, free), plane, 0).astype(np.uint8)
            _guess(change, axis, index, guess, free, np.full(plane.shape, _SURE, np.uint8))
            _count(change, axis, index, free)
        elif masks := {k: plane == k for k in structures_in(plane) if k in free}:
            draw(change, axis, index, masks)


def clear(change: Change, axis: Axis, index: int, structure: int) -> None:
    """Take back what is drawn of a structure on a slice: nothing is known of it there then.

    Voxels of which drawn slices of other axes say that they are its stay.
    """
    facts, plane = change.state.facts, _plane(change, "labels", axis, _slice_at(change, axis, index))
    change.facts(replace(facts, drawn=facts.drawn - {AnnotatedSlice(axis, index, structure)}))
    held = _plane(change, "confidence", axis, _slice_at(change, axis, index))
    nothing, unsure = np.zeros(plane.shape, np.uint8), np.where(plane == structure, np.uint8(0), held)
    _guess(change, axis, index, nothing, [structure], unsure)
    _count(change, axis, index, [structure])


def fill(change: Change, axis: Axis, structure: int, masks: Mapping[int, BoolArray]) -> None:
    """Guess a structure on slices, which give way to what is drawn as propagation does.

    Args:
        change: of the session's state.
        axis: along which slices are numbered.
        structure: label id of one that is not committed.
        masks: (H, W) by slice number.
    """
    for index, mask in masks.items():
        place = _slice_at(change, axis, index)
        touched = mask | (_plane(change, "labels", axis, place) == structure)
        confidence = np.where(touched, np.uint8(_FILLED), _plane(change, "confidence", axis, place))
        _guess(change, axis, index, np.where(mask, structure, 0).astype(np.uint8), [structure], confidence)
        _count(change, axis, index, [structure])


def is_bare(state: State, structure: int) -> bool:
    """Whether a structure is no more than a name: it has no voxel, and nothing is drawn of it or remembered.

    Args:
        state: of the session.
        structure: label id.
    """
    drawn = any(state.facts.slices(structure, axis) for axis in Axis)
    guessed = any(np.any(state.arrays[name] == structure) for name in _OF_LABELS)
    return not drawn and not guessed and not any(np.any(state.arrays[n][:, :, structure]) for n in FIGURES_ALONG)


def remove(change: Change, structure: int) -> None:
    """Take a structure out of the session, with its voxels and all that is drawn of it.

    Args:
        change: of the session's state.
        structure: label id of one that is not committed.
    """
    facts, labels = change.state.facts, change.state.labels
    for index in range(len(labels)):
        place = _slice_at(change, Axis.AXIAL, index)
        there = labels[index] == structure
        if there.any():
            _write(change, "labels", Axis.AXIAL, place, np.where(there, np.uint8(0), labels[index]))
            left = change.state.arrays["confidence"][index]
            _write(change, "confidence", Axis.AXIAL, place, np.where(there, np.uint8(0), left))
        guessed = change.state.arrays["guessed"][index]
        _write(change, "guessed", Axis.AXIAL, place, np.where(guessed == structure, np.uint8(0), guessed))
    for axis in Axis:
        for index in range(labels.shape[axis]):
            figures = _figures(change, axis, index)
            figures[:, structure] = 0
            _write_figures(change, axis, index, figures)
    drawn = frozenset(entry for entry in facts.drawn if entry.structure != structure)
    change.facts(replace(facts, structures=facts.structures - {facts.by_id[structure]}, drawn=drawn))


def _guess(change: Change, axis: Axis, index: int, guess: Array, structures: Sequence[int], confidence: Array) -> None:
    """Put a guess on a slice, where it may change what is there."""
    place, facts = _slice_at(change, axis, index), change.state.facts
    spoken_of = (k for k in facts.by_id if facts.speaks_of(k, axis, index))  # of many structures only a few are
    settled = {k: facts.settled(k, axis, index, change.state.shape) for k in spoken_of}
    before = _plane(change, "labels", axis, place)
    after, taken = merge_prediction(before, guess, structures, settled, facts.committed)
    held = _plane(change, "confidence", axis, place)
    _write(change, "labels", axis, place, after)
    _write(change, "guessed", axis, place, after)
    _write(change, "confidence", axis, place, np.where(taken, confidence, held))


def _count(change: Change, axis: Axis, index: int, structures: Iterable[int]) -> None:
    """Note how much there is of structures on a slice, for certain."""
    plane, figures = _plane(change, "labels", axis, _slice_at(change, axis, index)), _figures(change, axis, index)
    for structure in structures:
        figures[:, structure] = figures_of_certain(int(np.count_nonzero(plane == structure)))
    _write_figures(change, axis, index, figures)


def _slice_at(change: Change, axis: Axis, index: int) -> tuple[slice, ...]:
    """The place of a slice in arrays of voxels."""
    return tuple(slice(index, index + 1) if a == axis else slice(0, n) for a, n in enumerate(change.state.shape))


def _plane(change: Change, name: ArrayName, axis: Axis, place: tuple[slice, ...]) -> Array:
    """A slice (H, W) of an array of voxels."""
    plane: Array = change.state.arrays[name][place].squeeze(axis)
    return plane


def _write(change: Change, name: ArrayName, axis: Axis, place: tuple[slice, ...], plane: Array) -> None:
    change.write(name, place, np.expand_dims(plane, axis))


def _figures(change: Change, axis: Axis, index: int) -> Array:
    """A copy of the figures (6, 256) of a slice."""
    figures: Array = change.state.arrays[FIGURES_ALONG[axis]][index].copy()
    return figures


def _write_figures(change: Change, axis: Axis, index: int, figures: Array) -> None:
    rows, columns = figures.shape
    place = (slice(index, index + 1), slice(0, rows), slice(0, columns))
    change.write(FIGURES_ALONG[axis], place, figures[None])
