"""What a program costs, against what it knows of itself; `ivos profile` as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import psutil
import pynvml  # type: ignore[import-untyped]
import pytest

from ivos.metrics.efficiency import Efficiency, Sample, Sampler
from ivos.report.efficiency import write_efficiency
from tests.cli.runner import IVOS, ivos, refused
from tests.processes import HANG_S, completed, started

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = [sys.executable, "-S", "-c"]
HOLDING = """
import mmap, sys, time
size, hold_s = int(sys.argv[1]) * 2**20, float(sys.argv[2])
time.sleep(0.1)
memory = mmap.mmap(-1, size + 4096)
for page in range(0, size, 4096):
    memory[page] = 1
time.sleep(hold_s)
memory.close()
"""
AGE = """
import os, time
start = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
print(time.clock_gettime(time.CLOCK_BOOTTIME) - start)
"""
BURNING = "import time\nwhile time.process_time() < {}: pass\n"


def run(*command: str) -> tuple[Efficiency, str]:
    """What a command cost, and its stdout."""
    with started(command, stdout=subprocess.PIPE, text=True) as process:
        with Sampler() as sampler, sampler.interval(process.pid) as interval:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process.stdout is not None
        return interval.efficiency(), process.stdout.read()


def test_time_and_memory_of_a_known_program(tmp_path: Path) -> None:
    options = ("-o", str(tmp_path / "m"), "--json")
    done = ivos("profile", *options, "--", *PYTHON, HOLDING + AGE, "300", "0.5", "-o", "x", "--json", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads((tmp_path / "m" / "efficiency.json").read_text())
    without, _ = run(*PYTHON, HOLDING, "0", "0.2")
    assert found["command"][-6:] == ["300", "0.5", "-o", "x", "--json", "--help"]
    assert found["seconds"] == pytest.approx(float(done.stdout), rel=0.05)
    assert found["peak_ram_mb"] - without.peak_ram_mb == pytest.approx(300, rel=0.05)

    with (tmp_path / "m" / "samples.csv").open() as file:
        samples = list(csv.DictReader(file))
    assert 5 < len(samples) <= found["seconds"] / 0.1 + 3
    assert max(float(sample["ram_mb"]) for sample in samples) == found["peak_ram_mb"]


def test_cpu_time_of_children_that_come_and_go() -> None:
    program = f"""
import resource, subprocess, sys
for _ in range(5):
    subprocess.run([sys.executable, "-S", "-c", {BURNING.format(0.05)!r}])
