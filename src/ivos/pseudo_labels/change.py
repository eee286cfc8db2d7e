"""Changes in a scan's labels since the previous round.

A share of changed voxels says little of a small organ: one that is lost altogether is a hundredth of the labelled
voxels. So the structures are looked at one by one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.segmentation.ensemble import joined_names, pairwise_dsc
from ivos.volume.labels import ignored_in, without_ignored

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class Change:
    """What has changed since the previous round.

    Attributes:
        most: name of the structure with the lowest DSC between the rounds; None where no structure has changed.
        dsc: that DSC; 1 where no structure has changed.
        vanished: ids and names of the structures that the previous round has and this one has no voxel of.
    """

    most: str | None
    dsc: float
    vanished: dict[int, str]

    @property
    def words(self) -> str:
        """What stands behind a reason: which structure has changed most, and what is gone."""
        return "" if self.most is None else f"; changed most: {self.most}, DSC {self.dsc:.3f}{self.gone}"

    @property
    def gone(self) -> str:
        """What stands behind a reason: the structures that have vanished."""
        return f"; gone since the previous round: {', '.join(self.vanished.values())}" if self.vanished else ""


class Rounds:
    """This round's labels and the previous one's, without the voxels of which either says nothing.

    Args:
        new: this round's labels.
        previous: the previous round's, on the same grid; what is named "ignore" is not compared.
        undecided: where this round says nothing (Z, Y, X).

    Raises:
        InputError: a label id has different names.

    Attributes:
        names: what either calls its structures.
        dsc: by id of every structure that is in either the DSC of the two.
    """

    def __init__(self, new: Volume, previous: Volume, undecided: npt.NDArray[np.bool_]) -> None:
        silent, previous = undecided | ignored_in(previous), without_ignored(previous)
        self.names = joined_names([new, previous])
        self._labels = new
        self._new, self._old = (v.with_array(np.where(silent, 0, v.array), v.names) for v in (new, previous))
        self.dsc = {s: float(table[0, 1]) for s, table in pairwise_dsc([self._new, self._old]).items()}

    @property
    def unchanged(self) -> float | None:
        """1 - (voxels whose label differs) / (labelled voxels of this round); None where it has none.

        References:
            Huang et al.: Revisiting nnU-Net for Iterative Pseudo Labeling and Efficient Sliding Window Inference,
            FLARE 2022, by their published code.
        """
        changed, labelled = (int(np.count_nonzero(a)) for a in (self._new.array != self._old.array, self._new.array))
        return max(0.0, 1 - changed / labelled) if labelled else None

    def change(self) -> Change:
        """The structure that has changed most, and those that have vanished."""
        changed = {structure: dsc for structure, dsc in self.dsc.items() if dsc < 1}
        most = min(changed, key=lambda structure: (changed[structure], structure), default=None)
        missing = [structure for structure, dsc in changed.items() if dsc == 0]
        vanished = [structure for structure in missing if not (self._labels.array == structure).any()]

        def name(structure: int) -> str:
            return self.names.get(structure, f"label {structure}")

        if most is None:
            return Change(None, 1.0, {})
        return Change(name(most), changed[most], {structure: name(structure) for structure in vanished})
