"""What propagation leaves to suggest slices by, kept as one array for each axis so that it is undone like the labels.

For slice n and label id k the array holds at ``[n, :, k]`` the :data:`~ivos.interactive.state.FIGURES` of
:class:`~ivos.uncertainty.features.QualityFeatures`: labelled pixels, sum of probabilities, that of the labelled pixels
alone, entropy; intersection and union of both passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.errors import InputError
from ivos.interactive.history import FIGURES_ALONG
from ivos.interactive.span import stated_annotations
from ivos.uncertainty.features import Agreement, QualityFeatures
from ivos.uncertainty.suggest import collect_features, rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.interactive.state import State
    from ivos.propagation.bidirectional import Propagated
    from ivos.types import Axis, BoolArray
    from ivos.uncertainty.suggest import Suggestions

Figures = npt.NDArray[np.float64]

_PASSES = "passes"


def suggestion_features(finished: Propagated, structures: Sequence[int], before: Figures) -> Figures:
    """The figures (6, 256) of a slice that propagation has finished.

    Args:
        finished: the slice.
        structures: label ids of its masks.
        before: the figures (6, 256) of the slice so far, which stay for other structures.
    """
    evidence = QualityFeatures.of(finished.index + 1, len(structures))
    collect_features(evidence, finished)
    agreement = evidence.agreements.get(_PASSES)
    figures = [evidence.voxels, evidence.probable, evidence.certain, evidence.entropy]
    figures += (
        [np.zeros_like(evidence.voxels)] * 2 if agreement is None else [agreement.intersection, agreement.area_sum]
    )
    after = before.copy()
    after[:, list(structures)] = [figure[finished.index] for figure in figures]
    return after


def figures_of_certain(pixels: int) -> npt.NDArray[np.float64]:
    """The figures (6,) of a structure on a slice where it is drawn, or taken as given.

    Args:
        pixels: that it has there.
    """
    return np.array([pixels, pixels, pixels, 0.0, 0.0, 0.0])


def evidence_of(figures: npt.NDArray[np.float64], structures: Sequence[int]) -> QualityFeatures:
    """The evidence for some structures on all N slices along an axis.

    Args:
        figures: (N, 6, 256).
        structures: label ids.
    """
    voxels, probable, certain, entropy, shared, said = (figures[:, row, list(structures)] for row in range(6))
    return QualityFeatures(voxels, probable, certain, entropy, {_PASSES: Agreement(shared, said)})


def suggestions(state: State, axis: Axis, count: int) -> Suggestions:
    """Which slices to draw next, of the structures that were propagated along an axis and can still change.

    Raises:
        InputError: there are none.
    """
    facts, figures = state.facts, state.arrays[FIGURES_ALONG[axis]]
    found: BoolArray = np.any(figures, axis=(0, 1))
    chosen = [k for k in facts.by_id if found[k] and facts.slices(k, axis) and k not in facts.committed]
    if not chosen:
        raise InputError(f"nothing to suggest: no structure is propagated along the {axis} slices yet")
    figures, planes = figures.copy(), np.moveaxis(state.labels, axis, 0)
    for structure in chosen:
        for index in facts.slices(structure, axis):  # since it was propagated it may have been drawn otherwise there
            figures[index, :, structure] = figures_of_certain(int(np.count_nonzero(planes[index] == structure)))
    annotations = stated_annotations(facts, state.labels, axis, chosen, range(len(figures)))
    return rank(evidence_of(figures, chosen), annotations, count=count, axis=axis, exploring=False)
