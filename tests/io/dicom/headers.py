"""NRRD and MetaImage files written by hand, so that tests know every byte of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

VOXELS: npt.NDArray[np.int16] = (np.arange(3 * 4 * 5).reshape(3, 4, 5) * 37 - 900).astype(np.int16)
"""Voxels (z, y, x); the grids below have 0.7 x 0.8 x 2.5 mm and start at (-5, 3, 2)."""

GRID = (2.5, 0.8, 0.7), (-5.0, 3.0, 2.0)


def nrrd_header(**fields: str | None) -> bytes:
    """An attached header of VOXELS; ``data_file="a.raw"`` adds or replaces a field, None leaves it out."""
    standard: dict[str, str | None] = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "5 4 3",
        "space directions": "(0.7,0,0) (0,0.8,0) (0,0,2.5)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(-5,3,2)",
    }
    standard |= {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in standard.items() if value is not None]
    return ("NRRD0004\n# by hand\n" + "\n".join(lines) + "\n\n").encode()


def meta_header(**fields: str | None) -> bytes:
    """A header of VOXELS; ``ElementDataFile`` comes last."""
    standard: dict[str, str | None] = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "-5 3 2",
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": "0.7 0.8 2.5",
        "DimSize": "5 4 3",
        "ElementType": "MET_SHORT",
    }
    last = fields.pop("ElementDataFile", "LOCAL")
    lines = [f"{name} = {value}" for name, value in (standard | fields).items() if value is not None]
    return "\n".join([*lines, f"ElementDataFile = {last}", ""]).encode()


def saved(path: Path, content: bytes) -> Path:
    """The path, with the content."""
    path.write_bytes(content)
    return path


def segment_keys(*segments: tuple[str, int, int]) -> dict[str, str]:
    """The keys that 3D Slicer writes for segments (name, layer, value)."""
    keys: dict[str, str] = {}
    for number, (name, layer, value) in enumerate(segments):
        keys |= {
            f"Segment{number}_ID": f"Segment_{number + 1}",
            f"Segment{number}_Name": name,
            f"Segment{number}_Layer": str(layer),
            f"Segment{number}_LabelValue": str(value),
        }
    return keys


def with_keys(header: bytes, keys: dict[str, str]) -> bytes:
    """The header with ``key:=value`` lines before its end."""
    lines = "".join(f"{key}:={value}\n" for key, value in keys.items())
    return header[:-1] + lines.encode() + b"\n"


def stored(array: npt.NDArray[Any], order: Literal["<", ">"] = "<") -> bytes:
    """Voxels as bytes in that order."""
    return array.astype(array.dtype.newbyteorder(order)).tobytes()
