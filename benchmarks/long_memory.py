"""What a slice costs at the end of a long walk: memories that grow with the scan, and memories that do not.

python -m benchmarks.long_memory [--slices 2000] [--size 256] [--engine NAME ...] [--budget-mb 2000]
    [--stcn STCN] [--xmem XMEM] [--bfloat16]

One pass from the first drawn slice to the scan's end, over a phantom that is stretched to the length asked for, with
the largest slice of each organ drawn; every engine in a process of its own. The ratio is that of the last tenth of the
slices to the first: 1 where the cost of a slice does not grow. Peaks are of the whole process, libraries and scan
included. Without weights STCN and XMem take random ones: neither speed nor memory depends on them. Seconds are those of
the processor, which other work on the machine does not change as it does those of the clock: run it with one thread.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import typer

from benchmarks.measure import markdown, measure_call
from benchmarks.speed import phantom, scan_and_slices
from ivos.nets.checkpoints import load_stcn, load_xmem
from ivos.nets.stcn import STCN
from ivos.nets.xmem import XMem
from ivos.propagation.annotations import annotations_along
from ivos.propagation.bidirectional import SliceStack
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.engines.stcn import STCNEngine
from ivos.propagation.engines.xmem import XMemEngine
from ivos.propagation.memory.long_term import PUBLISHED_SIZES
from ivos.types import Axis

if TYPE_CHECKING:
    from ivos.nets.inference import Network
    from ivos.propagation.engines.protocol import Engine

_GROWING_BYTES = 10**12  # more than any scan fills
_MEMORY_EVERY = 5
_TENTHS = 10
_TOLD_EVERY = 100
_ENGINES = {
    "xmem": "xmem",
    "stcn": "stcn, the oldest slice goes",
    "stcn-long-term": "stcn with long-term memory",
    "fast": "fast",
    "growing": "stcn, nothing goes",
}


@dataclass(frozen=True)
class Setting:
    """What all engines are given.

    Attributes:
        slices: of the scan.
        size: rows and columns.
        budget_bytes: for memories that have one.
        stcn: weights, random ones without.
        xmem: likewise.
        bfloat16: whether the two compute in it.
    """

    slices: int
    size: int
    budget_bytes: int
    stcn: Path | None
    xmem: Path | None
    bfloat16: bool


def main(
    slices: Annotated[int, typer.Option(min=_TENTHS, help="Slices of the scan.")] = 2000,
    size: Annotated[int, typer.Option(help="Rows and columns.")] = 256,
    engine: Annotated[list[str] | None, typer.Option(help=f"Repeated for several: {', '.join(_ENGINES)}.")] = None,
    budget_mb: Annotated[int, typer.Option(help="For the memories that have a budget.")] = 2000,
    stcn: Annotated[Path | None, typer.Option(exists=True, help="STCN weights.")] = None,
    xmem: Annotated[Path | None, typer.Option(exists=True, help="XMem weights.")] = None,
    bfloat16: Annotated[bool, typer.Option("--bfloat16", help="STCN and XMem compute in it: faster.")] = False,
) -> None:
    """Walk once over a long scan with every engine, and print what slices took at both ends."""
    wanted = engine or list(_ENGINES)
    for name in wanted:
        if name not in _ENGINES:
            raise typer.BadParameter(f"--engine {name}: choose from {', '.join(_ENGINES)}")
    setting = Setting(slices, size, budget_mb * 10**6, stcn, xmem, bfloat16)
    rows = []
    for name in wanted:
        found = measure_call(seconds_of_slices, name, setting)
        first, last = (float(np.mean(part)) for part in _both_ends(found.result))
        rows.append(
            [_ENGINES[name], f"{first:.3f}", f"{last:.3f}", f"{last / first:.2f}", f"{found.peak_mb / 1000:.2f}"]
        )
        print(f"{_ENGINES[name]}: {first:.3f} to {last:.3f} s a slice", flush=True)
    print()
    print(f"{slices} slices of {size} x {size}, budget of {budget_mb} MB")
    print()
    print(markdown(["engine", "CPU s a slice, first tenth", "last tenth", "ratio", "peak GB"], rows))


def seconds_of_slices(name: str, setting: Setting) -> list[float]:
    """Processor seconds of each predicted slice, in the order of the walk."""
    scan, drawn = scan_and_slices(phantom(), setting.slices, setting.size, halved=False)
    annotations = annotations_along(drawn, Axis.AXIAL)
    stack, engine = SliceStack.of(scan, Axis.AXIAL, "ct"), _engine(name, setting)
    first = annotations.slices[0]
    for index in reversed(annotations.slices):
        engine.observe(stack[index], annotations.masks(index), annotations.known[index])
    seconds = []
    for image in stack.along(range(first, len(stack))):
        if image.index == first:
            continue
        started = time.process_time()
        engine.predict(image, None)
        seconds.append(time.process_time() - started)
        if image.index % _TOLD_EVERY == 0:
            print(f"{name}: slice {image.index} of {len(stack)}: {seconds[-1]:.3f} s", file=sys.stderr, flush=True)
        known = annotations.known[image.index]
        if known.any():
            engine.observe(image, annotations.masks(image.index), known)
    return seconds


def _engine(name: str, setting: Setting) -> Engine:
    device = torch.device("cpu")
    torch.manual_seed(0)
    if name == "fast":
        return create_engine("fast", device="cpu")
    if name == "xmem":
        network = _random(XMem()) if setting.xmem is None else load_xmem(setting.xmem)
        return XMemEngine(
            network,
            device=device,
            memory_budget_bytes=setting.budget_bytes,
            memory_every=_MEMORY_EVERY,
            bfloat16=setting.bfloat16,
        )
    return STCNEngine(
        _random(STCN()) if setting.stcn is None else load_stcn(setting.stcn),
        device=device,
        memory_budget_bytes=_GROWING_BYTES if name == "growing" else setting.budget_bytes,
        memory_every=_MEMORY_EVERY,
        long_term=PUBLISHED_SIZES if name == "stcn-long-term" else None,
        bfloat16=setting.bfloat16,
    )


def _random(network: Network) -> Network:
    """A network that has learned nothing, with probabilities away from 0 and 1."""
    with torch.no_grad():
        network.decoder.pred.weight.mul_(0.02)
    return network.eval()


def _both_ends(seconds: list[float]) -> tuple[list[float], list[float]]:
    """The first tenth of the slices without the first one, which warms up, and the last tenth."""
    tenth = len(seconds) // _TENTHS
    return seconds[1 : 1 + tenth], seconds[-tenth:]


if __name__ == "__main__":
    typer.run(main)
