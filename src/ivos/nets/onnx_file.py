"""A network as an ONNX file: written, run beside PyTorch, and kept only where both say the same."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ivos.errors import InputError, first_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

OPSET = 17
TOLERANCE = 1e-4
"""By how much an ONNX file may differ from PyTorch, as a share of the largest value of an output."""

Shape = tuple[int | str, ...]
"""Sides of a tensor; those with a name may be of any size."""


@dataclass(frozen=True)
class Graph:
    """What goes into one ONNX file.

    Attributes:
        name: the file's, without its suffix.
        network: tensors in, a tensor or a tuple of them out; ready for inference.
        inputs: by name, in order.
        outputs: by name, in order.
        sizes: of the named sides, several times over: the first is what the file is made from, all are compared.
    """

    name: str
    network: nn.Module
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    sizes: Sequence[Mapping[str, int]]


@dataclass(frozen=True)
class Tensors:
    """An input or output of a file.

    Attributes:
        name: its name.
        shape: its sides.
        type: of its elements.
    """

    name: str
    shape: Shape
    type: str


@dataclass(frozen=True)
class OnnxFile:
    """What has been written.

    Attributes:
        file: its name.
        inputs: in order; one that the network makes nothing of is not among them.
        outputs: in order.
        largest_difference: between ONNX Runtime and PyTorch, as a share of the largest value.
    """

    file: str
    inputs: tuple[Tensors, ...]
    outputs: tuple[Tensors, ...]
    largest_difference: float


def write_onnx(graph: Graph, folder: Path) -> OnnxFile:
    """Write a network and compare it with what PyTorch computes, on random input of all sizes.

    Raises:
        InputError: ONNX Runtime is not installed, cannot run the file, or says something else than PyTorch.
    """
    runtime = _runtime()
    path = folder / f"{graph.name}.onnx"
    _export(graph, path)
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is in its exceptions
    try:
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        difference = max(_difference(graph, session, number) for number in range(len(graph.sizes)))
    except Exception as error:  # it has exceptions of its own, one for each way to fail
        raise InputError(f"{graph.name}: cannot be exported: ONNX Runtime says: {first_line(error)}") from error
    if not difference <= TOLERANCE:  # NaN too
        raise InputError(
            f"{graph.name}: cannot be exported: ONNX Runtime and PyTorch differ by {difference:.1e} of the largest "
            f"value, more than {TOLERANCE:.0e}; use the weights with ivos itself"
        )
    inputs, outputs = (
        _tensors(session.get_inputs(), graph.inputs),
        _tensors(session.get_outputs(), graph.outputs),
    )
    return OnnxFile(path.name, inputs, outputs, difference)


def _runtime() -> Any:
    try:
        import onnx  # noqa: F401 - PyTorch's exporter asks for it at its end
        import onnxruntime
    except ModuleNotFoundError as error:
        raise InputError(f"exporting needs {error.name}: pip install 'ivos[export]'") from error
    return onnxruntime


def _export(graph: Graph, path: Path) -> None:
    """By tracing: the newer exporter takes minutes for these networks, and is no more exact where sizes may vary."""
    named = {**graph.inputs, **graph.outputs}
    axes = {name: {n: side for n, side in enumerate(shape) if isinstance(side, str)} for name, shape in named.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the newer one, and of sizes taken for constants: all are compared
        torch.onnx.export(
            graph.network,
            _example(graph, 0),
            path,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def _example(graph: Graph, number: int) -> tuple[Tensor, ...]:
    """Random input in [0, 1] of one of the sizes."""
    generator, sizes = torch.Generator().manual_seed(number), graph.sizes[number]
    shapes = ([side if isinstance(side, int) else sizes[side] for side in shape] for shape in graph.inputs.values())
    return tuple(torch.rand(shape, generator=generator) for shape in shapes)


@torch.inference_mode()
def _difference(graph: Graph, session: Any, number: int) -> float:
    given = _example(graph, number)
    answered = graph.network(*given)
    wanted = [answer.numpy() for answer in (answered if isinstance(answered, tuple) else (answered,))]
    taken = {tensor.name for tensor in session.get_inputs()}
    found = session.run(None, {n: x.numpy() for n, x in zip(graph.inputs, given, strict=True) if n in taken})
    return max(_share(want, got) for want, got in zip(wanted, found, strict=True))


def _share(wanted: Any, found: Any) -> float:
    """The largest difference as a share of the largest value."""
    if wanted.shape != found.shape:
        return float("inf")
    return float(np.abs(wanted - found).max() / max(np.abs(wanted).max(), np.finfo(np.float32).tiny))


def _tensors(tensors: Any, shapes: Mapping[str, Shape]) -> tuple[Tensors, ...]:
    return tuple(Tensors(one.name, shapes[one.name], one.type) for one in tensors)
