"""What came instead of a file of weights, in the words of whoever downloaded it: a web page, a part of it, nothing."""

from __future__ import annotations

import json
import pickletools
import re
from typing import TYPE_CHECKING

from ivos.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_HEAD_BYTES = 1 << 16
_PAGE = re.compile(r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script)\b", re.I | re.S)
_TITLE = re.compile(r"<title[^>]*>\s*(.*?)\s*</title>", re.I | re.S)
_TEXT_BYTES = 512  # in which nothing but text stands, if a file is text
_MESSAGE = re.compile(r"\s*(<\?xml\b|<Error>|\{\s*\"|\[\s*\{|(HTTP\S* )?[45]\d\d\b)")
_LFS = "version https://git-lfs"
_ZIP, _ZIP_END = b"PK\x03\x04", b"PK\x05\x06"
_ZIP_END_BYTES = 22 + (1 << 16)  # with the longest comment
_OLD_TORCH = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # files of PyTorch before 1.6: pickles, then the tensors' bytes
)
_OLD_PICKLES = 4
_LARGEST_HEADER_BYTES = 100 * 10**6  # that safetensors reads


def check_downloaded(path: Path) -> None:
    """Refuse what is no file of weights, as far as its first and last bytes tell: nothing is loaded.

    Raises:
        InputError: an empty file, a web page or a message of a server, a pointer of Git LFS, or a file that is cut off.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, size_bytes - _ZIP_END_BYTES))
        tail = file.read()
    if not size_bytes:
        raise InputError(f"{path}: is empty; download it again")
    text = _text(head)
    if text is not None:
        _check_text(text, path)
    if (head.startswith(_ZIP) and not _ends_as_zip(tail)) or (head.startswith(_OLD_TORCH) and _cut_in_pickles(path)):
        raise InputError(f"{path}: truncated: cut off after {size_bytes:,} bytes; download it again")
    whole_bytes = _safetensors_bytes(path, head)
    if whole_bytes is not None and size_bytes < whole_bytes:
        raise InputError(
            f"{path}: not a whole safetensors file: cut off after {size_bytes:,} of at least {whole_bytes:,} bytes; "
            "download it again"
        )


def _check_text(text: str, path: Path) -> None:
    if _PAGE.match(text):
        title = _TITLE.search(text)
        called = f" ('{' '.join(title[1].split())[:60]}')" if title and title[1] else ""
        raise InputError(
            f"{path}: a web page{called}, not weights: open its address in a browser, and save the file that it offers"
        )
    if text.startswith(_LFS):
        raise InputError(f"{path}: a pointer of Git LFS, not the weights themselves; fetch them with: git lfs pull")
    if _MESSAGE.match(text):
        raise InputError(f"{path}: a server's message, not weights: {' '.join(text.split())[:80]}")


def _text(head: bytes) -> str | None:
    """The beginning of a file as text, if it is any: a page may be in any encoding, and begins with a mark perhaps."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if head.startswith(mark):
            return head.decode(encoding, "replace")
    begin = head[:_TEXT_BYTES].decode("utf-8", "replace")
    return head.decode("utf-8", "replace") if all(c.isprintable() or c.isspace() for c in begin) else None


def _ends_as_zip(tail: bytes) -> bool:
    """Whether a zip file's list of contents is there to its end, with the comment after it."""
    at = tail.rfind(_ZIP_END)
    if at < 0 or len(tail) < at + 22:
        return False
    return len(tail) >= at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little")


def _cut_in_pickles(path: Path) -> bool:
    """Whether an old file of PyTorch ends before its tensors begin; nothing in it is run."""
    with path.open("rb") as file:
        try:
            for _ in range(_OLD_PICKLES):
                for _ in pickletools.genops(file):
                    pass
        except ValueError:
            return True
    return False


def _safetensors_bytes(path: Path, head: bytes) -> int | None:
    """The size that a safetensors file says it has, as far as its header is there; None for other files."""
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or not 2 <= length <= _LARGEST_HEADER_BYTES:
        return None
    with path.open("rb") as file:
        file.seek(8)
        header = file.read(length)
    if len(header) < length:
        return 8 + length
    try:
        tensors = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
        return 8 + length + max((int(entry["data_offsets"][1]) for entry in tensors), default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None  # damaged in another way: reading says so
