"""Several predictions of a scan into labels to train on: what they agree on is kept, what they do not is left open."""

from __future__ import annotations

from ivos.pseudo_labels.change import Change
from ivos.pseudo_labels.judge import Judged, judge
from ivos.pseudo_labels.settings import PseudoLabelSettings, TrustRule
from ivos.pseudo_labels.trust import StructureTrust

__all__ = ["Change", "Judged", "PseudoLabelSettings", "StructureTrust", "TrustRule", "judge"]
