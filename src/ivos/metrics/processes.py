"""CPU time and memory of a process tree, from the kernel, and GPU memory, from the NVIDIA driver."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pynvml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True)
class _ProcessUsage:
    process: psutil.Process
    cpu_s: float = 0.0  # own and that of the children that have ended
    inherited: bool = True  # by a parent in the tree, when it ends


class ProcessTree:
    """A process and its descendants, those whose parent has ended too."""

    def __init__(self, root: int) -> None:
        self._seen = {root: _ProcessUsage(psutil.Process(root))}
        self._departed_cpu_s = 0.0
        self._cpu_s = 0.0

    def pids(self) -> Collection[int]:
        """Those that lived when they were last looked at."""
        return self._seen.keys()

    def read(self) -> tuple[float, int]:
        """CPU time in seconds of all that ever ran in the tree, and the resident bytes of what does now."""
        cpu_s, ram_bytes = 0.0, 0
        # Parents before their children: a child that ends on the way is missing once, but never counts twice.
        queue = list(self._seen)
        for pid in queue:
            process = self._seen[pid].process
            try:
                with process.oneshot():
                    times, parent = process.cpu_times(), process.ppid()
                    resident_bytes = process.memory_info().rss
                children = _children(process)
            except (psutil.Error, OSError):
                self._depart(pid)
                continue
            seen = _ProcessUsage(
                process, sum(times[:4]), parent in self._seen
            )  # user, system, and the same of ended children
            self._seen[pid] = seen
            cpu_s, ram_bytes = cpu_s + seen.cpu_s, ram_bytes + resident_bytes
            for child in children:
                if child not in self._seen:
                    with suppress(psutil.Error):
                        self._seen[child] = _ProcessUsage(psutil.Process(child))
                        queue.append(child)
        self._cpu_s = max(self._cpu_s, cpu_s + self._departed_cpu_s)
        return self._cpu_s, ram_bytes

    def _depart(self, pid: int) -> None:
        """Forget a process that has ended; keep its CPU time where no process of the tree has inherited it."""
        last = self._seen.pop(pid)
        if not (last.inherited and psutil.LINUX):  # other systems do not pass it on
            self._departed_cpu_s += last.cpu_s


def _children(process: psutil.Process) -> list[int]:
    """Ids of a process's children, where Linux lists them: psutil has to read every process of the machine for them."""
    tasks = Path(f"/proc/{process.pid}/task")
    if not (tasks / str(process.pid) / "children").exists():
        return [child.pid for child in process.children()]
    pids: list[int] = []
    for task in tasks.iterdir():
        with suppress(OSError):  # the thread has ended; another has its children
            pids += map(int, (task / "children").read_bytes().split())
    return pids


class Gpus:
    """The GPUs that the NVIDIA driver knows; none without a driver."""

    def __init__(self) -> None:
        self._start_bytes: list[tuple[Any, int]] = []
        self._driver = False
        with suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            self._driver = True
            for number in range(pynvml.nvmlDeviceGetCount()):
                device = pynvml.nvmlDeviceGetHandleByIndex(number)
                self._start_bytes.append((device, pynvml.nvmlDeviceGetMemoryInfo(device).used))

    def used_bytes(self, pids: Collection[int]) -> int | None:
        """GPU memory of some processes; None without a GPU."""
        if not self._start_bytes:
            return None
        return sum(_used_bytes(device, start_bytes, pids) for device, start_bytes in self._start_bytes)

    def close(self) -> None:
        """Let go of the driver."""
        if self._driver:
            pynvml.nvmlShutdown()


def _used_bytes(device: Any, start_bytes: int, pids: Collection[int]) -> int:
    """Memory of some processes on a GPU.

    In a container the driver may list processes by ids from outside it, or with nothing used. Then it is by how much
    the memory in use has grown since the start: right where no one else uses this GPU.
    """
    listed: dict[int, int] = {}
    for query in (pynvml.nvmlDeviceGetComputeRunningProcesses, pynvml.nvmlDeviceGetGraphicsRunningProcesses):
        with suppress(pynvml.NVMLError):
            listed |= {process.pid: process.usedGpuMemory or 0 for process in query(device)}
    own_bytes = sum(used for pid, used in listed.items() if pid in pids)
    if own_bytes or (listed and all(used and psutil.pid_exists(pid) for pid, used in listed.items())):
        return own_bytes
    with suppress(pynvml.NVMLError):
        return max(int(pynvml.nvmlDeviceGetMemoryInfo(device).used) - start_bytes, 0)
    return 0
