"""Overlap of two masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def dsc(prediction: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """Dice similarity coefficient of two masks of one shape: twice what they share by what they hold together.

    NaN where both are empty: an absent structure counts as nothing, not as a success.

    References:
        Dice: Measures of the amount of ecologic association between species, Ecology 1945.
    """
    together = int(np.count_nonzero(prediction)) + int(np.count_nonzero(truth))
    return 2.0 * int(np.count_nonzero(prediction & truth)) / together if together else float("nan")
