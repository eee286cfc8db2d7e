"""The training store: one compressed, memory-mapped file per scan, one chunk per slice.

Slices are read in any order and from any process; the intensities and labels of one lie together.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError
from ivos.files import replacing
from ivos.volume.geometry import Geometry
from ivos.volume.labels import ignored_in, structures_in
from ivos.volume.volume import Volume
from ivos.volume.windows import CT_WINDOWS_HU, Windows, channels, windows_for

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

SUFFIX = ".b2nd"
_LIMIT = 32_000  # of a stored intensity; beyond it is metal or padding
_META = "ivos-2"  # the first form of the store had no name for what is ignored: its scans are prepared again

UNKNOWN = -1
"""Label in the store of voxels of which nothing is said: no structure has it."""


class ScanInfo(BaseModel):
    """What is known of a stored scan without reading its voxels.

    Attributes:
        case: its name.
        modality: ``"CT"``, ``"MR"``, ... where the file says so.
        shape: voxels (Z, Y, X) in canonical orientation.
        spacing_mm: (z, y, x).
        origin_mm: LPS point of the first voxel.
        axes: LPS unit vectors of the three array axes.
        windows: in stored intensities, those of the three channels.
        volumes_ml: volume of each labelled structure; None for an unlabelled scan.
        ignored_ml: volume of which the labels say nothing.
        runs: for each structure, first and last slice of every run of slices that show it.
        fingerprint: of the files that it was made from.
        digest: of the intensities as networks see them, and of the grid; None in stores of earlier versions.
        labels_digest: of the labels; None without any.
    """

    model_config = ConfigDict(frozen=True)

    case: str
    modality: str | None
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    windows: Windows
    volumes_ml: dict[int, float] | None
    ignored_ml: float = 0.0
    runs: dict[int, tuple[tuple[int, int], ...]]
    fingerprint: str
    digest: str | None = None
    labels_digest: str | None = None

    def showing(self, label: int) -> list[int]:
        """The slices that show a structure."""
        return [n for first, last in self.runs.get(label, ()) for n in range(first, last + 1)]

    @property
    def seen_as(self) -> Literal["ct", "mr"]:
        """Whose windows show it."""
        return "ct" if self.windows == CT_WINDOWS_HU else "mr"

    @property
    def labelled(self) -> bool:
        """Whether there are labels."""
        return self.volumes_ml is not None


class StoredScan:
    """A scan in the store; opening it reads no voxels.

    Args:
        path: its file.

    Raises:
        InputError: no such file, or not one of the store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise InputError(f"{path}: no such file; run ivos prepare again")
        try:
            array = self._array
            self.info = ScanInfo.model_validate_json(array.schunk.vlmeta[_META])
        except (RuntimeError, KeyError, ValidationError, AttributeError) as error:
            raise InputError(f"{path}: not a stored scan, or damaged; run ivos prepare again") from error

    def __len__(self) -> int:
        return self.info.shape[0]

    def __reduce__(self) -> tuple[type[StoredScan], tuple[Path]]:
        return StoredScan, (self._path,)  # another process opens the file for itself

    @property
    def _array(self) -> Any:
        """Opened for each use, which takes a tenth of a millisecond: thousands of scans are more than can stay open."""
        import blosc2

        return blosc2.open(str(self._path), mmap_mode="r", dparams={"nthreads": 1})

    def slice(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int16] | None]:
        """A slice as networks see it, (C, H, W) in [0, 1], and its labels (H, W) if there are any.

        Labels are :data:`UNKNOWN` where they say nothing.
        """
        voxels = self._array[index]
        return channels(voxels[0], self.info.windows), voxels[1] if self.info.labelled else None

    @cached_property
    def geometry(self) -> Geometry:
        """The grid, in canonical orientation."""
        return Geometry(self.info.shape, self.info.spacing_mm, self.info.origin_mm, self.info.axes)

    def scan(self) -> Volume:
        """The whole scan, in stored intensities, with a modality that gives it the windows it was stored with."""
        modality = self.info.modality or self.info.seen_as.upper()  # stored numbers no longer tell it
        return Volume.from_array(self._array[:, 0], self.geometry, modality=modality)

    def labels(self) -> Volume:
        """All labels of a labelled scan, :data:`UNKNOWN` where they say nothing."""
        return Volume.from_array(self._array[:, 1], self.geometry)


