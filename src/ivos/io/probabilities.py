"""Probabilities of a case in files: ``FOLDER/probabilities/CASE/3_spleen.nii.gz``, one for each structure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.files import entries_of, replacing_folder
from ivos.io.read import read
from ivos.io.write import write_volume
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ivos.types import Array
    from ivos.volume.volume import Volume

PROBABILITIES = "probabilities"
"""The folder of them, beside the labels."""

_FILE_NAME = re.compile(r"(\d+)(?:_.*)?\.nii\.gz")
_NAME_LIMIT = 40  # characters: file systems take 255 bytes


def write_probabilities(folder: Path, case: str, scan: Volume, probabilities: Iterable[tuple[int, str, Array]]) -> None:
    """Write the probabilities of a case, instead of those that are there; all of them or none.

    Args:
        folder: the folder with the labels.
        case: the case's name.
        scan: the grid, and the file's own grid that they go back to.
        probabilities: label id, name, and probability (Z, Y, X) of each structure as uint8, 255 for 1. They are taken
            one after the other.

    Raises:
        InputError: the folder cannot be written to.
    """
    with replacing_folder(folder / PROBABILITIES / case) as temporary:
        for label, name, array in probabilities:
            if array.dtype != np.uint8:
                raise ValueError(f"probabilities of label {label} as {array.dtype}: uint8 is wanted")
            write_volume(temporary / _file_name(label, name), scan.with_array(array))


def read_probabilities(folder: Path, case: str) -> dict[int, Path]:
    """The files with the probabilities of a case, by ascending label id; other files are passed over.

    Raises:
        InputError: there are none, or two for one label.
    """
    place = folder / PROBABILITIES / case
    found: dict[int, Path] = {}
    for path in entries_of(place) if place.is_dir() else ():
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            continue
        label = int(match[1])
        if label in found:
            raise InputError(f"{path}: probabilities of label {label} are there twice, as {found[label].name} too")
        found[label] = path
    if not found:
        raise InputError(f"{place}: no probabilities; 'ivos segment --probabilities all' writes them")
    return dict(sorted(found.items()))


def read_probability(path: Path, labels: Volume) -> Array:
    """The probability (Z, Y, X) of one structure in the orientation of ``labels``: uint8, 255 for 1.

    Raises:
        InputError: what :func:`ivos.io.read.read` refuses, another type of voxel, or not the grid of the labels.
    """
    volume = read(path)
    if volume.array.dtype != np.uint8:
        raise InputError(f"{path}: voxels are {volume.array.dtype}; probabilities are stored as uint8, 255 for 1")
    return on_grid_of(volume, labels, str(path)).array


def _file_name(label: int, name: str) -> str:
    """``3_spleen.nii.gz``; what a file's name may not hold, or a shell would take for something else, is left out."""
    safe = re.sub(r"[^\w-]+", "_", name).strip("_")[:_NAME_LIMIT]
    return f"{label}_{safe or 'structure'}.nii.gz"
