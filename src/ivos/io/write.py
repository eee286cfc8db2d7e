"""Volumes into files, in the grid of the file that they came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.files import replacing, suffix_of
from ivos.io.registry import WRITERS
from ivos.volume.checks import check_volume

if TYPE_CHECKING:
    from ivos.types import Array
    from ivos.volume.volume import Volume


def check_writable(path: Path) -> None:
    """Refuse a path that :func:`write_volume` could not write, before the work is done.

    Raises:
        InputError: unknown format, or the path is a folder.
    """
    if suffix_of(path) not in WRITERS:
        raise InputError(f"{path}: cannot write '{suffix_of(path)}' files; name it {', '.join(WRITERS)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")


def write_volume(path: str | Path, volume: Volume) -> None:
    """Write a scan or labels in the size, spacing, origin and direction of ``volume.source``.

    The file appears whole or not at all. A NIfTI file carries sform, qform, codes and unit of the NIfTI file that the
    volume came from, so that every program puts it where it puts that one.

    Args:
        path: .nii, .nii.gz, .nrrd or .mha.
        volume: integer labels are stored in the smallest unsigned type that holds them.

    Raises:
        InputError: unknown format, a folder that cannot be written to, or voxels that are NaN or infinite.
    """
    path = Path(path)
    check_writable(path)
    check_volume(volume, str(path))
    write, array = WRITERS[suffix_of(path)], _compact(volume.source_array())
    with replacing(path) as temporary:
        try:
            write(temporary, array, volume)
        except OSError as error:
            raise InputError(f"{path}: could not be written: {error.strerror or error}") from error


def _compact(array: Array) -> Array:
    """Labels in the smallest unsigned type; intensities as they are, in a type and byte order that files have."""
    if array.dtype.kind == "u":
        return array.astype(np.min_scalar_type(int(array.max(initial=0))))
    replaced = {"bool": "uint8", "float16": "float32"}.get(array.dtype.name, array.dtype.newbyteorder("="))
    return array.astype(replaced, copy=False)
