"""What every propagation engine can do; the walk knows nothing more of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.device import DeviceChoice
    from ivos.propagation.masks import Masks
    from ivos.types import BoolArray, FloatArray


EngineName = Literal["fast", "flow", "stcn", "xmem", "shape", "nearest"]


@dataclass(frozen=True)
class Slice:
    """One slice of a scan, as an engine sees it.

    Attributes:
        index: its number along the walked axis; neighbours differ by one.
        image: three intensity windows (3, H, W), float32 in [0, 1].
        spacing_mm: pixel spacing (row, column).
        ahead: the windows of the slice after it on the walk's way; its own at the scan's end.
    """

    index: int
    image: FloatArray
    spacing_mm: tuple[float, float]
    ahead: FloatArray


class Engine(Protocol):
    """Carries the masks of K structures from slice to slice.

    A pass over the scan is: ``reset()``; ``observe`` every annotated slice, the one to start from last; then
    ``predict`` one neighbouring slice after another in one direction, with ``observe`` again on each annotated slice
    that is reached. K stays the same until the next ``reset``.

    Attributes:
        fuses: whether ``predict`` takes what the pass from the other side said into account, so that its answer stands
            for both.

    An engine whose probabilities are too sure may have a ``temperature`` beside: what their logits are divided by where
    they are given out as confidence.
    """

    fuses: bool

    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:
        """Take a slice whose masks are trusted; the walk goes on from it.

        Args:
            image: the slice.
            masks: the K structures on it.
            known: (K,) which structures the annotation speaks of. The empty mask of a known structure says that it
                is absent here; the mask of an unknown one is what the pass believes so far, or zero.
        """

    def predict(self, image: Slice, opposite: Masks | None) -> Masks:
        """The K structures on the slice next to the last one.

        Args:
            image: the slice.
            opposite: what the pass from the other side said of it; None in a pass that has none.
        """

    def reset(self) -> None:
        """Forget everything."""


@dataclass(frozen=True)
class EngineOptions:
    """What an engine may be made with; :func:`ivos.propagation.engines.registry.create_engine` explains each."""

    checkpoint: Path | None
    device: DeviceChoice
    memory_budget_bytes: int
    bfloat16: bool
    long_term: bool


@dataclass(frozen=True)
class EngineEntry:
    """What the registry knows of an engine.

    Attributes:
        create: makes one that is ready to use.
        title: whose published weights it takes, in words.
        checkpoint: whether it takes a checkpoint.
        own_weights: names of weights that only its network has, by which a checkpoint is recognised.
        has_bfloat16: whether it can be asked to compute in bfloat16.
        long_term: whether it has a long-term memory.
    """

    create: Callable[[EngineOptions], Engine]
    title: str = ""
    checkpoint: Literal["none", "optional", "required"] = "none"
    own_weights: tuple[str, ...] = ()
    has_bfloat16: bool = False
    long_term: Literal["never", "optional", "always"] = "never"