subprocess.run(["sh", "-c", '"$0" "$@"; true', sys.executable, "-S", "-c", {BURNING.format(0.4)!r}])
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(sum(one.ru_utime + one.ru_stime for one in used))
"""
    cost, printed = run(*PYTHON, program)
    # Own and children's, user and system time: each is cut to whole ticks of 10 ms.
    assert cost.cpu_seconds == pytest.approx(float(printed), rel=0.05, abs=0.04)
    assert cost.cpu_percent_s == pytest.approx(100 * cost.cpu_seconds / (psutil.cpu_count() or 1))
    under_the_curve = sum(
        now.cpu_percent * (now.seconds - before.seconds)
        for before, now in zip(cost.samples, cost.samples[1:], strict=False)
    )
    assert under_the_curve == pytest.approx(cost.cpu_percent_s, rel=0.15)


def test_a_process_whose_parent_has_ended_still_counts() -> None:
    burning = f"{sys.executable} -S -c '{BURNING.format(0.4)}'"
    cost, _ = run("sh", "-c", f"({burning} & sleep 0.2) | cat; {burning}; true")  # cat ends when the pipe is free
    assert cost.cpu_seconds == pytest.approx(0.8, abs=0.2)  # no one knows of the first one's last tenth of a second


def test_intervals_of_this_process() -> None:
    with Sampler() as sampler:
        with sampler.interval() as first:
            start, memory = time.perf_counter(), bytearray(b"x") * (64 * 2**20)
            time.sleep(0.25)
            seconds = time.perf_counter() - start
        del memory
        with sampler.interval() as second:
            before = resource.getrusage(resource.RUSAGE_SELF)
            end = time.process_time() + 0.3
            while time.process_time() < end:
                pass
            after = resource.getrusage(resource.RUSAGE_SELF)
    one, two = first.efficiency(), second.efficiency()
    assert one.seconds == pytest.approx(seconds, rel=0.05)
    assert one.peak_ram_mb - two.peak_ram_mb == pytest.approx(64, rel=0.05)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert two.cpu_seconds == pytest.approx(used, rel=0.05, abs=0.02)
    assert one.cpu_seconds < 0.2
    assert one.samples[0].seconds == 0
    assert one.samples[-1].seconds == one.seconds


def test_streams_and_exit_code_are_the_commands() -> None:
    done = completed([IVOS, "profile", "sh", "-c", "cat; echo complaint >&2; exit 7"], text="through\n")
    assert (done.returncode, done.stdout) == (7, "through\n")
    assert done.stderr.startswith("complaint\n")
    assert "running time" in done.stderr
    assert ivos("profile", "--", "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    script = f"trap 'exit 5' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    words = [IVOS, "profile", "--", "sh", "-c", script]
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        time.sleep(0.1)  # the command was quicker than we are
        process.send_signal(number)
        assert process.wait(timeout=HANG_S) == 5
        assert b"running time" in process.stderr.read()


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "no-such-command: cannot be run" in refused("profile", "--", "no-such-command", "-x")
    assert "efficiency.json" in refused("profile", "--json", "--", "true")
    marker = tmp_path / "marker"
    assert "cannot be written to" in refused("profile", "-o", tmp_path / "file", "--", "touch", marker)
    assert not marker.exists()


def test_tables_and_picture_of_several_cases(tmp_path: Path) -> None:
    samples = tuple(Sample(n / 10, 100.0 + n % 7, 50.0, 2000.0) for n in range(1001))
    measured = {
        "one <&> two": Efficiency(100.0, 106.0, 100.0, 2000.0, 5000.0, 200000.0, samples),
        "no GPU": Efficiency(0.1, 50.0, 0.0, None, 0.0, None, (Sample(0, 50, 0, None), Sample(0.1, 0, 0, None))),
    }
    write_efficiency(tmp_path, measured)
    lines = (tmp_path / "efficiency.csv").read_text().splitlines()
    assert lines[0] == "case,seconds,peak_ram_mb,cpu_seconds,cpu_percent_s,peak_gpu_mb,gpu_mb_s"
    assert lines[1:] == ["one <&> two,100.0,106.0,100.0,5000.0,2000.0,200000.0", "no GPU,0.1,50.0,0.0,0.0,,"]
    lines = (tmp_path / "samples.csv").read_text().splitlines()
    assert (len(lines), lines[0]) == (1 + 1001 + 2, "case,seconds,ram_mb,cpu_percent,gpu_mb")
    picture = ET.parse(tmp_path / "efficiency.svg").getroot()  # noqa: S314
    curves = picture.findall("{*}polyline")
    assert [curve.findtext("{*}title") for curve in curves] == ["one <&> two", "no GPU"] * 3
    assert all(len(curve.attrib["points"].split()) < 500 for curve in curves)
    assert "GPU memory, MB" in [text.text for text in picture.findall("{*}text")]


class Driver:
    """An NVIDIA driver with one GPU."""

    def __init__(self) -> None:
        self.used_mb, self.processes = 300, {}  # type: tuple[int, dict[int, int | None]]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers: dict[str, Any] = {
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlDeviceGetCount": lambda: 1,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=self.used_mb * 2**20),
            "nvmlDeviceGetComputeRunningProcesses": lambda _: self.listed(),
            "nvmlDeviceGetGraphicsRunningProcesses": self.not_supported,
        }
        for name, answer in answers.items():
            monkeypatch.setattr(pynvml, name, answer)

    def listed(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(pid=pid, usedGpuMemory=None if mb is None else mb * 2**20)
            for pid, mb in self.processes.items()
        ]

    def not_supported(self, _: int) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.mark.parametrize(
    ("listed", "peak_mb"),
    [
        ({"own": 1000, "other": 500}, 1000),
        ({"other": 1500}, 0),
        ({"outside": 1500}, 1200),  # a container, with the ids of the machine around it
        ({"own": None}, 1200),  # one with its own ids, of which the driver tells nothing else
        ({}, 1200),
    ],
)
def test_gpu_memory(monkeypatch: pytest.MonkeyPatch, listed: dict[str, int | None], peak_mb: int) -> None:
    driver, ids = Driver(), {"own": os.getpid(), "other": os.getppid(), "outside": 2**30}
    driver.install(monkeypatch)
    with Sampler() as sampler, sampler.interval() as interval:
        driver.used_mb, driver.processes = 1500, {ids[who]: mb for who, mb in listed.items()}
        time.sleep(0.15)
    cost = interval.efficiency()
    assert cost.peak_gpu_mb == peak_mb
    assert cost.gpu_mb_s == pytest.approx(peak_mb * cost.seconds, rel=0.6)  # from 0 to the peak within the first tenth


def test_without_a_driver_gpu_memory_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    with Sampler() as sampler, sampler.interval() as interval:
        pass
    cost = interval.efficiency()
    assert (cost.peak_gpu_mb, cost.gpu_mb_s, cost.samples[0].gpu_mb) == (None, None, None)
