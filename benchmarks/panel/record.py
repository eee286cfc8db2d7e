"""What a panel has scored: written scan by scan, so that one that was stopped is resumed."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from benchmarks.panel.prompts import PROMPTS, PromptCaseScore
from benchmarks.panel.protocol import CaseScore
from benchmarks.panel.tables import Key, summary_of
from ivos.errors import InputError
from ivos.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Score = CaseScore | PromptCaseScore

_ROWS = TypeAdapter(list[dict[str, Any]])
_OF_PROMPTS, _OF_LABELS = TypeAdapter(PromptCaseScore), TypeAdapter(CaseScore)


class Record:
    """Scores of scans by cohort, protocol and engine, in a JSON file if one is named.

    Args:
        path: of the file.
        resume: begin with what it holds.

    Raises:
        InputError: it does not hold a panel's scores.
    """

    def __init__(self, path: Path | None = None, *, resume: bool = False) -> None:
        self._path = path
        self._versions: dict[Key, str] = {}
        self._scores: dict[Key, list[Score]] = {}
        if resume and path is not None and path.exists():
            self._read(path)

    def begin(self, key: Key, version: str) -> None:
        """Scores of a key follow; those that it has count as long as they are of that version."""
        if self._versions.get(key) != version:
            self._versions[key], self._scores[key] = version, []

    def has(self, key: Key, case: str) -> bool:
        """Whether a scan has been scored."""
        return any(score.case == case for score in self._scores[key])

    def add(self, key: Key, score: Score) -> None:
        """One more scan; the file holds it when this returns."""
        self._scores[key].append(score)
        if self._path is not None:
            with replacing(self._path) as path:
                path.write_text(json.dumps([self._row(key) for key in self._scores], indent=1), encoding="utf-8")

    def scores(self, key: Key) -> list[Score]:
        """Scans' scores of a key."""
        return self._scores[key]

    def labels(self, keys: Iterable[Key]) -> dict[Key, list[CaseScore]]:
        """Scores of propagated labels."""
        return {key: [s for s in self._scores[key] if isinstance(s, CaseScore)] for key in keys if key[1] != PROMPTS}

    def prompts(self, keys: Iterable[Key]) -> dict[Key, list[PromptCaseScore]]:
        """Scores of prompts."""
        return {
            key: [s for s in self._scores[key] if isinstance(s, PromptCaseScore)] for key in keys if key[1] == PROMPTS
        }

    def _row(self, key: Key) -> dict[str, Any]:
        scores = self._scores[key]
        adapter: TypeAdapter[Any] = _OF_PROMPTS if key[1] == PROMPTS else _OF_LABELS
        return {
            **dict(zip(("cohort", "protocol", "engine"), key, strict=True)),
            "version": self._versions[key],
            **{name: None if math.isnan(value) else value for name, value in summary_of(scores).items()},
            "cases": [adapter.dump_python(score, mode="json") for score in scores],
        }

    def _read(self, path: Path) -> None:
        try:
            for row in _ROWS.validate_json(path.read_bytes()):
                key = str(row["cohort"]), str(row["protocol"]), str(row["engine"])
                adapter: TypeAdapter[Any] = _OF_PROMPTS if key[1] == PROMPTS else _OF_LABELS
                self._versions[key] = str(row["version"])
                self._scores[key] = [adapter.validate_python(case) for case in row["cases"]]
        except (ValidationError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not the scores of a panel; resume from another file, or not at all") from error
