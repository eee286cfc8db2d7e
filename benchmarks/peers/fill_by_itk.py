"""Labels between annotated slices by ITK's morphological contour interpolation.

PYTHON fill_by_itk.py TASK RESULT: see benchmarks.peers. It runs in the peers' environment, without ivos.

The image is not looked at, and nothing is filled beyond the first and the last annotated slice of a structure.

References:
    Zukić, Vicory, McCormick, Wisse, Gerig, Yushkevich, Aylward: nD Morphological Contour Interpolation, The Insight
    Journal, 2016.
"""

from __future__ import annotations

import sys

import itk
import numpy as np


def main(task: str, result: str) -> None:
    """Fill along the first axis, which is ITK's last one."""
    itk.MultiThreaderBase.SetGlobalMaximumNumberOfThreads(1)  # with more, version 2.1.2 corrupts memory on some scans
    annotated = np.load(task)["annotated"]
    between = itk.MorphologicalContourInterpolator.New(itk.image_from_array(annotated))
    between.SetAxis(annotated.ndim - 1)
    between.Update()
    np.save(result, itk.array_from_image(between.GetOutput()))


if __name__ == "__main__":
    main(*sys.argv[1:])
