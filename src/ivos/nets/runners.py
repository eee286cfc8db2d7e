"""What computes the small network: PyTorch on any device, or OpenVINO, which is several times faster on a CPU."""

from __future__ import annotations

import logging
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from ivos.device import check_not_forked, has_bfloat16
from ivos.errors import first_line
from ivos.nets.checkpoints import BUNDLED, load_fast
from ivos.nets.fast import EVIDENCE, KEY_CHANNELS, SCALARS, VALUE_CHANNELS, MemorySlice
from ivos.nets.loaded import LOADED

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ivos.nets.fast import FastNet

_log = logging.getLogger(__name__)

_TRACED_SIDE = 32  # of the views that OpenVINO learns the network's operations from; others may have any side


class Runner(Protocol):
    """Answers for B structures at once, in views of S x S pixels; several may ask at a time.

    Attributes:
        temperature: of its probabilities: see :class:`ivos.nets.calibration.Calibration`.
    """

    temperature: float

    def remember(self, shown: Tensor) -> MemorySlice:
        """Keys and values of drawn views (B, 3, S, S): wide and close contrast, and the mask."""

    def answer(self, evidence: Tensor, scalars: Tensor, memory: MemorySlice) -> Tensor:
        """Probabilities (B, S, S) on the CPU, 0 where a structure is absent; see :meth:`FastNet.forward`."""


def loaded_runner(path: Path | None, device: torch.device) -> Runner:
    """What computes the small network, loaded and compiled once a process.

    Args:
        path: of the weights; None for the bundled ones.
        device: where it runs.

    Raises:
        InputError: no such file, not a checkpoint, or weights of another network; this process was forked.
    """
    return LOADED.get("fast", path or BUNDLED, device, lambda: runner_for(load_fast(path), device))


def runner_for(network: FastNet, device: torch.device) -> Runner:
    """OpenVINO on a CPU where it is installed and works, PyTorch otherwise; says so where it falls back."""
    if device.type != "cpu":
        return TorchRunner(network, device)
    try:
        return OpenVINORunner(network)
    except Exception as error:  # its front end raises exceptions of several kinds of its own
        what = "is not installed" if isinstance(error, ImportError) else f"does not work here ({first_line(error)})"
        _log.warning("OpenVINO %s: the engine 'fast' runs on PyTorch, several times slower", what)
        return TorchRunner(network, device)


class TorchRunner:
    """The network in PyTorch, in bfloat16 where the device multiplies in it.

    Args:
        network: the network, loaded.
        device: where it runs.
    """

    def __init__(self, network: FastNet, device: torch.device) -> None:
        self._network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._device = device
        self._bfloat16 = has_bfloat16(device)
        self.temperature = network.calibration.temperature

    @torch.inference_mode()
    def remember(self, shown: Tensor) -> MemorySlice:
        check_not_forked()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            there = shown.to(self._device)
            remembered: MemorySlice = self._network.remember(there[:, 2:], self._network.encode(there[:, :2]))
        return remembered

    @torch.inference_mode()
    def answer(self, evidence: Tensor, scalars: Tensor, memory: MemorySlice) -> Tensor:
        check_not_forked()
        there = evidence.to(self._device, memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            logits, presence = self._network(there, scalars.to(self._device), memory)
        return _probabilities(logits.float(), presence).cpu()


class OpenVINORunner(TorchRunner):
    """Answers from OpenVINO on the CPU, in bfloat16 where the processor multiplies in it; drawn slices as above.

    Args:
        network: the network, loaded.

    Raises:
        ImportError: OpenVINO is not installed.
        Exception: it does not work on this machine.
    """

    def __init__(self, network: FastNet) -> None:
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        super().__init__(network, torch.device("cpu"))
        check_not_forked()
        side, positions = _TRACED_SIDE, 4
        inputs = {  # an example, and the shape that others have: views and memory may be of any size
            "evidence": (torch.zeros(2, len(EVIDENCE), side, side), [-1, len(EVIDENCE), -1, -1]),
            "scalars": (torch.zeros(2, len(SCALARS)), [-1, len(SCALARS)]),
            "keys": (torch.zeros(2, positions, KEY_CHANNELS), [-1, -1, KEY_CHANNELS]),
            "values": (torch.zeros(2, positions, VALUE_CHANNELS), [-1, -1, VALUE_CHANNELS]),
        }
        examples = tuple(example for example, _ in inputs.values())
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # tracing warns of sizes that it takes for constants: none is
            traced = torch.jit.trace(Answering(self._network), examples, check_trace=False)  # type: ignore[no-untyped-call]
        front_end = FrontEndManager().load_by_framework("pytorch")  # not convert_model: that one sends telemetry
        decoder = TorchScriptPythonDecoder(traced, example_input=examples)
        with ThreadPoolExecutor(1) as thread:  # in the main one it would swallow an interrupt, and go on
            model = thread.submit(lambda: front_end.convert(front_end.load(decoder))).result()
        model.reshape(dict(enumerate(shape for _, shape in inputs.values())))
        precision = "bf16" if self._bfloat16 else "f32"
        settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self._compiled: Any = openvino.Core().compile_model(model, "CPU", settings)
        self._one_at_a_time = threading.Lock()  # a call leaves its answer where the next one puts its own

    def answer(self, evidence: Tensor, scalars: Tensor, memory: MemorySlice) -> Tensor:
        check_not_forked()
        given = (evidence, scalars, memory.keys.float(), memory.values.float())
        with self._one_at_a_time:
            found = self._compiled([tensor.contiguous().numpy() for tensor in given])[0]
            return torch.from_numpy(found.copy())


class Answering(nn.Module):
    """Tensors alone in and out, for what takes nothing else: see :meth:`Runner.answer`."""

    def __init__(self, network: FastNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, evidence: Tensor, scalars: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Probabilities (B, S, S)."""
        return _probabilities(*self.network(evidence, scalars, MemorySlice(keys, values)))


def _probabilities(logits: Tensor, presence: Tensor) -> Tensor:
    return logits.squeeze(1).sigmoid() * (presence > 0)[:, None, None]
