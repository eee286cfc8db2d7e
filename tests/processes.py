"""Processes that tests start: with the signals that a terminal gives them, for no longer than the test takes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

T = TypeVar("T")

HANG_S = 900.0
"""What nothing takes: a limit is for what hangs, so at least ten times the time that the slowest takes by itself."""


def hear_interrupts() -> None:
    """Let this process be interrupted, and so what it starts: where tests run in the background SIGINT is ignored.

    A signal that is ignored stays so in programs that are started; one that is handled has its default there.
    """
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


@contextmanager
def started(words: Sequence[object], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program in a session of its own; it and all that it has started have ended after the block."""
    process = subprocess.Popen([str(word) for word in words], start_new_session=True, **options)
    try:
        yield process
    finally:
        end_session(process.pid)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def completed(
    words: Sequence[object],
    *,
    text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    encoding: str = "utf-8",
    limit_s: float = HANG_S,
) -> subprocess.CompletedProcess[str]:
    """What became of a program, with what it printed.

    Args:
        words: the program and its arguments.
        text: for its stdin, which is empty otherwise.
        env: its environment; this process's by default.
        cwd: its working folder.
        encoding: of its streams.
        limit_s: after which it counts as hanging.

    Raises:
        subprocess.TimeoutExpired: it hangs.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with started(words, env=env, cwd=cwd, encoding=encoding, **pipes) as process:
        out, err = process.communicate(text or "", timeout=limit_s)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def end_session(leader: int) -> None:
    """Kill the processes of a session, or those of a group; nothing where all have ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def waited(condition: Callable[[], T], process: BaseProcess | subprocess.Popen[Any] | None = None) -> T:
    """What a condition gives once that is true, while a process is alive."""
    limit = time.monotonic() + HANG_S
    while not (found := condition()):
        assert time.monotonic() < limit, "nothing happened"
        assert process is None or _alive(process), "the process has ended"
        time.sleep(0.02)
    return found


def _alive(process: BaseProcess | subprocess.Popen[Any]) -> bool:
    return process.poll() is None if isinstance(process, subprocess.Popen) else process.is_alive()
