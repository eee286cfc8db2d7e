"""Fusion samples from simulated sessions; they are cached in files, since each session takes a propagation."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.errors import InputError
from ivos.files import replacing
from ivos.propagation.corrections.correct import by_distance, new_replaces_old
from ivos.propagation.corrections.difference_aware import open_structures, planes, shares, view_window
from ivos.training.fusion.sessions import Session, phantom_of

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.propagation.corrections.correct import Merge, Step
    from ivos.propagation.engines.protocol import Engine
    from ivos.propagation.masks import Masks
    from ivos.types import Array, FloatArray

_CORRECTIONS = 4  # of a session
_WORST = 0.6  # share of the corrections that go to the worst slice, the others to any
_KEPT = 0.5  # share of what is decided that becomes a sample: neighbours are much alike


@dataclass(frozen=True)
class Samples:
    """What the network is shown of N structures on a slice each, and what is true.

    Attributes:
        planes: (N, 8, S, S) those of :func:`ivos.propagation.corrections.difference_aware.planes`, and the true mask,
            0..255.
        shares: (N, 2) see :func:`ivos.propagation.corrections.difference_aware.shares`.
        number: of the session that they are of.
    """

    planes: npt.NDArray[np.uint8]
    shares: FloatArray
    number: int = 0


@dataclass
class _Recorder:
    """Merges as another rule does, and keeps what a network could have learned from it."""

    merge: Merge
    truth: Array
    structures: tuple[int, ...]
    rng: np.random.Generator
    planes: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    shares: list[FloatArray] = field(default_factory=list)

    def __call__(self, step: Step) -> Masks:
        """See :data:`ivos.propagation.corrections.correct.Merge`."""
        for k in open_structures(step):
            window = view_window((step.old.patches[k], step.new.patches[k]))
            if window is None or self.rng.random() > _KEPT:
                continue
            true = (self.truth[step.image.index] == self.structures[k]).astype(np.float32)
            seen = np.concatenate([planes(step, k, window), window.view.cut(true, window.pixels)[None]])
            self.planes.append(np.rint(255 * seen).astype(np.uint8))
            self.shares.append(shares(step, k))
        return self.merge(step)


def make_samples(path: Path, number: int, engine: Engine) -> None:
    """Write the samples of the session of a number, unless the file is there.

    Raises:
        InputError: the folder cannot be written to.
    """
    if path.exists():
        return
    session = Session.start(phantom_of(number), np.random.default_rng((number, 6)), engine)
    samples = None if session is None else record_samples(session, np.random.default_rng((number, 7)), engine)
    with replacing(path) as temporary:
        if samples is None:
            np.savez_compressed(temporary)
        else:
            np.savez_compressed(temporary, planes=samples.planes, shares=samples.shares)


def record_samples(session: Session, rng: np.random.Generator, engine: Engine) -> Samples | None:
    """Correct some slices of a session; None if there was nothing to decide."""
    rule = new_replaces_old if rng.random() < 0.5 else by_distance
    recorder = _Recorder(rule, session.truth, session.annotations.structures, rng)
    for _ in range(_CORRECTIONS):
        left = [n for n in range(len(session.stack)) if n not in session.annotations.slices]
        if left:
            place = session.worst() if rng.random() < _WORST else int(rng.choice(left))
            session.correct(place, engine, recorder)
    if not recorder.planes:
        return None
    return Samples(np.stack(recorder.planes), np.stack(recorder.shares))


def read_samples(path: Path) -> Samples | None:
    """The samples of a file; None where it was made of a session with nothing to decide.

    Raises:
        InputError: damaged.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return Samples(file["planes"], file["shares"]) if file.files else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged samples; delete the file to regenerate them") from error
