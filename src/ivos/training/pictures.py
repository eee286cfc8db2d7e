"""Sample pictures of a training: a slice, its true labels and the prediction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image

from ivos.volume.labels import scheme_from_names

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule

    from ivos.training.data.store import StoredScan
    from ivos.types import Array

_FILL = 0.5


def log_picture(module: LightningModule, scan: StoredScan, found: Array) -> None:
    """Paint the slice of a scan that shows most: into ``pictures/`` of the run's folder, and for TensorBoard.

    Args:
        module: in training.
        scan: labelled.
        found: (Z, Y, X) label ids.
    """
    if not module.trainer.is_global_zero:
        return
    labels = scan.labels().array
    truth = np.maximum(labels, 0)  # without what is unknown
    index = int((truth > 0).sum(axis=(1, 2)).argmax())
    grey = np.repeat(scan.slice(index)[0][0][..., None], 3, axis=2)
    picture = np.concatenate([grey, _overlay(grey, truth[index]), _overlay(grey, found[index])], axis=1)
    pixels = np.rint(255 * picture).astype(np.uint8)
    path = Path(module.trainer.default_root_dir) / "pictures" / f"step_{module.global_step:06d}_{scan.info.case}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    for logger in module.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(f"scan/{scan.info.case}", pixels, module.global_step, dataformats="HWC")


def _overlay(grey: Array, labels: Array) -> Array:
    """(H, W, 3) with the structures in their colours."""
    scheme, painted = scheme_from_names({}), grey.copy()
    for label in np.unique(labels[labels > 0]):
        colour = np.array(scheme.colour(int(label)), np.float32) / 255
        painted[labels == label] = (1 - _FILL) * grey[labels == label] + _FILL * colour
    return painted
