"""Sessions on tiny scans, and what a test may compare of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError
from ivos.interactive.session import InteractiveSession
from ivos.propagation.engines.nearest import NearestEngine
from ivos.types import Axis
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from ivos.prompts.prompts import Strokes
    from ivos.types import BoolArray, FloatArray
    from ivos.volume.volume import Volume

SHAPE = (6, 8, 9)


class Obedient:
    """What was there and every positive stroke, less every negative one; of a box alone its inside."""

    def __init__(self) -> None:
        self.seen: list[Strokes] = []

    def __call__(self, image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
        assert image.shape == (3, *mask.shape)
        self.seen.append(strokes)
        made = (mask | strokes.positive) & ~strokes.negative
        if strokes.box is not None:
            top, left, bottom, right = strokes.box
            made[top:bottom, left:right] = True
        return made.astype(np.float32)


def scan_of(seed: int = 0) -> Volume:
    return volume_of(np.random.default_rng(seed).integers(-200, 300, SHAPE).astype(np.int16))


def session_on(scan: Volume | None = None, *structures: int, **settings: Any) -> InteractiveSession:
    session = InteractiveSession(scan or scan_of(), engine=NearestEngine(), strokes=Obedient(), **settings)
    for structure in structures or (1, 2, 3):
        session.add(structure, f"structure {structure}")
    return session


def rectangle(rows: slice, columns: slice, shape: tuple[int, int] = SHAPE[1:]) -> BoolArray:
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


def contents(session: InteractiveSession) -> tuple[Any, ...]:
    """All that a person can see of a session."""
    return (
        session.labels.array.tobytes(),
        session.confidence.array.tobytes(),
        dict(session.labels.names),
        session.structures,
        session.committed,
        [session.drawn(axis) for axis in Axis],
        [_suggested(session, axis) for axis in Axis],
    )


def _suggested(session: InteractiveSession, axis: Axis) -> Any:
    try:
        return session.suggest(1, axis)
    except InputError:
        return None
