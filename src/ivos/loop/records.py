"""What a loop writes down, and where: its rounds, and what became of every unlabelled scan in each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ivos.files import replacing
from ivos.pseudo_labels.change import Change
from ivos.pseudo_labels.trust import StructureTrust

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROUNDS, _JUDGED = "rounds.json", "judged.json"


class Round(BaseModel):
    """What a round came to.

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


class Judgement(BaseModel):
    """What became of an unlabelled scan in a round.

    Attributes:
        corrected: whether its labels are a person's.
        accepted: whether the round learned from it.
        reason: why, or why not.
        trust: the scan's, by the rule of the settings.
        structures: what is known of each; nothing for a corrected scan.
        change: since the round before; None for a corrected scan, and where there is nothing to compare with.
    """

    model_config = ConfigDict(frozen=True)

    corrected: bool
    accepted: bool
    reason: str
    trust: float | None = None
    structures: tuple[StructureTrust, ...] = ()
    change: Change | None = None


_ROUNDS_IN_FILE, _JUDGEMENTS = TypeAdapter(list[Round]), TypeAdapter(dict[str, Judgement])


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
        """What the predictions say together, of every scan that is not corrected."""
        return self.folder / "consensus"

    @property
    def predictions(self) -> Path:
        """A folder for each way in which the scans were segmented."""
        return self.folder / "predictions"

    @property
    def judged(self) -> Path:
        """What became of each scan; it is written last."""
        return self.folder / _JUDGED


def read_rounds(folder: Path) -> list[Round]:
    """The rounds that have ended.

    Args:
        folder: of the loop.
    """
    path = folder / _ROUNDS
    return _ROUNDS_IN_FILE.validate_json(path.read_bytes()) if path.exists() else []


def write_rounds(folder: Path, rounds: Sequence[Round]) -> None:
    """Write down the rounds that have ended.

    Args:
        folder: of the loop.
        rounds: all of them.
    """
    with replacing(folder / _ROUNDS) as temporary:
        temporary.write_bytes(_ROUNDS_IN_FILE.dump_json(list(rounds), indent=1))


def read_judgements(folder: Path) -> dict[str, Judgement]:
    """What became of each unlabelled scan, by case; empty for a round without pseudo-labels, or without them yet.

    Args:
        folder: of the round.
    """
    path = folder / _JUDGED
    return _JUDGEMENTS.validate_json(path.read_bytes()) if path.exists() else {}


def write_judgements(files: RoundFiles, judgements: Mapping[str, Judgement]) -> None:
    """Write down what became of each unlabelled scan.

    Args:
        files: of the round.
        judgements: by case.
    """
    with replacing(files.judged) as temporary:
        temporary.write_bytes(_JUDGEMENTS.dump_json(dict(judgements), indent=1))
