"""Text for a terminal: whatever names hold, it is shown as it is, and never as markup, a command or an error."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.text import Text

FALLBACK = "ivos-fallback"
"""Name of the error handler for characters that a stream's encoding has not: a stand-in, or the character's number."""

_STAND_INS = {"±": "+-", "…": "..."}
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, halves of pairs, line and paragraph ends
_JOINERS = {"\u200c", "\u200d"}  # part of words in several scripts


def plain(text: str) -> str:
    r"""A text on one line in which every character is seen: ``\n``, ``\x1b`` and the like stand for themselves.

    Half a surrogate pair is what Python makes of a byte in a file name that is not UTF-8.
    """
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSEEN and c not in _JOINERS else c for c in text)


def printable(text: str, stream: TextIO) -> str:
    """The same in characters that a stream's encoding has."""
    stream = getattr(stream, "rich_proxied_file", stream)  # Rich's stand-in for a stream has no encoding
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return plain(text).encode(encoding, FALLBACK).decode(encoding)


def rich_text(text: str, stream: TextIO) -> Text:
    """The same for Rich, which takes it as it is: no markup, no emoji, no highlighting."""
    from rich.text import Text

    return Text(printable(text, stream))


def write_whatever_comes(stream: TextIO | None) -> None:
    """Let a stream write all characters, those that its encoding has not by :data:`FALLBACK`."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=FALLBACK)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape", "surrogatepass").decode("ascii")


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_STAND_INS.get(c) or _escaped(c) for c in missing), error.end


codecs.register_error(FALLBACK, _fall_back)
