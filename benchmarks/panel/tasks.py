"""What a panel does with every scan: a protocol by an engine, another tool, or a segmenter of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarks.engines import Contender, contenders
from benchmarks.panel.pictures import picture_labels, picture_prompts
from benchmarks.panel.prompts import PROMPTS, SEGMENTERS, score_prompts, segmenter_of
from benchmarks.panel.propagators import Entrant, engine_entrant, hash_of, peer_entrant
from benchmarks.panel.protocol import CaseScore, Protocol, score_case
from ivos.errors import InputError
from ivos.nets.checkpoints import BUNDLED_STROKES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.cases import Case
    from benchmarks.panel.propagators import Propagator
    from benchmarks.panel.record import Score
    from ivos.prompts.prompts import StrokeSegmenter


@dataclass(frozen=True)
class LabelTask:
    """Propagate from what a protocol annotates."""

    protocol: str
    entrant: Entrant

    @property
    def name(self) -> str:
        """In tables."""
        return self.entrant.name

    @property
    def version(self) -> str:
        """Scores of another one are not resumed."""
        return self.entrant.version

    @cached_property
    def _propagator(self) -> Propagator:
        return self.entrant.load()

    def score(self, case: Case) -> Score:
        """One scan."""
        return score_case(case, Protocol.parse(self.protocol), self._propagator)

    def picture(self, folder: Path, scored: Sequence[tuple[Case, Score]], worst: int) -> list[Path]:
        """The structures of lowest DSC as files."""
        scans = [(case, score) for case, score in scored if isinstance(score, CaseScore)]
        return picture_labels(folder, scans, self.name, Protocol.parse(self.protocol), self._propagator, worst)


@dataclass(frozen=True)
class PromptTask:
    """Make masks of prompts."""

    name: str
    weights: Path | None
    at_most: int
    protocol: str = PROMPTS

    @property
    def version(self) -> str:
        """Scores of another one are not resumed."""
        weights = hash_of(self.weights or BUNDLED_STROKES) if self.name == "network" else "floor"
        return f"{weights}, at most {self.at_most}"

    @cached_property
    def _segmenter(self) -> StrokeSegmenter:
        return segmenter_of(self.name, self.weights)

    def score(self, case: Case) -> Score:
        """One scan."""
        return score_prompts(case, self._segmenter, self.at_most)

    def picture(self, folder: Path, scored: Sequence[tuple[Case, Score]], worst: int) -> list[Path]:
        """The structures of lowest DSC after one click, a scribble and a box as files."""
        scans = [(case, score) for case, score in scored if not isinstance(score, CaseScore)]
        return picture_prompts(folder, scans, self.name, self._segmenter, worst)


def label_tasks(
    protocols: Sequence[str], engines: Sequence[str], fast_checkpoints: Sequence[Path], peers: Sequence[str]
) -> list[LabelTask]:
    """Each protocol by each engine, the fast one with other weights, and each ``NAME=PYTHON`` of another tool.

    Raises:
        InputError: there is no such protocol or tool.
    """
    entrants = [engine_entrant(contender) for contender in contenders(list(engines), None, None)] if engines else []
    entrants += [engine_entrant(Contender("fast", path), f"fast {path.parent.name}") for path in fast_checkpoints]
    entrants += [peer_entrant(text) for text in peers]
    for name in protocols:
        Protocol.parse(name)
    return [LabelTask(name, entrant) for name in protocols for entrant in entrants]


def prompt_tasks(segmenters: Sequence[str], weights: Path | None, at_most: int) -> list[PromptTask]:
    """Prompts by each segmenter.

    Raises:
        InputError: there is no such segmenter.
    """
    unknown = [name for name in segmenters if name not in SEGMENTERS]
    if unknown:
        raise InputError(f"--segmenter {unknown[0]}: choose from {', '.join(SEGMENTERS)}")
    return [PromptTask(name, weights, at_most) for name in dict.fromkeys(segmenters)]
