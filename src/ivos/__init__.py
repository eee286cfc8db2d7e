"""Annotate a few slices of a CT or MR scan, get the whole volume.

>>> import ivos
>>> scan = ivos.read("scan.nii.gz")
>>> drawn = ivos.read_labels("slices.nii.gz")
>>> result = ivos.propagate(scan, drawn)
>>> ivos.write("labels.nii.gz", result.labels)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivos.errors import InputError
    from ivos.interactive.session import InteractiveSession
    from ivos.io.read import read, read_labels
    from ivos.io.write import write_volume as write
    from ivos.metrics.evaluation import evaluate
    from ivos.prompts.segmenters import stroke_segmenter
    from ivos.propagation.propagate import Propagation, propagate
    from ivos.segmentation.segmenter import Segmenter
    from ivos.segmentation.settings import SegmentationSettings
    from ivos.segmentation.two_stage import Segmentation
    from ivos.volume.volume import Volume

__all__ = [
    "InputError",
    "InteractiveSession",
    "Propagation",
    "Segmentation",
    "SegmentationSettings",
    "Segmenter",
    "Volume",
    "evaluate",
    "propagate",
    "read",
    "read_labels",
    "stroke_segmenter",
    "write",
]
_HOMES = {
    "InputError": "ivos.errors:InputError",
    "InteractiveSession": "ivos.interactive.session:InteractiveSession",
    "Propagation": "ivos.propagation.propagate:Propagation",
    "Segmentation": "ivos.segmentation.two_stage:Segmentation",
    "SegmentationSettings": "ivos.segmentation.settings:SegmentationSettings",
    "Segmenter": "ivos.segmentation.segmenter:Segmenter",
    "Volume": "ivos.volume.volume:Volume",
    "evaluate": "ivos.metrics.evaluation:evaluate",
    "propagate": "ivos.propagation.propagate:propagate",
    "read": "ivos.io.read:read",
    "read_labels": "ivos.io.read:read_labels",
    "stroke_segmenter": "ivos.prompts.segmenters:stroke_segmenter",
    "write": "ivos.io.write:write_volume",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: ``ivos --help`` must not wait for torch."""
    if name == "__version__":
        from importlib.metadata import version

        return version("ivos")  # as in pyproject.toml, the one place where it is written
    if name not in _HOMES:
        raise AttributeError(f"module 'ivos' has no attribute '{name}'")
    module, attribute = _HOMES[name].split(":")
    return getattr(import_module(module), attribute)
