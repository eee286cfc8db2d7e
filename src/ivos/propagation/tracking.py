"""Structures on their way through a scan, each seen in a view of its own: what the small network is shown.

The engine and the training walk with the same code, so that the network meets in use what it met in training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ivos.propagation.pieces import MOST_PIECES, join, pieces_of
from ivos.propagation.reach import advance, reach_of, within_reach
from ivos.propagation.roi import Light, View, light_on, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.propagation.optical_flow import Flow
    from ivos.propagation.patch import Patch
    from ivos.types import BoolArray, FloatArray

VIEW_PIXELS = 96
_LIKELY = 0.5
_LEAST_SHARE = 0.2  # of the annotated area; a smaller part gets no view of its own


@dataclass(frozen=True)
class Reference:
    """An annotated slice as a structure remembers it.

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
    """What to remember of a slice (C, H, W) and a piece of a structure drawn on it; None where there is nothing."""
    view = view_of([mask], VIEW_PIXELS)
    if view is None or mask is None:
        return None
    light = light_on(image, mask, view, VIEW_PIXELS)
    seen = view.cut(image[light.channel], VIEW_PIXELS)
    shown = np.stack([light.stretched(seen), light.close(seen), view.cut_patch(mask, VIEW_PIXELS)])
    return Reference(index, view, light, mask.area, shown)


@dataclass
class Piece:
    """A part of a structure that is looked at in a view of its own; mostly there is one, which is all of it.

    Attributes:
        mask: its probabilities on the last slice; None where only the other pass has it.
        opposite: the other pass's prediction of it on the next slice.
        view: where it is looked for.
        step: how far it advanced in the last step, in pixels of the slice; None at an annotated slice.
        carried: (S, S) where flow carries it in the view, once it has been shown.
    """

    mask: Patch | None
    opposite: Patch | None
    view: View
    step: float | None = None
    carried: BoolArray | None = None

    def arrive(self, answer: FloatArray, shape: tuple[int, int]) -> Patch | None:
        """Where an answer (S, S) puts it on a slice of that shape, without what nothing led to."""
        before, opposite = (self.view.cut_patch(part, VIEW_PIXELS) > _LIKELY for part in (self.mask, self.opposite))
        carried = before if self.carried is None else self.carried
        kept = within_reach(answer, before | opposite, carried, reach_of(self.mask, self.step) * self.view.zoom)
        return self.view.paste(kept, shape)

    def step_to(self, mask: Patch | None) -> float | None:
        """How far it has advanced to where the structure is now, in pixels of the slice; None where it began."""
        if self.mask is None:
            return None
        before, after = (self.view.cut_patch(part, VIEW_PIXELS) > _LIKELY for part in (self.mask, mask))
        return advance(before, after) / self.view.zoom


@dataclass
class Track:
    """One structure on its way.

    Attributes:
        index: number of the slice that it was last seen on.
        mask: its probabilities there; None where it is not.
        references: the annotated slices that show it, one for each piece on each of them.
        absent: the slices on which it is known not to be.
        pieces: what it was last looked for as.
        most_pieces: how many of them it may have.
    """

    index: int
    mask: Patch | None
    references: list[Reference] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    pieces: list[Piece] = field(default_factory=list)
    most_pieces: int = MOST_PIECES

    def learn(self, index: int, image: FloatArray, mask: Patch | None) -> None:
        """Remember a slice (C, H, W) on which the structure is annotated, or known to be absent; once."""
        if index in self.absent or index in (reference.index for reference in self.references):
            return
        found = [reference_of(index, image, piece) for (piece,) in pieces_of([mask], self.most_pieces)]
        shown = [reference for reference in found if reference is not None]
        self.references += shown
        if not shown:
            self.absent.add(index)

    def start(self) -> None:
        """Continue from an annotated slice: how fast the structure moves is unknown there."""
        for piece in self.pieces:
            piece.mask = None

    def look(self, opposite: Patch | None) -> bool:
        """Turn to where it is, or to where the other pass has it; False where nothing of it is left."""
        if not self.references:
            return False
        nearest = min(self.references, key=lambda r: abs(r.index - self.index)).index
        drawn = [reference for reference in self.references if reference.index == nearest]
        pieces = self._pieces(opposite, self.most_pieces)
        if len(pieces) > len(drawn) and min(_share(piece, drawn) for piece in pieces) < _LEAST_SHARE:
            pieces = self._pieces(opposite, min(len(drawn), self.most_pieces))
        self.pieces = pieces
        return bool(pieces)

    def _pieces(self, opposite: Patch | None, most: int) -> list[Piece]:
        """The pieces to look for, up to a number; each continues the nearest piece of the slice before."""
        pieces = []
        for mask, other in pieces_of([self.mask, opposite], most):
            view = view_of([mask, other], VIEW_PIXELS)
            if view is not None:
                before = _nearest_to(view, self.pieces)
                if before is not None:
                    view = view_of([mask, other], VIEW_PIXELS, before.view) or view
                pieces.append(Piece(mask, other, view, None if before is None else before.step_to(self.mask)))
        return pieces

    def arrive(self, answers: Sequence[FloatArray], shape: tuple[int, int]) -> Patch | None:
        """Where the network's answers (S, S) of its pieces put it on a slice of that shape."""
        return join([piece.arrive(answer, shape) for piece, answer in zip(self.pieces, answers, strict=True)])

    def nearest(self, index: int, piece: Piece) -> list[Reference]:
        """The annotated slices to read from, the nearest first, then one on the other side if there is one.

        The one is doubled where there is no second: reading from it twice changes nothing. Of several pieces
        that an annotated slice shows, the one that lies nearest to this one counts.
        """
        shown = {r.index: r for r in sorted(self.references, key=lambda r: -_apart(r.view, piece.view))}
        found = sorted(shown.values(), key=lambda r: abs(r.index - index))
        first = found[0]
        beyond = [r for r in found[1:] if (r.index > index) != (first.index > index)]
        return [first, (beyond or found[1:] or found)[0]]

    def scalars(self, index: int, piece: Piece, *, opposed: bool) -> tuple[float, ...]:
        """The scalars of the step to a slice for the network: see :data:`ivos.nets.fast.SCALARS`."""
        nearest = self.nearest(index, piece)[0]
        alike = [p for p in self.pieces if p is piece or self.nearest(index, p)[0] is nearest]
        held = sum(p.mask.area for p in alike if p.mask is not None)  # one on the annotated slice still counts as one
        growth = float(np.clip(np.log((held + 1) / (nearest.area + 1)), -3, 3))
        onward = 1 if index >= self.index else -1
        known = dict.fromkeys(self.absent, 0.0) | {reference.index: 1.0 for reference in self.references}
        to_come = {(number - index) * onward: there for number, there in known.items() if (number - index) * onward > 0}
        gap = min(to_come, default=None)
        ahead = (0.0, 0.0, 0.0) if gap is None else (3 / (2 + gap), to_come[gap], 1 - to_come[gap])
        return (float(np.log1p(abs(nearest.index - index))) / 3, growth, *ahead, float(opposed and gap is not None))


