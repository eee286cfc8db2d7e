"""The result of every phantom generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class Phantom:
    """A scan (int16) and the true labels of its structures (uint8), on one grid."""

    scan: Volume
    labels: Volume
