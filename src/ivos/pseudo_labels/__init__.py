"""Pseudo-labels from several predictions of a scan: voxels without agreement are ignored."""

from __future__ import annotations

from ivos.pseudo_labels.acceptance import PseudoLabels, accept
from ivos.pseudo_labels.change import Change
from ivos.pseudo_labels.scores import StructureScore
from ivos.pseudo_labels.settings import PseudoLabelSettings, ScoreRule

__all__ = ["Change", "PseudoLabelSettings", "PseudoLabels", "ScoreRule", "StructureScore", "accept"]
