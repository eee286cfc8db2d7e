"""Running another tool in its own environment."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.files import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.types import Array

_PROGRAMS = {path.stem.removeprefix("fill_by_"): path for path in sorted(Path(__file__).parent.glob("fill_by_*.py"))}
_MOST_STRUCTURES = 255  # what all of them take
_SHOWN_CHARACTERS = 500


@dataclass(frozen=True)
class Peer:
    """Another tool, and the Python of the environment in which it is installed."""

    name: str
    python: str

    def labels_from(self, scan: Array, annotated: Array, full: Sequence[int]) -> Array:
        """Labels (Z, Y, X) of what is annotated.

        Args:
            scan: (Z, Y, X).
            annotated: label ids (Z, Y, X), 0 but on annotated slices.
            full: numbers of the slices that are fully annotated.

        Raises:
            InputError: the tool failed, with the end of what it printed, or gave no labels of that shape.
        """
        ids, numbered = np.unique(np.append(0, annotated), return_inverse=True)
        if len(ids) > _MOST_STRUCTURES + 1:
            raise InputError(f"{self.name}: at most {_MOST_STRUCTURES} structures, not {len(ids) - 1}")
        numbers = numbered[1:].reshape(annotated.shape).astype(np.uint8)
        with temporary_folder() as folder:
            task, result = folder / "task.npz", folder / "labels.npy"
            np.savez(task, scan=scan, annotated=numbers, full=np.array(full, np.int64))
            command = [self.python, str(_PROGRAMS[self.name]), str(task), str(result)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode or not result.exists():
                said = (ran.stderr or ran.stdout).strip()[-_SHOWN_CHARACTERS:]
                raise InputError(f"{self.name} failed (exit status {ran.returncode}): {said}")
            found: Array = np.load(result)
        if found.shape != annotated.shape or not np.isin(found, np.arange(len(ids))).all():
            raise InputError(
                f"{self.name} gave {found.shape} of labels other than those annotated on {annotated.shape}"
            )
        return ids[found.astype(np.intp)].astype(annotated.dtype)


def peer_of(text: str) -> Peer:
    """A tool of ``NAME=PYTHON``.

    Raises:
        InputError: there is no such tool, or no such program.
    """
    name, _, python = text.partition("=")
    program = shutil.which(python) if python else None
    if name not in _PROGRAMS or program is None:
        raise InputError(
            f"--peer {text}: NAME=PYTHON is wanted, NAME one of {', '.join(_PROGRAMS)}, PYTHON that of the environment "
            "with benchmarks/peers/requirements.txt"
        )
    return Peer(name, program)
