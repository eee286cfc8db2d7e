"""NSD and DSC equal what the FLARE22 challenge's evaluation gave, where its rules are the plain definitions."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ivos.metrics.overlap import dsc
from ivos.metrics.surface import nsd

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parity

TOLERANCE_MM = {1: 5, 2: 3, 3: 3, 4: 5, 5: 2, 6: 2, 7: 2, 8: 2, 9: 2, 10: 3, 11: 5, 12: 7, 13: 3}
TUBES = (5, 6, 10)  # counted in a part of the scan only


def test_flare22_figures(parity_folder: Path) -> None:
    volumes = np.load(parity_folder / "flare22_metrics_volumes.npz")
    expected = json.loads((parity_folder / "flare22_metrics.json").read_text())["cases"]
    spacing_mm = tuple(float(s) for s in volumes["spacing_xyz"])
    compared = 0
    for case, figures in expected.items():
        for organ, true_dsc, true_nsd in zip(range(1, 14), figures["DSC"], figures["NSD"], strict=True):
            found, true = volumes[f"pred_{case}"] == organ, volumes["ground_truth"] == organ
            if organ in TUBES or not (found.any() and true.any()):
                continue
            assert round(dsc(found, true), 4) == true_dsc, (case, organ)
            if true_dsc >= 0.2:
                value = nsd(found, true, (spacing_mm[0], spacing_mm[1], spacing_mm[2]), TOLERANCE_MM[organ])
                assert math.isclose(value, true_nsd, abs_tol=5.1e-5), (case, organ)
                compared += 1
    assert compared > 25
