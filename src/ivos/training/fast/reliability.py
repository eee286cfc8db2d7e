"""How often what is called likely is so: logits of many pixels against the truth, and the temperature that they need.

References:
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

_LARGEST, _STEP = 16.0, 0.05  # of the logits that are told apart
_TEMPERATURES = (0.25, 4.0)
_BINS = 15  # of probabilities, for the calibration error


class Reliability:
    """Pixels counted by their logit, and how many of them were of the structure; adds up in little memory."""

    def __init__(self) -> None:
        self._logits = np.arange(-_LARGEST, _LARGEST + _STEP / 2, _STEP)
        self._pixels, self._true = np.zeros(len(self._logits)), np.zeros(len(self._logits))

    @property
    def pixels(self) -> int:
        """How many have been counted."""
        return int(self._pixels.sum())

    def count(self, logits: npt.NDArray[np.floating], truth: npt.NDArray[np.bool_]) -> None:
        """Add pixels (N,)."""
        places = np.clip(np.rint((logits + _LARGEST) / _STEP), 0, len(self._logits) - 1).astype(int)
        self._pixels += np.bincount(places, minlength=len(self._logits))
        self._true += np.bincount(places[truth], minlength=len(self._logits))

    def temperature(self) -> float:
        """What to divide the logits by, so that the truth is likeliest under them."""
        if not self.pixels:
            return 1.0
        found = minimize_scalar(
            lambda log: self._cross_entropy(float(np.exp(log))), bounds=tuple(np.log(_TEMPERATURES)), method="bounded"
        )
        return float(np.exp(found.x))

    def calibration_error(self, temperature: float = 1.0) -> float:
        """The expected calibration error with the logits divided by a temperature: 0 where 90 % means 90 %."""
        probabilities = 1 / (1 + np.exp(-self._logits / temperature))
        bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
        expected, found = (np.bincount(bins, v, _BINS) for v in (self._pixels * probabilities, self._true))
        return float(np.abs(expected - found).sum() / max(self._pixels.sum(), 1))

    def curve(self) -> list[tuple[float, float, int]]:
        """For bins of probabilities: their mean, the share of pixels that are of the structure, how many pixels."""
        probabilities = 1 / (1 + np.exp(-self._logits))
        bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
        pixels, expected, found = (
            np.bincount(bins, v, _BINS) for v in (self._pixels, self._pixels * probabilities, self._true)
        )
        return [(float(e / n), float(f / n), int(n)) for n, e, f in zip(pixels, expected, found, strict=True) if n]

    def _cross_entropy(self, temperature: float) -> float:
        scaled = self._logits / temperature
        return float((self._pixels * np.logaddexp(0, scaled) - self._true * scaled).sum())
