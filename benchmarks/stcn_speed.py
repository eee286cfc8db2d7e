"""The STCN engine beside the same network run structure by structure, as published: seconds a slice, same output.

python -m benchmarks.stcn_speed [--size 384] [--structures 13] [--annotated 4] [--slices 5]

All take turns on every slice, so that a busy machine slows each of them. Weights are random; the engine in float32
has to give what the plain run gives, within 1e-4.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer

from benchmarks.measure import markdown
from ivos.nets.stcn import STCN, KeyFeatures, ResBlock, aggregate
from ivos.propagation.engines.protocol import Slice
from ivos.propagation.engines.stcn import STCNEngine
from ivos.propagation.masks import Masks

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.nets.stcn import JoiningBlock, UpsampleBlock
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import BoolArray

_TOP_K, _MEMORY_EVERY = 20, 5
_TOLERANCE = 1e-4
_MEAN, _STD = (np.array(v, np.float32)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class PlainSTCN:
    """The published method to the letter: nothing is shared between calls of value encoder and decoder.

    The memory is read densely, by an affinity that is zero outside the top k. Slices have sides of a multiple of 16.

    Args:
        network: the network.
        at_once: structures in one call of value encoder and decoder.
    """

    fuses = False

    def __init__(self, network: STCN, *, at_once: int = 1) -> None:
        self._network, self._at_once = network, at_once
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._keys: list[Tensor] = []  # (64, P) each
        self._values: list[Tensor] = []  # (K, 512, P) each
        self._last_is_temporary = False
        self._last: tuple[int, Tensor, KeyFeatures, Tensor] | None = None

    @torch.inference_mode()
    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:  # noqa: ARG002
        """Remember an annotated slice."""
        pixels = _normalise(image)
        features = self._network.encode_key(pixels)
        self._remember(pixels, features, aggregate(torch.from_numpy(masks.dense()))[1:], temporary=False)

    @torch.inference_mode()
    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The structures on the next slice."""
        if self._last is not None:
            index, pixels, features, masks = self._last
            self._remember(pixels, features, masks, temporary=index % _MEMORY_EVERY != 0)
        pixels = _normalise(image)
        features = self._network.encode_key(pixels)
        affinity = self._affinity(features.key[0].flatten(1))  # (N, P)
        values = torch.cat(self._values, 2)  # (K, 512, N)
        parts = [self._decode(part @ affinity, features) for part in torch.split(values, self._at_once)]
        shares = aggregate(torch.cat(parts))
        self._last = (image.index, pixels, features, shares[1:])
        return Masks.of(shares[1:].numpy())

    def _remember(self, image: Tensor, features: KeyFeatures, masks: Tensor, *, temporary: bool) -> None:
        if self._last_is_temporary:
            self._keys.pop()
            self._values.pop()
        numbers = range(len(masks))
        others = torch.stack([sum((masks[m] for m in numbers if m != n), torch.zeros_like(masks[0])) for n in numbers])
        values = [
            self._encode(image, features.f16, *pair)
            for pair in zip(torch.split(masks, self._at_once), torch.split(others, self._at_once), strict=True)
        ]
        self._keys.append(features.key[0].flatten(1))
        self._values.append(torch.cat(values).flatten(2))
        self._last_is_temporary = temporary

    def _encode(self, image: Tensor, f16: Tensor, masks: Tensor, others: Tensor) -> Tensor:
        count, encoder = len(masks), self._network.value_encoder
        seen = torch.cat([image.repeat(count, 1, 1, 1), masks[:, None], others[:, None]], 1)  # (K, 5, H, W)
        value_f16, _, _ = encoder.resnet(seen)
        x = _block(encoder.fuser.block1, torch.cat([value_f16, f16.repeat(count, 1, 1, 1)], 1))
        if encoder.fuser.attention is not None:
            x = x + encoder.fuser.attention(x)
        return _block(encoder.fuser.block2, x)

    def _affinity(self, query: Tensor) -> Tensor:
        keys = torch.cat(self._keys, 1)  # (64, N)
        similarity = (2 * (keys.T @ query) - keys.square().sum(0)[:, None]) / math.sqrt(len(keys))
        best, where = similarity.topk(_TOP_K, dim=0)
        return torch.zeros_like(similarity).scatter_(0, where, best.softmax(0))

    def _decode(self, readout: Tensor, features: KeyFeatures) -> Tensor:
        count, decoder = len(readout), self._network.decoder
        height, width = features.key.shape[2:]
        maps = readout.reshape(count, -1, height, width)
        x = _block(decoder.compress, torch.cat([maps, features.content.repeat(count, 1, 1, 1)], 1))
        x = _up(decoder.up_8_4, features.f4, _up(decoder.up_16_8, features.f8, x))
        logits = F.interpolate(decoder.pred(F.relu(x)), scale_factor=4, mode="bilinear", align_corners=False)
        probabilities: Tensor = logits[:, 0].sigmoid()
        return probabilities


