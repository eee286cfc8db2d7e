"""Label volumes on a scan's own grid, from files and into them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ivos.annotate.server.uploads import kept_if_harmless
from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.io.nifti import SUFFIXES, write_nifti
from ivos.io.read import read_labels
from ivos.io.sitk import image_of
from ivos.volume.labels import structures_in
from ivos.volume.volume import Volume, on_grid_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ivos.annotate.monailabel.form import SentFile
    from ivos.annotate.monailabel.messages import Parameters, Segment
    from ivos.types import Array

_LABELS = (".nii", ".nii.gz", ".nrrd", ".bin")
_BARE = np.dtype("<u2")  # of OHIF's .bin: voxels alone, x fastest


def labels_in(sent: SentFile, scan: Volume, segments: Sequence[Segment]) -> tuple[Volume, dict[str, int]]:
    """A label volume, and the numbers that its segments have in it.

    Args:
        sent: the file.
        scan: that it is of.
        segments: what the plug-in says of it; names in the file go before it if all of them are there.

    Raises:
        InputError: it cannot be read, is on another grid, or names no segments.
    """
    if suffix_of(sent.path) not in _LABELS:
        raise InputError(f"{sent.name}: not a label volume: send {', '.join(_LABELS)}")
    bare = suffix_of(sent.path) == ".bin"
    labels = on_grid_of(_bare(sent, scan) if bare else _read(sent), scan, sent.name)
    stated = {segment.name: segment.number for segment in segments}
    in_file = {name: number for number, name in labels.names.items() if name.strip() and number > 0}
    if not stated and not in_file:
        raise InputError(f"{sent.name}: neither the request nor the file says which segments it holds (label_info)")
    meant = [in_file] if set(stated) <= set(in_file) else [stated, _in_order(stated)]
    return labels, _fitting(meant, structures_in(labels.array, labels.names), sent.name)


def _in_order(stated: Mapping[str, int]) -> dict[str, int]:
    """Segments numbered from 1 on, in the order of their numbers.

    The plug-in for Slicer leaves its layers of scribbles out of a file that it saves, and numbers the others so in it,
    but counts those layers where it states the numbers.
    """
    return {name: n for n, name in enumerate(sorted(stated, key=lambda name: stated[name]), 1)}


def _fitting(meant: Sequence[dict[str, int]], present: Sequence[int], name: str) -> dict[str, int]:
    """The numbers of segments that fit the labels in a file.

    Raises:
        InputError: none do, or several that differ.
    """
    fitting = [numbers for numbers in meant if set(present) <= set(numbers.values())]
    if not fitting:
        named = sorted(meant[0].values())
        raise InputError(
            f"{name}: holds labels {list(present)[:20]}, but {named[:20]} are named; name all (label_info)"
        )
    if present and any(numbers != fitting[0] for numbers in fitting):
        raise InputError(f"{name}: which label is which segment? remove the segments of scribbles, and save it again")
    return fitting[0]


def _read(sent: SentFile) -> Volume:
    with kept_if_harmless(sent.path, sent.name):
        return read_labels(sent.path)


def _bare(sent: SentFile, scan: Volume) -> Volume:
    shape = scan.source.shape
    size, needed = sent.path.stat().st_size, math.prod(shape) * _BARE.itemsize
    if size != needed:
        raise InputError(f"{sent.name}: {size:,} bytes; 16 bits for each of the scan's voxels take {needed:,}")
    return Volume.from_array(np.fromfile(sent.path, _BARE).reshape(shape), scan.source)


def write_result(path: Path, labels: Volume, asked: Parameters) -> None:
    """Write labels on the scan's own grid, in the type that is asked for.

    Args:
        path: of the file, with the ending that is asked for.
        labels: ids up to 255.
        asked: the type, and whether voxels are to be packed.
    """
    array = labels.source_array().astype(asked.result_dtype)
    if suffix_of(path) in SUFFIXES:
        write_nifti(path, array, labels.source, forms=labels.nifti)
        return
    import SimpleITK as sitk

    image = image_of(array, labels.source)
    sitk.WriteImage(image, str(path), useCompression=asked.result_compress)


def names_in(labels: Array, ids: Mapping[str, int]) -> dict[str, int]:
    """The structures that label ids speak of, by ascending id.

    Those alone: plug-ins take the first label that they find for the first name, and so on.
    """
    there = structures_in(labels)
    return {name: number for name, number in sorted(ids.items(), key=lambda pair: pair[1]) if number in there}