def _share(piece: Piece, drawn: Sequence[Reference]) -> float:
    """How large a piece is as a share of its area on an annotated slice."""
    area = max(0.0 if part is None else part.area for part in (piece.mask, piece.opposite))
    return area / min(drawn, key=lambda r: _apart(r.view, piece.view)).area


def _nearest_to(view: View, pieces: Sequence[Piece]) -> Piece | None:
    return min(pieces, key=lambda piece: _apart(piece.view, view), default=None)


def _apart(one: View, other: View) -> float:
    return float(np.hypot(one.x - other.x, one.y - other.y))


@dataclass(frozen=True)
class Step:
    """From a slice to the next one, for one structure.

    Attributes:
        index: number of the slice to come to.
        previous: the last slice, (C, H, W).
        current: the next one.
        ahead: the one after it, or the same at the scan's end.
        held: what all structures hold of the last slice, this one included, (H, W).
        opposite: the other pass's prediction of the structure on the next slice.
        opposed: whether there is another pass.
        anchor: the last annotated mask of the structure, warped to the next slice by flow alone.
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


def shown(looks: Sequence[tuple[Track, Piece, Step]]) -> Shown:
    """Evidence for pieces of tracks that have been turned to what is there (:meth:`Track.look`), on the next slice."""
    evidence = [_evidence(*look) for look in looks]
    scalars = [track.scalars(step.index, piece, opposed=step.opposed) for track, piece, step in looks]
    return Shown(torch.from_numpy(np.stack(evidence)), torch.tensor(scalars, dtype=torch.float32))


def _evidence(track: Track, piece: Piece, step: Step) -> FloatArray:
    view, light = piece.view, track.nearest(step.index, piece)[0].light
    views = [view.cut(image[light.channel], VIEW_PIXELS) for image in (step.current, step.previous, step.ahead)]
    current, previous, ahead = (light.stretched(image) for image in views)
    mask, opposite, anchor = (view.cut_patch(patch, VIEW_PIXELS) for patch in (piece.mask, piece.opposite, step.anchor))
    own = mask if len(track.pieces) == 1 else view.cut_patch(track.mask, VIEW_PIXELS)
    others = np.clip(view.cut(step.held, VIEW_PIXELS) - own, 0, 1)
    carried, moved = _carried((mask, others), view, step.flow)
    piece.carried = carried > _LIKELY
    likelihood, close = light.likelihood(current), [light.close(image) for image in views]
    return np.stack([current, previous, ahead, mask, carried, likelihood, moved, opposite, anchor, *close])


def _carried(masks: Sequence[FloatArray], view: View, flow: Flow) -> list[FloatArray]:
    """Masks in a view along the flow there."""
    part = View(view.x - flow.left, view.y - flow.top, view.zoom)
    x, y = (view.zoom * part.cut(np.ascontiguousarray(flow.field[..., n]), VIEW_PIXELS) for n in (0, 1))
    rows, columns = np.indices(x.shape, dtype=np.float32)
    return [np.asarray(cv2.remap(mask, columns + x, rows + y, cv2.INTER_LINEAR), np.float32) for mask in masks]
