"""`ivos profile`: time and memory of any command."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.options import output_option
from ivos.cli.output import print_error
from ivos.errors import InputError
from ivos.files import check_writable, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from ivos.metrics.efficiency import Efficiency

_LINES = {
    "seconds": ("running time", "s"),
    "peak_ram_mb": ("maximum RAM", "MB"),
    "cpu_seconds": ("CPU time", "s"),
    "cpu_percent_s": ("area under the CPU utilisation-time curve", "% s"),
    "peak_gpu_mb": ("maximum GPU memory", "MB"),
    "gpu_mb_s": ("area under the GPU memory-time curve", "MB s"),
}


def profile(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The command and its arguments.")],
    output: Annotated[
        Path | None, output_option("--output", "-o", help="Folder for efficiency.csv, samples.csv and efficiency.svg.")
    ] = None,
    as_json: Annotated[
        bool, output_option("--json", help="Write efficiency.json to the folder instead of a table to stderr.")
    ] = False,
) -> None:
    """Run a command and measure time, RAM, CPU and GPU memory, as in the FLARE22 challenge.

    Includes all processes that the command starts. The exit code is that of the command.
    """
    if as_json and output is None:
        raise InputError("--json: give a folder for efficiency.json with -o; stdout belongs to the command")
    if output is not None:
        check_writable(output, "-o")  # a run of hours should not fail after its end
    exit_code, cost = _run(command)
    if not as_json:
        _print_cost(cost)
    if output is not None:
        from ivos.report.efficiency import figures, write_efficiency

        write_efficiency(output, {shlex.join(command): cost})
        if as_json:
            content = {"command": list(command), "exit_code": exit_code, **figures(cost)}
            with replacing(output / "efficiency.json") as path:
                path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    raise typer.Exit(exit_code)


def _run(command: Sequence[str]) -> tuple[int, Efficiency]:
    """Run a command to its end; 128 and the signal's number if a signal ended it, as shells have it."""
    from ivos.metrics.efficiency import Sampler

    with Sampler() as sampler:
        process = _start(command)
        with _forward_signals(process.pid), sampler.interval(process.pid) as interval:
            if hasattr(os, "waitid"):  # keeps the figures of its last moment readable
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            else:
                process.wait()
    code = process.wait()
    return (128 - code if code < 0 else code), interval.efficiency()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        # Without close_fds a command keeps what the shell opened for it beyond the three streams.
        return subprocess.Popen(list(command), close_fds=False)  # noqa: S603
    except OSError as error:
        raise InputError(f"{command[0]}: cannot be run: {error.strerror}; write ivos profile -- COMMAND") from error


@contextmanager
def _forward_signals(pid: int) -> Iterator[None]:
    """SIGINT and SIGTERM go to a process for the duration of the block, and not to this one."""

    def forward(number: int, _: FrameType | None) -> None:
        if not (number == signal.SIGINT and _in_foreground()):
            os.kill(pid, number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Whether this is the terminal's foreground, where Ctrl-C reaches the command without us."""
    if sys.platform == "win32":
        return True
    try:
        with Path(os.ctermid()).open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _print_cost(cost: Efficiency) -> None:
    values: Mapping[str, float | None] = {name: getattr(cost, name) for name in _LINES}
    for name, (title, unit) in _LINES.items():
        value = values[name]
        figure = "no GPU" if value is None else f"{value:.2f} {unit}"
        print_error(f"{title:<42}{figure:>20}")
