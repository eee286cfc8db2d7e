"""A scan and a few drawn slices in, the labelled volume out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ivos.propagation.annotated_planes import along_one_axis
from ivos.propagation.annotations import annotations_along
from ivos.propagation.bidirectional import SliceStack, steps, walk
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.fusion import decide
from ivos.propagation.label_result import LabelResult
from ivos.propagation.refine.refine import refine
from ivos.propagation.refine.soft_labels import SoftLabels
from ivos.volume.checks import check_scan, checked_labels
from ivos.volume.volume import Volume, on_grid_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ivos.propagation.annotated_planes import OneAxis
    from ivos.propagation.engines.protocol import Engine
    from ivos.propagation.masks import Masks
    from ivos.propagation.refine.refine import Refiner
    from ivos.types import Axis, Progress
    from ivos.volume.windows import Modality

_log = logging.getLogger(__name__)


class Propagation(LabelResult):
    """A propagated scan: the annotated label ids on every slice."""

    @property
    def annotated(self) -> tuple[int, ...]:
        """Numbers of the annotated slices along the axis, in canonical order."""
        return self.sources


def propagate(
    scan: Volume,
    drawn: Volume,
    *,
    engine: Engine | None = None,
    axis: Axis | str | None = None,
    structures: Sequence[int] | None = None,
    complete: Iterable[int] | bool = (),
    modality: Modality = "auto",
    refiner: Refiner | None = None,
    progress: Progress | None = None,
) -> Propagation:
    """Carry drawn slices over a whole scan.

    Args:
        scan: the scan.
        drawn: label volume on the scan's grid, 0 but on the drawn slices. A structure that is not drawn on an
            annotated slice may still be there, unless the slice is complete.
        engine: how masks get from a slice to the next; the bundled network, ``fast``, by default.
        axis: ``"axial"``, ``"coronal"`` or ``"sagittal"``; by default the through-plane one, or the one along which
            the slices are plainly drawn. What is drawn on slices of other axes is dropped, with a warning.
        structures: label ids to carry on; all that are drawn by default.
        complete: numbers of the slices (canonical order) on which everything present is drawn; True for every slice
            with something drawn.
        modality: ``"ct"`` for the CT windows in HU, ``"mr"`` for windows by percentiles, ``"auto"`` to go by the scan.
        refiner: corrects every structure in three dimensions after the passes; None for the passes alone.
        progress: called with slices visited and slices to visit.

    Returns:
        Labels and confidence in the scan's geometry.

    Raises:
        InputError: the grids differ, nothing is drawn, it is drawn along several axes and none is chosen, an argument
            is not possible, or :func:`ivos.read` and :func:`ivos.read_labels` would refuse the arrays.
    """
    check_scan(scan)
    drawn = on_grid_of(checked_labels(drawn, "annotations"), scan, "annotations")
    return propagate_along(
        scan,
        along_one_axis(drawn, axis, structures=structures),
        engine=engine,
        structures=structures,
        complete=complete,
        modality=modality,
        refiner=refiner,
        progress=progress,
    )


def propagate_along(
    scan: Volume,
    annotated: OneAxis,
    *,
    engine: Engine | None = None,
    structures: Sequence[int] | None = None,
    complete: Iterable[int] | bool = (),
    modality: Modality = "auto",
    refiner: Refiner | None = None,
    progress: Progress | None = None,
) -> Propagation:
    """The same from annotations whose axis is chosen and which are on the scan's grid.

    Args:
        scan: checked by :func:`ivos.read` or :func:`propagate`.
        annotated: see :func:`ivos.propagation.annotated_planes.along_one_axis`; what it dropped is logged.
        engine: see :func:`propagate`, as all that follow.
        structures: see there.
        complete: see there.
        modality: see there.
        refiner: see there.
        progress: see there.

    Raises:
        InputError: nothing is annotated, or an argument is not possible.
    """
    along, drawn = annotated.axis, annotated.labels
    if annotated.note:
        _log.warning("%s", annotated.note)
    annotations = annotations_along(drawn, along, structures=structures, complete=complete)
    stack = SliceStack.of(scan, along, modality)

    labels = np.zeros(scan.array.shape, drawn.array.dtype)
    confidence = np.zeros(scan.array.shape, np.uint8)
    ids = np.array([0, *annotations.structures], drawn.array.dtype)
    total = steps(annotations)
    soft = None if refiner is None else SoftLabels(len(stack), stack.array.shape[1:], len(annotations.structures))

    def write(index: int, masks: Masks, temperature: float = 1.0) -> None:
        classes, sure = decide(masks, temperature)
        np.moveaxis(labels, along, 0)[index] = ids[classes]
        np.moveaxis(confidence, along, 0)[index] = sure

    for done, finished in enumerate(walk(stack, annotations, engine or create_engine("fast")), start=1):
        if finished is not None:
            if soft is None:
                write(finished.index, finished.masks, finished.temperature)
            else:
                soft.keep(finished.index, finished.masks)
        if progress is not None:
            progress(done, total)
    if soft is not None and refiner is not None:
        for index, masks in refine(stack, annotations, soft, refiner):
            write(index, masks)
    return Propagation(
        labels=scan.with_array(labels, drawn.names),
        confidence=scan.with_array(confidence),
        axis=along,
        sources=annotations.slices,
    )
