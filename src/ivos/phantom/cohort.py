"""Write cohorts of phantoms to files in the layout of the FLARE22 challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.io.write import write_volume
from ivos.phantom.abdomen import abdomen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.volume.geometry import Shape


def write_cohort(
    folder: Path,
    cases: int,
    *,
    seed: int,
    shape: Shape | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Write ``images/NAME_0000.nii.gz`` and ``labels/NAME.nii.gz`` for every case.

    Every case has a seed of its own, so that an interrupted cohort can be resumed with the same
    result; existing cases are kept.

    Args:
        folder: where the two folders go.
        cases: how many.
        seed: of the cohort.
        shape: voxels (z, y, x) of every case; each draws its own by default.
        progress: called with the number of cases that are there.

    Returns:
        The cases' names.
    """
    names = [f"phantom_{seed:04d}_{number:04d}" for number in range(1, cases + 1)]
    for number, name in enumerate(names, start=1):
        image, labels = folder / "images" / f"{name}_0000.nii.gz", folder / "labels" / f"{name}.nii.gz"
        if not (image.exists() and labels.exists()):
            phantom = abdomen(seed * 10_000 + number, shape=shape)
            write_volume(image, phantom.scan)
            write_volume(labels, phantom.labels)
        if progress is not None:
            progress(number)
    return names
