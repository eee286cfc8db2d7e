"""What makes labels of annotated slices, for the panel to score: an engine of ivos, or another tool."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.peers.run import peer_of
from ivos.nets.checkpoints import BUNDLED
from ivos.propagation.propagate import propagate

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.engines import Contender
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import Array
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class Found:
    """Labels (Z, Y, X) and, from what has probabilities, that of each voxel's label as 0..255."""

    labels: Array
    confidence: Array | None = None


Propagator = Callable[["Volume", "Volume", Sequence[int]], Found]
"""Given a scan, labels that are 0 but on annotated slices, and the numbers of those that are fully annotated."""


@dataclass(frozen=True)
class Entrant:
    """A propagator by its name in tables.

    Attributes:
        name: in tables.
        load: makes it ready.
        version: of what it depends on beside the code, where that may change; scores of another one are not resumed.
    """

    name: str
    load: Callable[[], Propagator]
    version: str = ""


def by_engine(engine: Engine) -> Propagator:
    """Propagation along the axis of slices."""

    def run(scan: Volume, annotated: Volume, full: Sequence[int]) -> Found:
        result = propagate(scan, annotated, engine=engine, axis="axial", complete=full)
        return Found(result.labels.array, result.confidence.array)

    return run


def engine_entrant(contender: Contender, name: str | None = None) -> Entrant:
    """An engine; that of the bundled network with a hash of its weights."""
    weights = contender.checkpoint or (BUNDLED if contender.name == "fast" else None)
    version = "" if weights is None else hash_of(weights)
    return Entrant(name or contender.name, lambda: by_engine(contender.load()), version)


def peer_entrant(text: str) -> Entrant:
    """Another tool, of ``NAME=PYTHON``.

    Raises:
        InputError: there is no such tool, or no Python there.
    """
    peer = peer_of(text)

    def run(scan: Volume, annotated: Volume, full: Sequence[int]) -> Found:
        return Found(peer.labels_from(scan.array, annotated.array, full))

    return Entrant(peer.name, lambda: run)


def hash_of(path: Path) -> str:
    """The beginning of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
