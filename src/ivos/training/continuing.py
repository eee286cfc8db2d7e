"""Whether and how a run in a folder is resumed: on the same data automatically, on changed data only on request."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ivos.config import load_settings
from ivos.errors import InputError
from ivos.training.callbacks import BEST, LAST
from ivos.training.module import describe_schedule
from ivos.training.record import RECORD, DataRecord, changes, read_record, write_record

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.training.record import Changes
    from ivos.training.run_settings import RunSettings

OnChange = Literal["refuse", "restart", "continue"]
"""What becomes of a run whose data have changed, or that had ended early and is to have more steps."""

SETTINGS, BEST_BEFORE = "settings.yaml", "best_before.ckpt"
_MADE = ("volumes", "crops")  # of the files that a run learns from
_OF_A_RUN = (LAST, BEST, BEST_BEFORE, SETTINGS, RECORD, "log", "tensorboard", "pictures", *_MADE)
_WEIGHTS = ("reference", "reference2", "fast", "stcn", "strokes", "fusion", "refine")
_EITHER_WAY = "--restart starts over and moves the old run into a subfolder, --continue resumes it"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Continuation:
    """How a run continues.

    Attributes:
        record: of its data, from now on.
        finished: whether nothing is left to do.
        forgets_best: whether what was best before does not compare with what comes.
    """

    record: DataRecord
    finished: bool
    forgets_best: bool


def check_continuation(
    folder: Path, settings: RunSettings, record: DataRecord, *, done: int, ended: bool, on_change: OnChange
) -> Continuation:
    """Whether and how the run in a folder continues.

    Args:
        folder: of a run that has a checkpoint.
        settings: of the run, from now on.
        record: of its data, as they are now.
        done: steps done.
        ended: whether it had waited long enough for a better validation.
        on_change: what somebody says.

    Raises:
        InputError: its data have changed, or it had ended early and is to have more steps, and nobody says what to do;
            or it cannot continue.
    """
    allowed, total = on_change == "continue", settings.total_steps
    before = read_record(folder)
    change = None if before is None else changes(before, record)
    changed = change is not None and bool(change.descriptions)
    if change is not None and changed:
        _check_change(folder, change, allowed=allowed, done=done, total=total)
    steps = load_settings(type(settings), [folder / SETTINGS]).total_steps if (folder / SETTINGS).exists() else total
    ended = ended and (before is None or before.told_to_continue != done)
    if ended and total > steps and not allowed:
        raise InputError(
            f"{folder}: ended at step {done} of {steps}, since the last {settings.patience} validations were no better "
            f"(patience); with steps={total}, {_EITHER_WAY}; {_rate(settings, done, steps)}"
        )
    finished = done >= total or (ended and not allowed)
    if not finished and (steps != total or allowed):
        _log.warning("%s: continues from step %d to step %d; %s", folder, done, total, _rate(settings, done, steps))
    return Continuation(
        record.after(before, told_to_continue=done if allowed and not finished else None),
        finished,
        forgets_best=change is not None and change.validation,
    )


def _check_change(folder: Path, change: Changes, *, allowed: bool, done: int, total: int) -> None:
    what = f"{folder}: its data have changed since step {done}: {'; '.join(change.descriptions)}"
    if change.final is not None:
        raise InputError(
            f"{what}. It cannot continue ({change.final}): start over with --restart, which moves "
            "the old run into a subfolder, or give another folder with -o"
        )
    if not allowed:
        raise InputError(f"{what}. {_EITHER_WAY}; or give another folder with -o")
    if done >= total:
        raise InputError(f"{what}. It finished at step {done}: give more steps with --continue, or --restart")
    _log.warning("%s", what)


def _rate(settings: RunSettings, done: int, before: int) -> str:
    """What the schedule does where a run continues."""
    rate = settings.optimiser.rate
    return describe_schedule(
        settings.optimiser, rate if isinstance(rate, float) else 1.0, done, before, settings.total_steps
    )


def start_record(folder: Path, record: DataRecord) -> None:
    """Keep the record of a run that begins; what was made of other files, before it was stopped, is set aside.

    Raises:
        InputError: the folder cannot be written to.
    """
    before = read_record(folder)
    if before is not None and record.makes_volumes and changes(before, record).descriptions:
        set_aside(folder)
    write_record(folder, record)


def set_aside(folder: Path) -> None:
    """Move a run that is begun again into a folder of its own, in the folder that it was in.

    Raises:
        InputError: several processes that were started from outside would do so at once.
    """
    names = [*_OF_A_RUN, *(f"{name}.safetensors" for name in _WEIGHTS)]
    there = [folder / name for name in names if (folder / name).exists()]
    if not there:
        return
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 or "TORCHELASTIC_RUN_ID" in os.environ:
        raise InputError(f"{folder}: --restart is for one process; move the folder away before several start")
    number = next(n for n in range(1, 10**6) if not (folder / f"before_{n}").exists())
    aside = folder / f"before_{number}"
    aside.mkdir()
    for path in there:
        path.replace(aside / path.name)
    _log.warning("%s: starts over; the old run is in %s", folder, aside)


def is_first_process() -> bool:
    """Whether this is the one of several processes that train together which changes files."""
    from lightning.pytorch.utilities import rank_zero_only

    return not getattr(rank_zero_only, "rank", 0)
