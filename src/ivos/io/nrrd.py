"""NRRD files: voxels and grid, of which every stream is checked to its end."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.io.file_grid import grid_of_header
from ivos.io.image_format import ImageFormat
from ivos.io.nrrd_header import NrrdHeader, read_nrrd_header
from ivos.io.sitk import write_image
from ivos.io.voxel_stream import read_voxels
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ivos.types import Array
    from ivos.volume.geometry import Geometry

_log = logging.getLogger(__name__)

NRRD_SUFFIXES = (".nrrd", ".nhdr")

_TO_LPS = {  # what x and y are multiplied by
    "right-anterior-superior": (-1, -1),
    "ras": (-1, -1),
    "left-anterior-superior": (1, -1),
    "las": (1, -1),
    "left-posterior-superior": (1, 1),
    "lps": (1, 1),
    "scanner-xyz": (1, 1),
    "3d-right-handed": (1, 1),
    "3d-left-handed": (1, 1),
}
_TIMED = {"rast": "ras", "last": "las", "lpst": "lps"}
_ALONG_SPACE = ("domain", "space", "time", "???", "none", "")  # kinds of axes along which voxels lie
_UNITS_MM = {
    "nm": 1e-6,
    "um": 1e-3,
    "µm": 1e-3,
    "μm": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "micrometers": 1e-3,
    "cm": 10.0,
    "m": 1000.0,
}


def read_nrrd(path: Path) -> tuple[Array, Geometry]:
    """Read one volume.

    Returns:
        Voxels (Z, Y, X) as the file orders them, and their grid.

    Raises:
        InputError: not NRRD, damaged, truncated, or not one volume of one number per voxel.
    """
    header = read_nrrd_header(path)
    axes, beside = _axes(header)
    count = math.prod(header.sizes[n] for n in beside)
    if count > 1:
        raise InputError(f"{path}: {_why_not_one(header, beside, count)}")
    return read_layers(header)[0][0], _grid(header, axes)


def read_layers(header: NrrdHeader, *, thin: bool = False) -> tuple[Array, Geometry]:
    """Read the volumes (layer, Z, Y, X) that lie beside one another on one grid.

    Args:
        header: of the file.
        thin: whether a single slice is a volume, too.

    Raises:
        InputError: damaged, truncated, or no grid of three axes.
    """
    axes, beside = _axes(header, thin=thin)
    grid, sizes = _grid(header, axes), header.sizes
    flat = read_voxels(header.path, header.parts, header.encoding, header.dtype, math.prod(sizes))
    slowest_first = [len(sizes) - 1 - n for n in (*beside, *reversed(axes))]
    return flat.reshape(sizes[::-1]).transpose(slowest_first).reshape(-1, *grid.shape), grid


def _axes(header: NrrdHeader, *, thin: bool = False) -> tuple[list[int], list[int]]:
    """The three axes along which voxels lie, the fastest first, and the others."""
    sizes = header.sizes
    along = _spatial_axes(header)
    while len(along) > 3 and sizes[along[-1]] == 1:  # a single time point
        along.pop()
    long = [n for n in along if sizes[n] > 1]
    shown = " x ".join(map(str, sizes))
    if len(along) < 3 or (len(along) == 3 and len(long) < 3 and not thin):
        raise InputError(f"{header.path}: two-dimensional ({shown} pixels); ivos needs a volume of several slices")
    if len(along) > 3:
        raise InputError(f"{header.path}: {_many_dimensional(header)}")
    return along, [n for n in range(len(sizes)) if n not in along]


def _spatial_axes(header: NrrdHeader) -> list[int]:
    if "spacedirections" in header.fields:
        vectors = header.vectors("spacedirections")
        if len(vectors) != len(header.sizes):
            raise header.damaged("spacedirections")
        return [n for n, vector in enumerate(vectors) if vector is not None and any(vector[:3])]
    kinds = header.words("kinds") or [""] * len(header.sizes)
    if len(kinds) != len(header.sizes):
        raise header.damaged("kinds")
    return [n for n, kind in enumerate(kinds) if kind.lower() in _ALONG_SPACE]


def _why_not_one(header: NrrdHeader, beside: Sequence[int], count: int) -> str:
    kinds = header.words("kinds")
    kind = kinds[beside[0]].lower() if len(kinds) == len(header.sizes) else ""
    if kind == "complex":
        return "complex numbers; give their magnitude"
    if kind in ("time", "domain", "space"):
        return _many_dimensional(header)
    if any(key.startswith("Segment0_") for key in header.keys):
        return f"a segmentation in {count} layers, whose segments may overlap: labels, and no scan"
    return f"{count} values per voxel (colour?); ivos needs one"


def _many_dimensional(header: NrrdHeader) -> str:
    sizes = header.sizes
    return f"{len(sizes)}-dimensional ({' x '.join(map(str, sizes))}); give one volume: split the series first"


def _grid(header: NrrdHeader, axes: Sequence[int]) -> Geometry:
    vectors = _vectors_mm(header, axes)
    with np.errstate(over="ignore"):  # an endless length is refused with the grid
        lengths = np.linalg.norm(vectors, axis=1)
    signs = np.array([*_signs(header), 1])
    spacings = [float(v) for v in lengths]
    if "spacedirections" not in header.fields:
        spacings = [float(v) for v in np.diagonal(vectors)]  # with their signs, which are refused by name
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        directions = vectors / lengths[:, None] * signs
    origin = [float(v) for v in _origin_mm(header, axes) * signs]
    return grid_of_header(header.path, [header.sizes[n] for n in axes], spacings, np.nan_to_num(directions), origin)


def _vectors_mm(header: NrrdHeader, axes: Sequence[int]) -> npt.NDArray[np.float64]:
    """The steps along the three axes (rows), in the file's own space."""
    if "spacedirections" in header.fields:
        vectors = header.vectors("spacedirections")
        found = [vectors[n] or [] for n in axes]
        if any(len(vector) < 3 for vector in found):
            raise header.damaged("spacedirections")
        rows = np.array([vector[:3] for vector in found], float)
        return rows * _millimetres(header, header.words("spaceunits"))
    spacings = header.numbers("spacings") if "spacings" in header.fields else []
    if not spacings:
        _log.warning("%s: says nothing of its spacing; 1 mm is assumed", header.path)
        spacings = [1.0] * len(header.sizes)
    if len(spacings) != len(header.sizes):
        raise header.damaged("spacings")
    chosen = np.array([spacings[n] for n in axes])
    if np.isnan(chosen).all():
        chosen[:] = 1.0
    units = header.words("units")
    return np.diag(chosen * _millimetres(header, [units[n] for n in axes] if len(units) == len(header.sizes) else []))


