"""A threshold and a temperature for the small network, fitted after its training and kept with its weights."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_KEY = "calibration"  # in a safetensors file's metadata
_DISTANCE = 0  # the scalar that says how far the annotated slice is: log(1 + slices) / 3


@dataclass(frozen=True)
class Calibration:
    """What is subtracted from the network's logits at every step, and the temperature of its confidence.

    Attributes:
        shift: subtracted everywhere: the larger it is, the more evidence a pixel needs to belong to the structure.
        shift_with_distance: subtracted, multiplied by the square of the distance's scalar, log(1 + slices) / 3: hardly
            anything beside an annotated slice, all of it 19 slices away.
        temperature: what logits are divided by for a confidence, above 1 where the network is too sure; the masks that
            are fed forward stay as sharp as it learned them.
    """

    shift: float = 0.0
    shift_with_distance: float = 0.0
    temperature: float = 1.0

    def __call__(self, logits: Tensor, scalars: Tensor) -> Tensor:
        """Logits (B, 1, S, S) with the shift subtracted.

        Args:
            logits: of the network.
            scalars: (B, 6) in the order of :data:`ivos.nets.fast.SCALARS`.
        """
        if self.shift == self.shift_with_distance == 0:
            return logits
        shift = self.shift + self.shift_with_distance * scalars[:, _DISTANCE, None, None, None] ** 2
        return logits - shift

    def metadata(self) -> dict[str, str]:
        """As the metadata of a safetensors file."""
        return {} if self == Calibration() else {_KEY: json.dumps(asdict(self))}

    @staticmethod
    def of_metadata(metadata: Mapping[str, str], path: Path) -> Calibration:
        """From the metadata of a file; no shift and a temperature of 1 where it has none.

        Raises:
            InputError: its entry is not a calibration.
        """
        text = metadata.get(_KEY)
        if text is None:
            return Calibration()
        try:
            found = Calibration(**json.loads(text))
            values = [float(value) for value in asdict(found).values()]
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: its calibration cannot be read ({text[:60]}); fit it again") from error
        if not all(math.isfinite(value) for value in values) or found.temperature <= 0:
            raise InputError(f"{path}: its calibration is not possible ({text[:60]}); fit it again")
        return found


def calibration_of(path: Path) -> Calibration:
    """The calibration kept with the weights of a file; no shift and a temperature of 1 where there is none.

    Raises:
        InputError: not a whole safetensors file, or a calibration that is not possible.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        return Calibration()
    try:
        with safe_open(path, "pt") as file:
            return Calibration.of_metadata(file.metadata() or {}, path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a whole safetensors file; download it again") from error
