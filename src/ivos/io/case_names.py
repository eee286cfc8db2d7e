"""What a file's name says: which case it is of, and whether it holds labels. Every command goes by this one rule."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from ivos.files import stem_of

if TYPE_CHECKING:
    from pathlib import Path

_LABEL_WORD = re.compile(
    r"[ _.-]+(labels?|label[ _-]?maps?|lbls?|masks?|segs?|dseg|segmentations?|rtstruct|gts?|ground[ _-]?truth"
    r"|annotations?|contours?|delineations?)$",
    re.IGNORECASE,
)
_FIRST_CHANNEL = "_0000"  # how nnU-Net and FLARE22 end the name of a scan


def case_name(name: str) -> str:
    """The case that a file or folder of this name, without suffix, is of.

    A word that says that the file holds labels is left out, as in ``NAME.seg`` and ``NAME-label``, and then the
    ``_0000`` that nnU-Net and FLARE22 end a scan's name with. Letters with marks are composed: a Mac may write the two
    apart, so that the same name has other bytes.
    """
    return without_label_words(unicodedata.normalize("NFC", name)).removesuffix(_FIRST_CHANNEL)


def case_of(path: Path) -> str:
    """The case that a file is of, by its name."""
    return case_name(stem_of(path))


def is_named_as_labels(path: Path) -> bool:
    """Whether a file's name says that it holds labels: its last word does, before the suffix."""
    return _LABEL_WORD.search(unicodedata.normalize("NFC", stem_of(path))) is not None


def without_label_words(name: str) -> str:
    """A name, composed and without suffix, without the words that say that a file holds labels."""
    while match := _LABEL_WORD.search(name):
        name = name[: match.start()]
    return name
