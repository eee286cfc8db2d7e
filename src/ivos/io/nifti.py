"""NIfTI files, version 1 and 2, packed or not: voxels, their place, and the names of labels in a header extension."""

from __future__ import annotations

import gzip
import math
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.io.image_format import ImageFormat
from ivos.io.nifti_names import CODE, FLAG_BYTES, names_as_xml, names_in
from ivos.volume.nifti_forms import NiftiForms
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ivos.types import Array
    from ivos.volume.geometry import Geometry, Shape

SUFFIXES = (".nii", ".nii.gz")

_HEADER_BYTES = (348, 540)  # of version 1 and 2; a header begins with its own length
_LONGEST_AXIS = 32767  # that version 1 has room for
_LARGEST_GAP_BYTES = 1 << 26  # between header and voxels
_BLOCK_BYTES = 1 << 22
_LARGEST_RATIO = 1032  # what deflate can make of a byte at most
_LABELS_LEVEL, _LEVEL = 6, 2  # of gzip: bytes, labels above all, shrink far; scans hardly, whatever time it takes


@dataclass(frozen=True, eq=False)
class NiftiFile:
    """What a file holds.

    Attributes:
        array: voxels (Z, Y, X) in the file's order, scaled.
        forms: what the header says of their place.
        step: what the scaled value grows by where the stored integer grows by 1; 0 for what is not scaled so.
        names: of label ids, where the header has them.
    """

    array: Array
    forms: NiftiForms
    step: float
    names: dict[int, str]


def read_nifti(path: Path) -> NiftiFile:
    """Read a NIfTI file; whether it is packed, and its version, goes by its content.

    Raises:
        InputError: it is not NIfTI, damaged, truncated, or not one 3-D image of one real number per voxel.
    """
    with _open_file(path) as (file, at_most):
        header = _header(file, path)
        shape = _shape(header, path)
        dtype = _dtype(header, path)
        size = math.prod(shape) * dtype.itemsize
        extensions, stored = _voxels(file, path, header, size, at_most)
        while file.read(_BLOCK_BYTES):
            pass  # to the end, where gzip compares length and checksum
    array = stored.view(dtype).reshape(shape)
    if not dtype.isnative:
        array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    array, step = _scaled(array, header, path)
    return NiftiFile(array, NiftiForms.of(header), step, names_in(extensions, header.endianness))


def voxels_of_nifti(path: Path) -> int:
    """How many voxels a file says that it holds.

    Raises:
        InputError: the header cannot be read, or is not that of one 3-D image.
    """
    with _open_file(path) as (file, _):
        return math.prod(_shape(_header(file, path), path))


def nifti_names(path: Path) -> dict[int, str]:
    """Label ids to names from the header extension of a file, as TotalSegmentator writes it.

    Returns:
        An empty dictionary where the file names nothing.

    Raises:
        InputError: the header cannot be read.
    """
    with _open_file(path) as (file, _):
        header = _header(file, path)
        offset = _offset(header, path)
        return names_in(b"" if offset is None else file.read(offset - len(header.binaryblock)), header.endianness)


def write_nifti(
    path: Path, array: Array, grid: Geometry, *, forms: NiftiForms | None = None, names: Mapping[int, str] | None = None
) -> None:
    """Write a NIfTI file: version 1, or 2 where an axis is too long for that; packed if it is called so.

    Args:
        path: .nii or .nii.gz; no temporary file is made.
        array: voxels (Z, Y, X), of a type that NIfTI has, in this machine's byte order.
        grid: where they lie; as sform and qform of code 1, unless there are forms.
        forms: of the file that the voxels lie on, written as they are.
        names: of label ids, for a header extension.

    Raises:
        OSError: the disk is full, for example.
    """
    from nibabel.nifti1 import Nifti1Extension, Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    array = np.ascontiguousarray(array)
    header = (Nifti1Header if max(array.shape) <= _LONGEST_AXIS else Nifti2Header)()
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape[::-1])
    header.set_slope_inter(1, 0)
    if forms is None:
        affine = _ras(grid)
        header.set_xyzt_units("mm")
        header.set_sform(affine, 1)
        header.set_qform(affine, 1)
    else:
        forms.put_into(header)
    if names:
        header.extensions.append(Nifti1Extension(CODE, names_as_xml(names)))
    with path.open("wb") as plain:
        if suffix_of(path) == ".nii":
            header.write_to(plain)
            plain.write(array.data)
            return
        # Without a name and a time, so that the same voxels are the same file.
        level = _LABELS_LEVEL if array.dtype.itemsize == 1 else _LEVEL
        with gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=plain, mtime=0) as packed:
            header.write_to(packed)
            for plane in array:
                packed.write(plane.data)


