"""The image formats: the only list of suffixes. A new one is a file beside this one, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.files import suffix_of
from ivos.io import metaimage, nifti, nrrd

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.io.image_format import ImageFormat

FORMATS: tuple[ImageFormat, ...] = (nifti.FORMAT, nrrd.FORMAT, metaimage.FORMAT)

READABLE = tuple(suffix for one in FORMATS for suffix in one.suffixes)
WRITERS = {suffix: one.write for one in FORMATS if one.write is not None for suffix in one.writable}


def format_for(path: Path) -> ImageFormat | None:
    """The format that a path's suffix names; None if no image format has it."""
    suffix = suffix_of(path)
    return next((one for one in FORMATS if suffix in one.suffixes), None)
