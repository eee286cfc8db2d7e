"""One reference network, or several that answer together, over the slices of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ivos.device import check_not_forked, pick_device
from ivos.errors import InputError
from ivos.nets.loaded import LOADED
from ivos.nets.reference import logits_of
from ivos.nets.reference_file import load_reference
from ivos.segmentation.slices import at_size, relative_position, with_neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor, nn

    from ivos.device import DeviceChoice
    from ivos.nets.reference_file import ReferenceInfo
    from ivos.segmentation.settings import Combination
    from ivos.types import FloatArray

_AT_ONCE = 8


@dataclass(frozen=True)
class ReferenceNetwork:
    """A network and what it was trained for."""

    network: nn.Module
    info: ReferenceInfo


@dataclass(frozen=True)
class ReferenceNetworks:
    """Networks for the same structures.

    Attributes:
        members: one or several.
        device: where they run.
        combination: what several say together.
        mirrored: whether slices are also seen mirrored sideways, and both answers averaged.
    """

    members: tuple[ReferenceNetwork, ...]
    device: torch.device
    combination: Combination = "mean"
    mirrored: bool = False

    @property
    def structures(self) -> tuple[int, ...]:
        """Label ids; class ``k + 1`` is the k-th of them."""
        return self.members[0].info.structures

    @property
    def names(self) -> dict[int, str]:
        """Of label ids."""
        return self.members[0].info.names

    def probabilities(
        self, windows: Callable[[int], FloatArray], numbers: Sequence[int], count: int
    ) -> Iterator[FloatArray]:
        """Probabilities (K + 1, H, W) of background and structures on slices of a scan, in order.

        Args:
            windows: gives a slice's windows (3, H, W) by its number.
            numbers: of the slices.
            count: of slices in the scan.
        """
        for answers in self.answers(windows, numbers, count):
            yield self.combined(answers)

    def answers(
        self, windows: Callable[[int], FloatArray], numbers: Sequence[int], count: int
    ) -> Iterator[list[FloatArray]]:
        """The same of every network that is asked, one by one."""
        check_not_forked()
        for first in range(0, len(numbers), _AT_ONCE):
            yield from self._of_batch(windows, numbers[first : first + _AT_ONCE], count)

    def combined(self, answers: Sequence[FloatArray]) -> FloatArray:
        """What networks say together, from the probabilities (K + 1, H, W) of each."""
        if self.combination == "max":
            largest = np.max(answers, axis=0)
            return np.asarray(largest / largest.sum(axis=0), np.float32)
        return np.asarray(np.mean(answers, axis=0), np.float32)

    @torch.inference_mode()
    def _of_batch(
        self, windows: Callable[[int], FloatArray], numbers: Sequence[int], count: int
    ) -> Iterator[list[FloatArray]]:
        shape = windows(numbers[0]).shape[1:]
        answers = [self._logits(member, windows, numbers, count) for member in self._asked]
        for of_slice in zip(*answers, strict=True):  # at full size one slice at a time: K + 1 planes for each network
            yield [_at_full_size(views, shape).cpu().numpy() for views in of_slice]

    @property
    def _asked(self) -> tuple[ReferenceNetwork, ...]:
        if self.combination == "first":
            return self.members[:1]
        return self.members[1:2] if self.combination == "second" else self.members

    def _logits(
        self, member: ReferenceNetwork, windows: Callable[[int], FloatArray], numbers: Sequence[int], count: int
    ) -> Tensor:
        """Logits (N, views, K + 1, h, w) of N slices at the network's size, in one or both ways of seeing them."""
        info, network = member.info, member.network
        seen = [at_size(with_neighbours(windows, n, count, info.neighbours), info.size) for n in numbers]
        images = torch.from_numpy(np.stack(seen)).to(self.device)
        places = torch.tensor([relative_position(n, count) for n in numbers], device=self.device)
        views = [logits_of(network, images, places)]
        if self.mirrored:
            views.append(logits_of(network, images.flip(-1), places).flip(-1))
        return torch.stack(views, 1)


def _at_full_size(logits: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Probabilities (K + 1, H, W) from logits (views, K + 1, h, w)."""
    logits = logits.float()  # a training's validation computes in bfloat16
    return F.interpolate(logits, size=shape, mode="bilinear", align_corners=False).softmax(1).mean(0)


def load_reference_networks(
    *paths: str | Path,
    combination: Combination = "mean",
    mirrored: bool = False,
    device: DeviceChoice = "auto",
) -> ReferenceNetworks:
    """Networks from files that ``ivos train reference`` or ``ivos weights import`` wrote; each loaded once a process.

    Args:
        paths: one file for each network.
        combination: what several networks say together.
        mirrored: whether slices are also seen mirrored sideways.
        device: where they run.

    Raises:
        InputError: a file is not there or not of that kind; the networks are not for the same structures; the
            combination asks for a network that is not given; the device is not there.
    """
    chosen = pick_device(device)
    if len(paths) < 2 and combination == "second":
        raise InputError("'second' asks for the second of two reference networks: add another --reference")
    members = tuple(_load_network(Path(path), chosen) for path in paths)
    for path, member in zip(paths, members, strict=True):
        if member.info.structures != members[0].info.structures:
            raise InputError(
                f"{path}: its structures are {_listed(member.info)}, those of {paths[0]} {_listed(members[0].info)}; "
                "give networks for the same ones"
            )
    return ReferenceNetworks(members, chosen, combination, mirrored)


def _load_network(path: Path, device: torch.device) -> ReferenceNetwork:
    def made() -> ReferenceNetwork:
        network, info = load_reference(path)
        return ReferenceNetwork(network.to(device), info)

    return LOADED.get("reference", path, device, made)


def _listed(info: ReferenceInfo) -> str:
    return ", ".join(str(label) for label in info.structures)
