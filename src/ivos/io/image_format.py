"""What an image format can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.types import Array
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class ImageFormat:
    """A reader and a writer, and the suffixes that name them.

    Attributes:
        suffixes: of files that are read, in lower case, with their dots.
        read: gives the volume, and by what its scaled values grow where the stored integer grows by 1, else 0; it
            raises :class:`~ivos.errors.InputError` for a file that is damaged or no volume.
        write: writes voxels (Z, Y, X), in the order of the volume's source grid and in the type to be stored, for a
            volume, whose grid and names it takes; None for a format that is only read.
        writable: suffixes of files that are written.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Path], tuple[Volume, float]]
    write: Callable[[Path, Array, Volume], None] | None = None
    writable: tuple[str, ...] = ()
