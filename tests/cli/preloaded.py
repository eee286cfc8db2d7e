"""What the commands import, for :mod:`tests.cli.runner`."""

from __future__ import annotations

from importlib import import_module

for name in ("cv2", "highdicom", "monai.metrics", "openvino", "scipy.ndimage", "SimpleITK", "torch"):
    import_module(name)
for name in ("cli.main", "metrics.evaluation", "propagation.propagate", "segmentation.segmenter"):
    import_module(f"ivos.{name}")