@contextmanager
def _open_file(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The file's bytes without gzip around them, and how many they can be at most."""
    try:
        present = path.stat().st_size
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if packed:
                with gzip.open(plain) as unpacked:
                    yield cast("BinaryIO", unpacked), present * _LARGEST_RATIO
            else:
                yield plain, present
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = "truncated" if isinstance(error, EOFError) else "damaged"
        raise InputError(f"{path}: {what}: it cannot be unpacked; copy it again") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _header(file: BinaryIO, path: Path) -> Any:
    """The header; the file is then read up to its end.

    Raises:
        InputError: there is none.
    """
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    begin = file.read(4)
    for kind, size, magic in zip((Nifti1Header, Nifti2Header), _HEADER_BYTES, (b"n+1", b"n+2"), strict=True):
        for order in ("little", "big"):
            if begin != size.to_bytes(4, order):
                continue
            block = begin + file.read(size - len(begin))
            if len(block) < size:
                raise InputError(f"{path}: truncated: its header is not whole; copy it again")
            header = kind(block, endianness=order, check=False)
            if bytes(header["magic"].item())[:3] == magic:
                return header
    raise InputError(f"{path}: not an image of the kind that its name says, or damaged")


def _shape(header: Any, path: Path) -> Shape:
    """Voxels along (z, y, x).

    Raises:
        InputError: it is not one volume.
    """
    dim = [int(n) for n in header["dim"]]
    sizes = dim[1 : 1 + dim[0]]
    if not 1 <= dim[0] <= 7 or min(sizes) < 1:
        raise InputError(f"{path}: cannot be read: its size is {sizes or dim}; it is damaged")
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    shown = " x ".join(map(str, sizes))
    if len(sizes) == 5 and sizes[3] == 1:
        raise InputError(f"{path}: {sizes[4]} values per voxel (colour?); ivos needs one")
    if len(sizes) < 3 or min(sizes[:3]) < 2:
        raise InputError(f"{path}: two-dimensional ({shown} pixels); ivos needs a volume of several slices")
    if len(sizes) > 3:
        raise InputError(f"{path}: {len(sizes)}-dimensional ({shown}); give one volume: split the series first")
    x, y, z = sizes
    return z, y, x


def _dtype(header: Any, path: Path) -> np.dtype[Any]:
    """The stored type, in the file's byte order.

    Raises:
        InputError: it is not a real number, or of a type that this machine does not have.
    """
    from nibabel.spatialimages import HeaderDataError

    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        raise InputError(f"{path}: voxels of type {int(header['datatype'])}; store them as numbers") from error
    if dtype.kind == "c":
        raise InputError(f"{path}: complex numbers; give their magnitude")
    if dtype.names is not None:
        raise InputError(f"{path}: {len(dtype.names)} values per voxel (colour?); ivos needs one")
    if dtype.itemsize == 0 or dtype.kind not in "iuf":
        raise InputError(f"{path}: voxels of type {int(header['datatype'])}; store them as numbers")
    return dtype


def _offset(header: Any, path: Path) -> int | None:
    """The byte at which voxels begin; None where the header names a byte of its own.

    Raises:
        InputError: it is not possible.
    """
    offset, length = float(header["vox_offset"]), len(header.binaryblock)
    if not 0 <= offset <= length + _LARGEST_GAP_BYTES or offset != int(offset):
        raise InputError(f"{path}: cannot be read: its voxels begin at byte {offset:g}; it is damaged")
    return int(offset) if offset >= length + FLAG_BYTES else None


def _voxels(file: BinaryIO, path: Path, header: Any, size: int, at_most: int) -> tuple[bytes, Array]:
    """What lies between the header and the voxels, and the bytes of the voxels.

    Raises:
        InputError: there are not enough.
    """
    offset, length = _offset(header, path), len(header.binaryblock)
    needed = (offset or length) + size
    if needed > at_most:
        raise InputError(f"{path}: truncated: {path.stat().st_size:,} bytes of {needed:,} are there; copy it again")
    if offset is None:
        return _unplaced(file, path, size)
    gap = file.read(offset - length)
    try:
        stored = np.empty(size, np.uint8)
    except (MemoryError, ValueError) as error:
        raise InputError(f"{path}: its header asks for more memory than there is; it is probably damaged") from error
    view, filled = stored.data, 0
    while filled < size:
        count = file.readinto(view[filled : filled + _BLOCK_BYTES])  # type: ignore[attr-defined]
        if not count:
            there = offset + filled if filled else length + len(gap)
            raise InputError(f"{path}: truncated: {there:,} bytes of {needed:,} are there; copy it again")
        filled += count
    return gap, stored


def _unplaced(file: BinaryIO, path: Path, size: int) -> tuple[bytes, Array]:
    """Voxels of a file that puts them into its own header: they follow it, with or without the flag between.

    Raises:
        InputError: there are not enough.
    """
    rest = file.read(size + _LARGEST_GAP_BYTES)
    extra = len(rest) - size
    if extra < 0:
        raise InputError(f"{path}: truncated: {len(rest):,} bytes of {size:,} of its voxels are there; copy it again")
    if extra < FLAG_BYTES:
        begin = 0
    elif rest[0]:  # extensions, and the voxels last
        begin = extra
    else:
        begin = FLAG_BYTES
    return rest[:begin], np.frombuffer(bytearray(rest[begin : begin + size]), np.uint8)


def _scaled(array: Array, header: Any, path: Path) -> tuple[Array, float]:
    """Voxels by slope and intercept, plane by plane in double precision, and the step between stored integers.

    Raises:
        InputError: there is a slope and no intercept.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if array.dtype.itemsize > 8:  # long doubles
        array = array.astype(np.float64)
    if slope == 0 or not math.isfinite(slope) or (slope, intercept) == (1.0, 0.0):
        return array, 0.0
    if not math.isfinite(intercept):
        raise InputError(f"{path}: cannot be read: its values are scaled by {slope:g} and {intercept:g}; it is damaged")
    small = array.dtype.itemsize <= 2 or array.dtype == np.float32
    scaled: Array = np.empty(array.shape, np.float32 if small else np.float64)
    with np.errstate(over="ignore"):  # infinite voxels are refused by name
        for plane, stored in zip(scaled, array, strict=True):
            plane[...] = stored.astype(np.float64) * slope + intercept
    return scaled, abs(slope) if np.issubdtype(array.dtype, np.integer) else 0.0


def _ras(grid: Geometry) -> Array:
    """The affine (4, 4) of voxel indices (x, y, z) to RAS+ millimetres."""
    affine: Array = np.eye(4)
    affine[:3, :3] = (np.asarray(grid.axes) * np.asarray(grid.spacing_mm)[:, None])[::-1].T
    affine[:3, 3] = grid.origin_mm
    affine[:2] *= -1
    return affine + 0.0


def _read(path: Path) -> tuple[Volume, float]:
    file = read_nifti(path)
    grid = file.forms.grid(file.array.shape, path)
    return Volume.from_array(file.array, grid, names=file.names, nifti=file.forms, what=str(path)), file.step


def _write(path: Path, array: Array, volume: Volume) -> None:
    write_nifti(path, array, volume.source, forms=volume.nifti, names=volume.names)


FORMAT = ImageFormat(SUFFIXES, _read, _write, SUFFIXES)
