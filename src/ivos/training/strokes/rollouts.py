"""Rollouts over slices: in every training step each slice gets one more stroke and prediction.

References:
    Sofiiuk, Petrov, Konushin: Reviving Iterative Training with Mask Guidance for Interactive Segmentation, ICIP 2022.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ivos.metrics.overlap import dsc
from ivos.prompts.prompts import Strokes
from ivos.prompts.views import VIEW_PIXELS, apply_prediction, first_view, network_input, next_view
from ivos.training.strokes.simulated import correction, first_strokes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ivos.propagation.roi import View
    from ivos.training.strokes.examples import Example
    from ivos.types import FloatArray

_GO_ON = 0.75  # chance of another stroke after each one
_LOOKS = 2  # at one stroke
_ZOOM_JITTER, _SHIFT_JITTER = 0.2, 0.06  # of the view: logarithmic; share of its side


class PromptRollout:
    """A person at work on a slice: strokes, the answer, a stroke where it is wrong, and so on.

    Args:
        example: the slice.
        strokes: how many at most; None to draw by chance.

    Attributes:
        over: whether nothing more is drawn.
        scores: DSC after each stroke.
    """

    def __init__(self, example: Example, strokes: int | None = None) -> None:
        self.example, self.over = example, False
        self.scores: list[float] = []
        self._most = strokes
        self._rng = np.random.default_rng((example.seed, 6))
        self._image, self._mask = example.image, example.mask
        none = Strokes.none((example.truth.shape[0], example.truth.shape[1]))
        begun = example.mask.any()
        self._set_strokes(correction(example.truth, example.mask, none, self._rng) if begun else None)
        if not begun:
            self.over = False
            self._set_strokes(first_strokes(example.truth, self._rng))

    def shown(self) -> tuple[FloatArray, FloatArray]:
        """What the network is shown, (9, S, S), and what is true there, (S, S) in 0..1."""
        truth = self._view.cut(self.example.truth.astype(np.float32), VIEW_PIXELS)
        return network_input(self._image, self._strokes, self._mask, self._view), truth

    def advance(self, probabilities: FloatArray) -> float:
        """Go on from the network's answer (S, S); gives its DSC on the slice."""
        answer = apply_prediction(probabilities, self._view, self._strokes, self._mask)
        score = dsc(answer > 0.5, self.example.truth)
        self._looks += 1
        following = next_view(answer, self._strokes, self._framed)
        if self._looks < _LOOKS and following is not self._framed:
            self._set_view(following)
            return score
        self.scores.append(score)
        self._mask = answer > 0.5
        ended = self._rng.random() > _GO_ON if self._most is None else len(self.scores) >= self._most
        more = None if ended else correction(self.example.truth, self._mask, self._strokes, self._rng)
        self._set_strokes(more)
        return score

    def _set_strokes(self, strokes: Strokes | None) -> None:
        view = None if strokes is None else first_view(strokes, self._mask)
        if strokes is None or view is None:
            self.over = True
            return
        self._strokes, self._looks = strokes, 0
        self._set_view(view)

    def _set_view(self, view: View) -> None:
        """Not quite there, so that the network does not learn where structures lie in views."""
        self._framed = view
        zoom = view.zoom * float(np.exp(self._rng.normal(0, _ZOOM_JITTER)))
        x, y = (float(v) for v in self._rng.normal(0, _SHIFT_JITTER * VIEW_PIXELS / zoom, 2))
        self._view = replace(view, x=view.x + x, y=view.y + y, zoom=zoom)


class PromptRollouts:
    """So many at once: those that are over make room for new ones.

    Args:
        examples: where new ones come from.
        count: how many are under way.
    """

    def __init__(self, examples: Iterable[Example], count: int) -> None:
        self._examples, self._count = examples, count

    def __iter__(self) -> Iterator[PromptRollouts]:
        """The drawings, again and again: a training step moves on those of :meth:`under_way`."""
        self._fresh = iter(self._examples)
        self._drawings: list[PromptRollout] = []
        while True:
            yield self

    @property
    def cases(self) -> list[str]:
        """Of the drawings."""
        return [drawing.example.case for drawing in self._drawings]

    def under_way(self) -> list[PromptRollout]:
        """Drawings that await an answer."""
        self._drawings = [drawing for drawing in self._drawings if not drawing.over]
        while len(self._drawings) < self._count:
            new = (PromptRollout(example) for example in islice(self._fresh, self._count - len(self._drawings)))
            self._drawings += [drawing for drawing in new if not drawing.over]
        return self._drawings
