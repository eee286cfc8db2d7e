"""The files of a loop: its rounds, and the decision on every unlabelled scan in each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ivos.files import replacing
from ivos.pseudo_labels.change import Change
from ivos.pseudo_labels.scores import StructureScore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROUNDS, _DECISIONS = "rounds.json", "judged.json"


class Round(BaseModel):
    """Results of a round.

    Attributes:
        number: 0 for the first one.
        labelled: scans with true or corrected labels that it learned from.
        pseudo_labelled: scans with pseudo-labels that it learned from.
        validation_dsc: mean DSC over structures and scans of the fold that validates; None without one.
        seconds: how long it took, as far as it was not done before.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    labelled: int
    pseudo_labelled: int
    validation_dsc: float | None
    seconds: float


class ScanDecision(BaseModel):
    """The decision on an unlabelled scan in a round.

    Attributes:
        corrected: whether its labels are a person's.
        accepted: whether the round learned from it.
        reason: why, or why not.
        trust: the scan's, by the rule of the settings.
        structures: score of each; empty for a corrected scan.
        change: since the round before; None for a corrected scan, and where there is nothing to compare with.
    """

    model_config = ConfigDict(frozen=True)

    corrected: bool
    accepted: bool
    reason: str
    trust: float | None = None
    structures: tuple[StructureScore, ...] = ()
    change: Change | None = None


_ROUNDS_IN_FILE, _DECISIONS_IN_FILE = TypeAdapter(list[Round]), TypeAdapter(dict[str, ScanDecision])


@dataclass(frozen=True)
class RoundFiles:
    """The files of a round.

    Attributes:
        loop: the folder of the loop.
        number: of the round.
    """

    loop: Path
    number: int

    @property
    def folder(self) -> Path:
        """All that is of the round."""
        return self.loop / f"round_{self.number}"

    @property
    def run(self) -> Path:
        """The folder of its training."""
        return self.folder / "run"

    @property
    def weights(self) -> list[Path]:
        """The networks that it has trained."""
        return sorted(self.run.glob("reference*.safetensors"))

    @property
    def scans(self) -> Path:
        """Stored scans with the labels that the round learns from."""
        return self.folder / "scans"

    @property
    def labels(self) -> Path:
        """These labels as files."""
        return self.folder / "labels"

    @property
    def consensus(self) -> Path:
        """Consensus of the predictions of every scan without correction."""
        return self.folder / "consensus"

    @property
    def predictions(self) -> Path:
        """A folder for each way in which the scans were segmented."""
        return self.folder / "predictions"

    @property
    def decisions(self) -> Path:
        """The decisions on all scans; written last."""
        return self.folder / _DECISIONS


def read_rounds(folder: Path) -> list[Round]:
    """The finished rounds.

    Args:
        folder: of the loop.
    """
    path = folder / _ROUNDS
    return _ROUNDS_IN_FILE.validate_json(path.read_bytes()) if path.exists() else []


def write_rounds(folder: Path, rounds: Sequence[Round]) -> None:
    """Write the finished rounds.

    Args:
        folder: of the loop.
        rounds: all of them.
    """
    with replacing(folder / _ROUNDS) as temporary:
        temporary.write_bytes(_ROUNDS_IN_FILE.dump_json(list(rounds), indent=1))


def read_decisions(folder: Path) -> dict[str, ScanDecision]:
    """Decisions on the unlabelled scans, by case; empty for a round without pseudo-labels, or before they are made.

    Args:
        folder: of the round.
    """
    path = folder / _DECISIONS
    return _DECISIONS_IN_FILE.validate_json(path.read_bytes()) if path.exists() else {}


def write_decisions(files: RoundFiles, decisions: Mapping[str, ScanDecision]) -> None:
    """Write the decisions on the unlabelled scans.

    Args:
        files: of the round.
        decisions: by case.
    """
    with replacing(files.decisions) as temporary:
        temporary.write_bytes(_DECISIONS_IN_FILE.dump_json(dict(decisions), indent=1))
