"""The passes over a scan: forward from the first annotated slice, backward from the last, fused where they meet.

Nothing is held at full size in floating point: the forward pass is packed slice by slice until the backward pass
meets it, and what comes out is labels and confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.propagation.engines.protocol import Engine, Slice
from ivos.propagation.fusion import PackedMasks, fuse
from ivos.volume.windows import channels, window, windows_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.propagation.annotations import Annotations
    from ivos.propagation.fusion import Fusion
    from ivos.propagation.masks import Masks
    from ivos.types import Array, Axis, FloatArray
    from ivos.volume.volume import Volume
    from ivos.volume.windows import Modality, Windows


@dataclass(frozen=True)
class SliceStack:
    """A scan as a stack of slices along one axis, each made when it is asked for.

    Attributes:
        array: intensities (N, H, W).
        windows: how intensities become the three channels.
        spacing_mm: pixel spacing within a slice (row, column).
        slice_mm: distance of slices.
    """

    array: Array
    windows: Windows
    spacing_mm: tuple[float, float]
    slice_mm: float = 1.0

    @staticmethod
    def of(scan: Volume, axis: Axis, modality: Modality) -> SliceStack:
        """The slices of a scan along an array axis, seen through the windows for its modality."""
        rows, columns = (spacing for number, spacing in enumerate(scan.geometry.spacing_mm) if number != axis)
        through = scan.geometry.spacing_mm[axis]
        return SliceStack(np.moveaxis(scan.array, axis, 0), windows_for(scan, modality), (rows, columns), through)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> Slice:
        seen = channels(self.array[index], self.windows)
        return Slice(index, seen, self.spacing_mm, ahead=seen)

    def channel(self, index: int, number: int) -> FloatArray:
        """One window of a slice, (H, W) in [0, 1]."""
        return window(self.array[index], self.windows[number])

    def along(self, numbers: range) -> Iterator[Slice]:
        """Slices in walking order, each with the one ahead of it."""
        following = self[numbers[0]]
        for number in numbers:
            current, after = following, number + numbers.step
            following = self[after] if 0 <= after < len(self) else current
            yield replace(current, ahead=following.image)


@dataclass(frozen=True)
class Propagated:
    """The answer for one slice.

    Attributes:
        index: the slice's number along the walked axis.
        masks: probabilities of the K annotated structures on it.
        passes: what the forward and the backward pass said of it; None where there was one alone, and on annotated
            slices.
        temperature: of the probabilities: see :func:`ivos.propagation.fusion.decide`.
    """

    index: int
    masks: Masks
    passes: tuple[Masks, Masks] | None = None
    temperature: float = 1.0


def steps(annotations: Annotations) -> int:
    """How many slices the two passes of :func:`walk` visit together."""
    first, last = annotations.slices[0], annotations.slices[-1]
    return len(annotations.labels) - first + last + 1


def walk(
    stack: SliceStack, annotations: Annotations, engine: Engine, fusion: Fusion | None = None
) -> Iterator[Propagated | None]:
    """Carry the annotated structures over the whole stack.

    Between two slices on which a structure is known both passes count; outside them the one that comes from the
    annotated side. What is drawn comes back as drawn.

    Args:
        stack: the scan.
        annotations: drawn slices of it; their labels have the stack's shape (N, H, W).
        engine: carries masks from a slice to its neighbour.
        fusion: makes one answer of two passes; by default the engine itself, if it can, or distance and confidence.

    Yields:
        One item a visited slice, so that the caller can show progress or stop: the answer for a slice that is
        finished (every slice comes once, in the order in which they are), None for one that awaits the other pass.
    """
    first, last = annotations.slices[0], annotations.slices[-1]
    packed: dict[int, PackedMasks] = {}
    fuses, temperature = engine.fuses and fusion is None, float(getattr(engine, "temperature", 1.0))
    for image, masks, _ in sweep(stack, annotations, engine, range(first, len(stack)), {}, tells=False):
        index = image.index
        if index <= last:
            packed[index] = PackedMasks.pack(masks)
            yield None
        else:
            yield Propagated(index, masks, temperature=temperature)
    for image, masks, forward in sweep(stack, annotations, engine, range(last, -1, -1), packed, tells=fuses):
        done = _finish(annotations, image.index, forward or masks, masks, None if fuses else fusion or fuse)
        yield replace(done, temperature=temperature)


def sweep(
    stack: SliceStack,
    annotations: Annotations,
    engine: Engine,
    numbers: range,
    packed: dict[int, PackedMasks],
    *,
    tells: bool,
) -> Iterator[tuple[Slice, Masks, Masks | None]]:
    """One pass; yields slices with what it says of each, and what the pass before it has said, which it unpacks.

    Args:
        stack: the scan.
        annotations: drawn slices of it.
        engine: carries masks.
        numbers: of the slices, in walking order.
        packed: what the pass before has said.
        tells: whether the engine is told of that.
    """
    engine.reset()
    away_first = sorted(annotations.slices, key=lambda index: -abs(index - numbers.start))
    for index in away_first:  # an engine with a memory knows all annotated slices from the start
        engine.observe(stack[index], annotations.masks(index), annotations.known[index])
    reached = np.zeros(len(annotations.structures), bool)
    for image in stack.along(numbers):
        index, known = image.index, annotations.known[image.index]
        opposite = packed.pop(index).unpack() if index in packed else None
        if known.all() or index == numbers.start:
            masks = annotations.masks(index)
        else:
            masks = engine.predict(image, opposite if tells else None)
            masks = masks.only(reached | known)  # this pass has not come by any annotation of the others yet
            masks = with_drawn(masks, annotations, index)
        reached |= known
        if known.any() and index != numbers.start:
            engine.observe(image, masks, known)
        yield image, masks, opposite


def with_drawn(masks: Masks, annotations: Annotations, index: int) -> Masks:
    """The structures of a slice with what is drawn on it put in; the other structures give way."""
    if not annotations.known[index].any():
        return masks
    drawn = annotations.masks(index)
    return masks.scaled(1.0 - drawn.total()).replaced(annotations.known[index], drawn)


def _finish(annotations: Annotations, index: int, forward: Masks, backward: Masks, fusion: Fusion | None) -> Propagated:
    """Both passes as one answer; without a fusion the second pass has taken the first one in."""
    before, after = annotations.distances(index)
    if fusion is None:
        before = np.where(np.isfinite(after), np.inf, before).astype(np.float32)
    masks = with_drawn((fusion or fuse)(forward, backward, before, after), annotations, index)
    both = annotations.slices[0] < index < annotations.slices[-1] and not annotations.known[index].any()
    return Propagated(index, masks, (forward, backward) if both else None)
