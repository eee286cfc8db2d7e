"""A corrected slice carried into a volume that has masks already, and fused with them on the way.

References:
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation: Interaction-to-Mask, Propagation and
    Difference-Aware Fusion, CVPR 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.propagation.bidirectional import Propagated, sweep, with_drawn
from ivos.propagation.corrections.difference import Difference, FlowCarrier
from ivos.propagation.fusion import fuse
from ivos.propagation.masks import Masks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ivos.propagation.annotations import Annotations
    from ivos.propagation.bidirectional import SliceStack
    from ivos.propagation.corrections.difference import Carrier
    from ivos.propagation.engines.protocol import Engine, Slice
    from ivos.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Step:
    """A slice on the way from the corrected one, with what there is to merge on it.

    Attributes:
        image: the slice.
        old: K structures before the correction.
        new: what is carried from the corrected slice; those that are not carried here are as in ``old``.
        difference: what the correction changed, carried to this slice.
        since: (K,) slices since the corrected one.
        until: (K,) slices to the next one on which the structure is known; infinite where there is none.
    """

    image: Slice
    old: Masks
    new: Masks
    difference: Difference
    since: FloatArray
    until: FloatArray


Merge = Callable[[Step], Masks]
"""Old and new masks of K structures into one."""


def new_replaces_old(step: Step) -> Masks:
    """What is carried from the corrected slice, whatever was there."""
    return step.new


def by_distance(step: Step) -> Masks:
    """Each weighted by how near its annotation is and how decided it is: see :func:`ivos.propagation.fusion.fuse`.

    Where no annotated slice follows, what was there came from further away on the same side: the new one counts alone.
    """
    return fuse(step.new, step.old, step.since, step.until)


def correct(
    stack: SliceStack,
    annotations: Annotations,
    corrected: int,
    before: Callable[[int], Masks],
    engine: Engine,
    merge: Merge,
    structures: Sequence[int] | None = None,
    *,
    carrier: Carrier | None = None,
) -> Iterator[Propagated]:
    """Carry a corrected slice both ways and merge it with the masks that are there.

    A structure is carried up to the next slice on which it is known, or to the scan's end; beyond, and of structures
    that are not carried, nothing changes but that they give way. What is drawn stays as drawn.

    Args:
        stack: the scan.
        annotations: all drawn slices of it, the corrected one as it is now.
        corrected: its number.
        before: gives the masks of the K annotated structures that a slice had before the correction; asked once for
            every slice that is visited, the corrected one first.
        engine: carries masks.
        merge: old and new masks into one.
        structures: label ids to carry; by default all that are known on the corrected slice.
        carrier: of what the correction changed; by default along optical flow.

    Yields:
        The masks of every slice that is visited, once each: the corrected one, those after it, those before it.

    Raises:
        InputError: the corrected slice is not an annotated one, or a structure is not known on it.
    """
    carried = _carried(annotations, corrected, structures)
    old, drawn = before(corrected), annotations.masks(corrected)
    yield Propagated(corrected, _put_in(old, old, np.zeros_like(carried), annotations, corrected))
    change = Difference.between(old.only(carried), drawn.only(carried))
    carrier = FlowCarrier() if carrier is None else carrier
    for way in (1, -1):
        until = _until(annotations, corrected, way)
        numbers = _on_the_way(len(stack), corrected, way, until[carried])
        if len(numbers) < 2:
            continue
        carrier.begin(stack[corrected], change)
        for image, new, _ in islice(sweep(stack, annotations, engine, numbers, {}, tells=False), 1, None):
            here = carried & (abs(image.index - corrected) < until)
            step = _step(image, before(image.index), new, here, carrier.carry(image), corrected, until)
            yield Propagated(image.index, _put_in(step.old, merge(step), here, annotations, image.index))


def visits(annotations: Annotations, corrected: int, structures: Sequence[int] | None = None) -> int:
    """How many slices :func:`correct` gives."""
    carried = _carried(annotations, corrected, structures)
    ways = ((way, _until(annotations, corrected, way)[carried]) for way in (1, -1))
    return 1 + sum(len(_on_the_way(len(annotations.labels), corrected, *given)) - 1 for given in ways)


def _carried(annotations: Annotations, corrected: int, structures: Sequence[int] | None) -> BoolArray:
    """(K,) the structures to carry."""
    if corrected not in annotations.slices:
        raise InputError(
            f"slice {corrected} is not annotated: draw on it first; annotated are {list(annotations.slices)}"
        )
    known: BoolArray = annotations.known[corrected]
    if structures is None:
        return known
    chosen = np.isin(annotations.structures, structures)
    told = [label for label, there in zip(annotations.structures, known, strict=True) if there]
    if not set(structures) <= set(told):
        raise InputError(f"structures {list(structures)}: not all known on slice {corrected}; known there are {told}")
    return np.asarray(chosen)


def _until(annotations: Annotations, corrected: int, way: int) -> FloatArray:
    """(K,) slices from the corrected one to the next on which a structure is known; infinite where there is none."""
    distances = way * (np.arange(len(annotations.known))[:, None] - corrected)
    ahead: FloatArray = np.where(annotations.known & (distances > 0), distances, np.inf).min(axis=0).astype(np.float32)
    return ahead


def _on_the_way(slices: int, corrected: int, way: int, until: FloatArray) -> range:
    """The corrected slice and those that some structure is carried over, in walking order."""
    to_end = slices - corrected if way > 0 else corrected + 1
    return range(corrected, corrected + way * int(min(until.max(initial=1), to_end)), way)


def _step(
    image: Slice, old: Masks, new: Masks, here: BoolArray, difference: Difference, corrected: int, until: FloatArray
) -> Step:
    since = abs(image.index - corrected)
    away = np.full(len(until), since, np.float32), np.maximum(until - since, 0)
    return Step(image, old, old.replaced(here, new), difference, *away)


def _put_in(old: Masks, merged: Masks, here: BoolArray, annotations: Annotations, index: int) -> Masks:
    """A slice with the carried structures as merged; the others give way as far as room is wanted; drawn as drawn."""
    merged = merged.only(here).limited()
    others = old.only(~here)
    room = np.maximum(1.0 - merged.total(), 0.0) / np.maximum(others.total(), 1e-6)
    whole = others.scaled(np.asarray(np.minimum(room, 1.0), np.float32)).replaced(here, merged)
    return with_drawn(whole, annotations, index)
