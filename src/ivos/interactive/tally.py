"""How much there is of each structure on each slice, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ivos.interactive.session import InteractiveSession
    from ivos.types import Axis


class Tally:
    """Counts again only the slices that have changed since it was last asked.

    Args:
        session: whose labels are counted.
        axis: of the slices.
    """

    def __init__(self, session: InteractiveSession, axis: Axis) -> None:
        self._session, self._axis, self._seen = session, axis, 0
        slices = session.labels.array.shape[axis]
        self._voxels, self._sure = np.zeros((slices, 256), np.int64), np.zeros((slices, 256))

    @property
    def voxels(self) -> npt.NDArray[np.int64]:
        """(N, 256) voxels of each structure on each slice, by label id."""
        self._count()
        return self._voxels

    @property
    def expected_dsc(self) -> npt.NDArray[np.float64]:
        """(N, 256) the DSC that is to be expected of a structure on a slice: the mean confidence of its voxels, 0..1.

        That is 1 where there is nothing of it.
        """
        self._count()
        mean: npt.NDArray[np.float64] = self._sure / np.maximum(self._voxels, 1) / 255
        return np.where(self._voxels > 0, mean, 1.0)

    def _count(self) -> None:
        revision = self._session.revision
        if revision == self._seen:
            return
        labels, sure = (np.moveaxis(v.array, self._axis, 0) for v in (self._session.labels, self._session.confidence))
        for index in self._session.changed(self._seen, self._axis):
            plane = labels[index].reshape(-1)
            self._voxels[index], self._sure[index] = 0, 0
            there = np.flatnonzero(plane)  # most slices of a scan hold little, or nothing
            if there.size:
                self._voxels[index] = np.bincount(plane[there], minlength=256)
                self._sure[index] = np.bincount(plane[there], sure[index].reshape(-1)[there], minlength=256)
        self._seen = revision
