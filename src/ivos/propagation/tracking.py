"""Structures on their way through a scan, each seen in a view of its own: what the small network is shown.

The engine and the training walk with the same code, so that the network meets in use what it met in training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ivos.propagation.roi import Light, View, light_on, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.propagation.optical_flow import Flow
    from ivos.propagation.patch import Patch
    from ivos.types import FloatArray

VIEW_PIXELS = 96


@dataclass(frozen=True)
class Reference:
    """A drawn slice as a structure remembers it.

    Attributes:
        index: the slice's number.
        view: where the structure lies in it.
        light: how it stands out there.
        area: its pixels there.
        shown: the view of the slice in wide and in close contrast and that of the mask, (3, S, S).
    """

    index: int
    view: View
    light: Light
    area: float
    shown: FloatArray


def reference_of(index: int, image: FloatArray, mask: Patch | None) -> Reference | None:
    """What to remember of a slice (C, H, W) and a structure drawn on it; None where it is absent."""
    view = view_of([mask], VIEW_PIXELS)
    if view is None or mask is None:
        return None
    light = light_on(image, mask, view, VIEW_PIXELS)
    seen = view.cut(image[light.channel], VIEW_PIXELS)
    shown = np.stack([light.stretched(seen), light.close(seen), view.cut_patch(mask, VIEW_PIXELS)])
    return Reference(index, view, light, mask.area, shown)


@dataclass
class Track:
    """One structure on its way.

    Attributes:
        index: number of the slice that it was last seen on.
        mask: its probabilities there; None where it is not.
        references: the drawn slices that show it.
        absent: the slices on which it is known not to be.
        view: where it was last looked for.
    """

    index: int
    mask: Patch | None
    references: list[Reference] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    view: View | None = None

    def learn(self, index: int, image: FloatArray, mask: Patch | None) -> None:
        """Remember a slice (C, H, W) on which the structure is drawn, or known to be absent; once."""
        if index in self.absent or index in (reference.index for reference in self.references):
            return
        reference = reference_of(index, image, mask)
        if reference is None:
            self.absent.add(index)
        else:
            self.references.append(reference)

    def look(self, opposite: Patch | None) -> bool:
        """Turn to where it is, or to where the other pass has it; False where nothing of it is left."""
        self.view = view_of([self.mask, opposite], VIEW_PIXELS, self.view)
        return self.view is not None and bool(self.references)

    def nearest(self, index: int) -> list[Reference]:
        """The drawn slices to read from, the nearest first, then one on the other side if there is one.

        The one is doubled where there is no second: reading from it twice changes nothing.
        """
        found = sorted(self.references, key=lambda r: abs(r.index - index))
        first = found[0]
        beyond = [r for r in found[1:] if (r.index > index) != (first.index > index)]
        return [first, (beyond or found[1:] or found)[0]]

    def scalars(self, index: int, *, opposed: bool) -> tuple[float, ...]:
        """What the network is told in numbers of the step to a slice: see :data:`ivos.nets.fast.SCALARS`."""
        nearest = self.nearest(index)[0]
        held = 0.0 if self.mask is None else self.mask.area
        growth = float(np.clip(np.log((held + 1) / (nearest.area + 1)), -3, 3))
        onward = 1 if index >= self.index else -1
        known = dict.fromkeys(self.absent, 0.0) | {reference.index: 1.0 for reference in self.references}
        to_come = {(number - index) * onward: there for number, there in known.items() if (number - index) * onward > 0}
        gap = min(to_come, default=None)
        ahead = (0.0, 0.0, 0.0) if gap is None else (3 / (2 + gap), to_come[gap], 1 - to_come[gap])
        return (float(np.log1p(abs(nearest.index - index))) / 3, growth, *ahead, float(opposed and gap is not None))


@dataclass(frozen=True)
class Step:
    """From a slice to the next one, for one structure.

    Attributes:
        index: number of the slice to come to.
        previous: the last slice, (C, H, W).
        current: the next one.
        ahead: the one after it, or the same at the scan's end.
        held: what all structures hold of the last slice, this one included, (H, W).
        opposite: what the other pass said of the structure on the next slice.
        opposed: whether there is another pass.
        anchor: the last drawn mask of the structure, carried to the next slice by flow alone.
        flow: from the next slice back to the last one.
    """

    index: int
    previous: FloatArray
    current: FloatArray
    ahead: FloatArray
    held: FloatArray
    opposite: Patch | None
    opposed: bool
    anchor: Patch | None
    flow: Flow


@dataclass(frozen=True)
class Shown:
    """What the network is shown of B structures at one slice each: see :mod:`ivos.nets.fast`."""

    evidence: Tensor  # (B, 12, S, S)
    scalars: Tensor  # (B, 6)


def shown(tracks: Sequence[Track], steps: Sequence[Step]) -> Shown:
    """Evidence for each track, which has been turned to what is there (:meth:`Track.look`), on its next slice."""
    evidence = [_evidence(track, step) for track, step in zip(tracks, steps, strict=True)]
    scalars = [track.scalars(step.index, opposed=step.opposed) for track, step in zip(tracks, steps, strict=True)]
    return Shown(torch.from_numpy(np.stack(evidence)), torch.tensor(scalars, dtype=torch.float32))


def _evidence(track: Track, step: Step) -> FloatArray:
    view, light = track.view, track.nearest(step.index)[0].light
    assert view is not None  # noqa: S101 - callers look before they gather
    views = [view.cut(image[light.channel], VIEW_PIXELS) for image in (step.current, step.previous, step.ahead)]
    current, previous, ahead = (light.stretched(image) for image in views)
    mask, opposite, anchor = (view.cut_patch(patch, VIEW_PIXELS) for patch in (track.mask, step.opposite, step.anchor))
    others = np.clip(view.cut(step.held, VIEW_PIXELS) - mask, 0, 1)
    carried, moved = _carried((mask, others), view, step.flow)
    likelihood, close = light.likelihood(current), [light.close(image) for image in views]
    return np.stack([current, previous, ahead, mask, carried, likelihood, moved, opposite, anchor, *close])


def _carried(masks: Sequence[FloatArray], view: View, flow: Flow) -> list[FloatArray]:
    """Masks in a view along the flow there."""
    part = View(view.x - flow.left, view.y - flow.top, view.zoom)
    x, y = (view.zoom * part.cut(np.ascontiguousarray(flow.field[..., n]), VIEW_PIXELS) for n in (0, 1))
    rows, columns = np.indices(x.shape, dtype=np.float32)
    return [np.asarray(cv2.remap(mask, columns + x, rows + y, cv2.INTER_LINEAR), np.float32) for mask in masks]