def _block(block: ResBlock | JoiningBlock, x: Tensor) -> Tensor:
    y: Tensor = block.conv2(F.relu(block.conv1(F.relu(x))))
    total: Tensor = y + block.downsample(x)
    return total


def _up(block: UpsampleBlock, skip: Tensor, x: Tensor) -> Tensor:
    larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return _block(block.out_conv, block.skip_conv(skip) + larger)


def _normalise(image: Slice) -> Tensor:
    return torch.from_numpy((image.image - _MEAN) / _STD)[None]


def random_network(seed: int = 0) -> STCN:
    """Weights that keep the size of what passes through, so that probabilities are neither all 0 nor all 1."""
    g = torch.Generator().manual_seed(seed)
    network = STCN().eval().requires_grad_(requires_grad=False)
    for name, value in network.state_dict().items():
        if value.dim() > 1:
            value.normal_(0, 1 / math.sqrt(value[0].numel()), generator=g)
        elif value.is_floating_point():
            centre = 1.0 if name.endswith(("weight", "running_var")) else 0.0
            value.copy_(centre + 0.1 * torch.randn(value.shape, generator=g).clamp(-3, 3))
    return network


def scene(slices: int, size: int, structures: int, seed: int = 0) -> tuple[list[Slice], Masks]:
    """Noise with brighter discs that stay where they are, and their masks."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    labels = np.zeros((size, size), np.uint8)
    for number in range(1, structures + 1):
        y, x = rng.random(2)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(0.08, 0.15) ** 2] = number
    masks = np.stack([labels == number for number in range(1, structures + 1)]).astype(np.float32)
    images = (0.25 * rng.random((slices, 3, size, size)) + 0.75 * labels / structures).astype(np.float32)
    return [Slice(n, image, (1.0, 1.0), ahead=image) for n, image in enumerate(images)], Masks.of(masks)


def main(
    size: Annotated[int, typer.Option(help="Rows and columns, a multiple of 16.")] = 384,
    structures: Annotated[int, typer.Option(help="Structures.")] = 13,
    annotated: Annotated[int, typer.Option(help="Slices in memory from the start.")] = 4,
    slices: Annotated[int, typer.Option(help="Slices to predict; the first is not timed.")] = 5,
) -> None:
    """Predict the same slices in every way, and print what each took."""
    network, device = random_network(), torch.device("cpu")
    settings = {"device": device, "memory_budget_bytes": 4 * 10**9, "top_k": _TOP_K, "memory_every": _MEMORY_EVERY}
    ways: dict[str, Engine] = {
        "structure by structure": PlainSTCN(network),
        "all structures in one batch": PlainSTCN(network, at_once=structures),
        "engine, float32": STCNEngine(network, **settings),  # type: ignore[arg-type]
        "engine, bfloat16": STCNEngine(network, bfloat16=True, **settings),  # type: ignore[arg-type]
    }
    images, masks = scene(annotated + slices, size, structures)
    seconds, furthest = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    for image in images:
        found: dict[str, Masks] = {}
        for name, way in ways.items():
            if image.index < annotated:
                way.observe(image, masks, np.ones(structures, np.bool_))
                continue
            started = time.perf_counter()
            found[name] = way.predict(image, None)
            seconds[name] += (time.perf_counter() - started) * (image.index > annotated)
        for name, predicted in found.items():
            difference = np.abs(predicted.dense() - found["structure by structure"].dense())
            furthest[name] = max(furthest[name], float(difference.max()))
    if furthest["engine, float32"] > _TOLERANCE:
        raise SystemExit(f"the engine differs by {furthest['engine, float32']:.1e} from the plain run")
    slowest = seconds["structure by structure"]
    rows = [
        [name, f"{taken / (slices - 1):.2f}", f"{slowest / taken:.1f}", f"{furthest[name]:.0e}"]
        for name, taken in seconds.items()
    ]
    print(f"{structures} structures, {size} x {size}, memory of {annotated + 1} to {annotated + 2} slices")
    print()
    print(markdown(["STCN", "seconds a slice", "times as fast", "largest difference"], rows))


if __name__ == "__main__":
    typer.run(main)
