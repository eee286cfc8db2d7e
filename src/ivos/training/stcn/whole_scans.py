"""Validation of networks that propagate, on whole scans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ivos.metrics.overlap import dsc
from ivos.propagation.propagate import propagate
from ivos.training.data.store import UNKNOWN
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine
    from ivos.training.data.store import StoredScan
    from ivos.types import Array


def carried(engine: Engine, scan: StoredScan) -> tuple[Array, float]:
    """A scan's labels (Z, Y, X) from the slices that show most of a structure, and their mean DSC on the others.

    The DSC counts where the labels say something, and is NaN where no labelled slice is left.
    """
    labels = scan.labels()
    ignored = labels.array == UNKNOWN
    truth = np.where(ignored, 0, labels.array)
    ids = structures_in(truth)
    largest = sorted({int((truth == label).sum(axis=(1, 2)).argmax()) for label in ids})
    drawn = np.zeros_like(truth)
    drawn[largest] = truth[largest]
    found = propagate(scan.scan(), labels.with_array(drawn), engine=engine, axis="axial", complete=largest).labels.array
    left = np.setdiff1d(np.arange(len(truth)), largest)
    scores = [dsc((found[left] == label) & ~ignored[left], truth[left] == label) for label in ids]
    return found, float(np.nanmean(scores)) if not np.isnan(scores).all() else math.nan