def _origin_mm(header: NrrdHeader, axes: Sequence[int]) -> npt.NDArray[np.float64]:
    if "spaceorigin" in header.fields:
        origin = header.vectors("spaceorigin")[0]
        if origin is None or len(origin) < 3:
            raise header.damaged("spaceorigin")
        return np.array(origin[:3]) * _millimetres(header, header.words("spaceunits"))
    if "spacedirections" in header.fields or not {"axismins", "spacings"} <= set(header.fields):
        return np.zeros(3)
    least = header.numbers("axismins")
    if len(least) != len(header.sizes):
        raise header.damaged("axismins")
    centers = header.words("centers") or header.words("centerings")
    steps = np.diagonal(_vectors_mm(header, axes))
    # Of a cell its edge stands there, of a node the point itself; ITK takes cells for granted, too.
    halves = [0.0 if len(centers) == len(least) and centers[n].lower() == "node" else 0.5 for n in axes]
    return np.array([least[n] for n in axes]) + halves * steps


def _signs(header: NrrdHeader) -> tuple[int, int]:
    if "space" not in header.fields:
        return 1, 1
    name = header.fields["space"].lower()
    name = _TIMED.get(name, name.removesuffix("-time"))
    if name not in _TO_LPS:
        raise header.damaged("space")
    return _TO_LPS[name]


def _millimetres(header: NrrdHeader, units: Sequence[str]) -> npt.NDArray[np.float64]:
    """How long the units of three axes are."""
    scale = np.ones(3)
    for n, unit in enumerate(units[:3]):
        scale[n] = _UNITS_MM.get(unit.strip().lower(), 1.0)
    if units and len(units) < 3:
        raise header.damaged("spaceunits")
    return scale


def _read(path: Path) -> tuple[Volume, float]:
    return Volume.from_array(*read_nrrd(path), what=str(path)), 0.0


def _write(path: Path, array: Array, volume: Volume) -> None:
    """Write a volume, with label names the way 3D Slicer reads them."""
    fields = {}
    for number, (label, name) in enumerate(sorted(volume.names.items())):
        fields[f"Segment{number}_ID"] = f"Segment_{label}"
        fields[f"Segment{number}_LabelValue"] = str(label)
        fields[f"Segment{number}_Layer"] = "0"
        fields[f"Segment{number}_Name"] = name
    write_image(path, array, volume.source, fields)


FORMAT = ImageFormat(NRRD_SUFFIXES, _read, _write, (".nrrd",))
