"""Labels by Biomedisa's smart interpolation: random walks from annotated slices through like intensities.

PYTHON fill_by_biomedisa.py TASK RESULT: see benchmarks.peers. It runs in the peers' environment, without ivos.

Biomedisa takes what has no label on an annotated slice for background. Where slices are not fully annotated, each
structure therefore has a run of its own, and a voxel that several claim goes to the one of the largest share of walks.

References:
    Lösel, van de Kamp, Jayme et al.: Introducing Biomedisa as an open-source online platform for biomedical image
    segmentation, Nature Communications 11, 2020.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from biomedisa.interpolation import smart_interpolation

if TYPE_CHECKING:
    import numpy.typing as npt

PLATFORM = "opencl_Portable_CPU"  # PoCL's is the Portable Computing Language


def main(task: str, result: str) -> None:
    """All structures at once if the annotated slices are fully annotated, or else one by one."""
    with np.load(task) as given:
        scan, annotated, full = given["scan"], given["annotated"], given["full"]
    touched = np.flatnonzero(annotated.any(axis=(1, 2)))
    if np.isin(touched, full).all():
        labels = smart_interpolation(scan, annotated.copy(), platform=PLATFORM)["regular"]
    else:
        labels = by_structure(scan, annotated)
    np.save(result, labels)


def by_structure(scan: npt.NDArray[Any], annotated: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each structure against the rest, then the most certain one of every voxel."""
    labels, best = np.zeros_like(annotated), np.full(annotated.shape, 0.5, np.float32)
    for structure in (int(n) for n in np.unique(annotated) if n):
        alone = (annotated == structure).astype(np.uint8)
        background, hits = smart_interpolation(scan, alone, platform=PLATFORM, return_hits=True)["hits"]
        share = hits / np.maximum(background + hits, 1)
        labels[share > best] = structure
        best = np.maximum(best, share)
    return labels


if __name__ == "__main__":
    main(*sys.argv[1:])