def store(path: Path, scan: Volume, labels: Volume | None, *, case: str, fingerprint: str) -> ScanInfo:
    """Write a scan and its labels into the store.

    CT keeps its HU, rounded; other intensities are scaled to whole numbers, with their windows.

    Args:
        path: the file.
        scan: the scan.
        labels: on its grid, with names if something in them is named "ignore"; None for an unlabelled scan.
        case: its name.
        fingerprint: of the files that they come from.

    Raises:
        InputError: the folder cannot be written to.
    """
    import blosc2

    array, windows = _whole_numbers(scan)
    grid = scan.geometry
    if labels is not None:
        labels = labels.with_array(np.where(ignored_in(labels), np.int16(UNKNOWN), labels.array.astype(np.int16)))
    volumes_ml = {} if labels is None else _volumes_ml(labels)
    ignored_ml = volumes_ml.pop(UNKNOWN, 0.0)
    parts = [array] if labels is None else [array, labels.array]
    info = ScanInfo(
        case=case,
        modality=scan.modality,
        shape=grid.shape,
        spacing_mm=grid.spacing_mm,
        origin_mm=grid.origin_mm,
        axes=grid.axes,
        windows=windows,
        volumes_ml=None if labels is None else volumes_ml,
        ignored_ml=ignored_ml,
        runs={} if labels is None else _runs(labels),
        fingerprint=fingerprint,
        digest=_digest(array, grid, windows),
        labels_digest=None if labels is None else _digest(parts[1]),
    )
    voxels = np.stack(parts, axis=1)  # (Z, 1 or 2, Y, X)
    settings = {"codec": blosc2.Codec.ZSTD, "clevel": 5, "filters": [blosc2.Filter.BITSHUFFLE], "nthreads": 1}
    with replacing(path) as temporary:
        made = blosc2.asarray(voxels, urlpath=str(temporary), mode="w", chunks=(1, *voxels.shape[1:]), cparams=settings)
        made.schunk.vlmeta[_META] = info.model_dump_json()
        del made
    return info


def _whole_numbers(scan: Volume) -> tuple[npt.NDArray[np.int16], Windows]:
    windows, array = windows_for(scan), scan.array
    whole = np.issubdtype(array.dtype, np.integer) and array.min() >= -_LIMIT and array.max() <= _LIMIT
    if windows == CT_WINDOWS_HU or whole:
        return np.clip(np.rint(array), -_LIMIT, _LIMIT).astype(np.int16), windows
    low, high = float(array.min()), float(array.max())
    step = (high - low) / (2 * _LIMIT) or 1.0

    def scaled(values: Any) -> Any:
        return (values - low) / step - _LIMIT

    first, second, third = ((scaled(bottom), scaled(top)) for bottom, top in windows)
    return np.rint(scaled(array.astype(np.float64))).astype(np.int16), (first, second, third)


def _digest(array: npt.NDArray[np.int16], *beside: object) -> str:
    digest = hashlib.sha256(repr((array.shape, *beside)).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _volumes_ml(labels: Volume) -> dict[int, float]:
    ids, counts = np.unique(labels.array, return_counts=True)
    voxel_ml = labels.geometry.voxel_volume_ml
    return {int(label): round(int(n) * voxel_ml, 4) for label, n in zip(ids, counts, strict=True) if label}


def _runs(labels: Volume) -> dict[int, tuple[tuple[int, int], ...]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for number, plane in enumerate(labels.array):
        for label in structures_in(plane):
            runs = found.setdefault(label, [])
            if runs and runs[-1][1] == number - 1:
                runs[-1] = (runs[-1][0], number)
            else:
                runs.append((number, number))
    return {label: tuple(runs) for label, runs in found.items()}
