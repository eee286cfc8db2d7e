"""Where a NIfTI header puts its voxels: sform, qform, pixdim and unit, read by one rule and kept for labels.

The rule, as FSL and nibabel have it: the sform where its code is above 0, else the qform where its code is, else pixdim
alone. Lengths are in the unit that the header names, millimetres where it names none. Header coordinates are RAS+.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError
from ivos.volume.geometry import (
    LARGEST_SHEAR_DEGREES,
    TILTED,
    Geometry,
    Triple,
    displacement_mm,
    largest_shear_degrees,
    upright,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.geometry import Shape

    Affine = npt.NDArray[np.float64]  # (3, 4): RAS+ points of voxel indices (x, y, z)

Row = tuple[float, float, float, float]

_LARGEST_CODE = int(np.iinfo(np.int16).max)
_SPATIAL_UNIT = 7  # the bits of xyzt_units that name the unit of length
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}  # metre and micrometre; 2 is the millimetre
_SAME_SHARE = 1e-4  # of a voxel: grids closer than this are one
_RAS_TO_LPS = np.array([[-1.0], [-1.0], [1.0]])


@dataclass(frozen=True)
class NiftiForms:
    """What a NIfTI header says of the place of its voxels, in its own numbers and unit.

    Attributes:
        sform_code: what the sform leads to; 0 for no sform.
        sform: its rows for x, y and z.
        qform_code: what the qform leads to; 0 for no qform.
        quaternion: b, c and d of its rotation.
        offset: where it puts the first voxel.
        pixdim: the sign of the qform's third axis, and the spacing along x, y and z.
        units: the header's ``xyzt_units``.
    """

    sform_code: int
    sform: tuple[Row, Row, Row]
    qform_code: int
    quaternion: Triple
    offset: Triple
    pixdim: Row
    units: int

    @staticmethod
    def of(header: Mapping[str, Any]) -> NiftiForms:
        """From the fields of a header."""
        x, y, z = (_row(header[f"srow_{axis}"]) for axis in "xyz")
        return NiftiForms(
            sform_code=int(header["sform_code"]),
            sform=(x, y, z),
            qform_code=int(header["qform_code"]),
            quaternion=_triple(header[f"quatern_{part}"] for part in "bcd"),
            offset=_triple(header[f"qoffset_{axis}"] for axis in "xyz"),
            pixdim=_row(header["pixdim"][:4]),
            units=int(header["xyzt_units"]),
        )

    def put_into(self, header: Any) -> None:
        """Fill the fields of a header of either version."""
        header["sform_code"], header["qform_code"] = (
            min(max(code, 0), _LARGEST_CODE) for code in (self.sform_code, self.qform_code)
        )
        for axis, row, start in zip("xyz", self.sform, self.offset, strict=True):
            header[f"srow_{axis}"], header[f"qoffset_{axis}"] = row, start
        for part, value in zip("bcd", self.quaternion, strict=True):
            header[f"quatern_{part}"] = value
        header["pixdim"][:4] = self.pixdim
        header["xyzt_units"] = self.units & 0xFF

    def grid(self, shape: Shape, path: Path) -> Geometry:
        """The grid of voxels (Z, Y, X) by the rule; rounding and slight shear are evened out about its middle.

        Raises:
            InputError: the axes are not at right angles, or what is read is not a grid.
        """
        name, affine = self._by_rule()
        spacing = np.linalg.norm(affine[:, :3], axis=0)
        if not np.isfinite(affine).all() or spacing.min() <= 0:
            raise InputError(f"{path}: its {name} places no grid of voxels ({_words(affine)}); set it right first")
        grid = _geometry(affine * self._mm_per_unit, shape)
        if largest_shear_degrees(grid) >= LARGEST_SHEAR_DEGREES:
            raise InputError(f"{path}: {TILTED}")
        return upright(grid)

    def grids(self, shape: Shape) -> list[Geometry]:
        """Every grid that programs make of the header: by either form, with and without the unit, sheared as it is.

        ITK (ITK-SNAP, 3D Slicer) takes the qform where both forms differ and the sform's code is not 1, and lengths
        from pixdim; nibabel and FSL do not convert units; without a form, nibabel centres the voxels at 0.
        """
        found: list[Geometry] = []
        for scale in {self._mm_per_unit: None, 1.0: None}:
            for affine in self._affines(shape):
                spacing = np.linalg.norm(affine[:, :3], axis=0)
                if not np.isfinite(affine).all() or spacing.min() <= 0:
                    continue
                grid = _geometry(affine * scale, shape)
                if all(displacement_mm(grid, other) > _SAME_SHARE * min(grid.spacing_mm) for other in found):
                    found.append(grid)
        return found

    @property
    def names_unit(self) -> bool:
        """Whether the header says in which unit its lengths are."""
        return bool(self.units & _SPATIAL_UNIT)

    @property
    def _mm_per_unit(self) -> float:
        return _MM_PER_UNIT.get(self.units & _SPATIAL_UNIT, 1.0)

    def _by_rule(self) -> tuple[str, Affine]:
        if self.sform_code > 0:
            return "sform", np.array(self.sform)
        if self.qform_code > 0:
            return "qform", self._qform()
        return "pixdim", self._pixdim()

    def _affines(self, shape: Shape) -> list[Affine]:
        affines = [self._by_rule()[1]]
        if self.sform_code > 0:
            scaled = np.array(self.sform)
            with np.errstate(all="ignore"):  # a form that is no grid is left out
                scaled[:, :3] *= self._spacing() / np.linalg.norm(scaled[:, :3], axis=0)
            affines.append(scaled)
        if self.qform_code > 0:
            affines.append(self._qform())
        if self.sform_code <= 0 and self.qform_code <= 0:
            centred = np.zeros((3, 4))
            centred[:, :3] = np.diag(self._spacing() * (-1, 1, 1))
            centred[:, 3] = -centred[:, :3] @ ((np.array(shape[::-1]) - 1) / 2)
            affines.append(centred)
        return affines

    def _spacing(self) -> npt.NDArray[np.float64]:
        spacing: npt.NDArray[np.float64] = np.abs(self.pixdim[1:])
        return spacing

    def _pixdim(self) -> Affine:
        affine = np.zeros((3, 4))
        affine[:, :3] = np.diag(self._spacing() * (-1, -1, 1))  # as ITK, which reads such files so
        return affine

    def _qform(self) -> Affine:
        from scipy.spatial.transform import Rotation

        vector = np.array(self.quaternion)
        real = np.sqrt(max(0.0, 1.0 - float(vector @ vector)))  # below 0 by rounding at half a turn
        rotation = Rotation.from_quat([*vector, real]).as_matrix()
        steps = self._spacing() * (1, 1, -1 if self.pixdim[0] < 0 else 1)
        affine: Affine = np.column_stack([rotation * steps, self.offset])
        return affine


def _geometry(affine: Affine, shape: Shape) -> Geometry:
    """The grid of voxels (Z, Y, X) by an affine in millimetres, sheared as it may be."""
    lps = affine * _RAS_TO_LPS + 0.0  # no negative zeros
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    x, y, z = (_triple(column) for column in (lps[:, :3] / spacing).T)
    return Geometry(shape, spacing_mm=_triple(spacing[::-1]), origin_mm=_triple(lps[:, 3]), axes=(z, y, x))


def _row(values: Iterable[Any]) -> Row:
    a, b, c, d = (float(value) for value in values)
    return a, b, c, d


def _triple(values: Iterable[Any]) -> Triple:
    a, b, c = (float(value) for value in values)
    return a, b, c


def _words(affine: Affine) -> str:
    return "; ".join(" ".join(f"{value:g}" for value in row) for row in affine)
