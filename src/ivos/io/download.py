"""Files from the network: the only place in ivos that goes there, and only when `ivos weights download` asks."""

from __future__ import annotations

import hashlib
import http
import http.client
import shutil
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ivos.types import Progress


_CHUNK_BYTES = 1 << 20
_SILENCE_S = 60  # without a byte, after which a server counts as gone
_SCHEMES = ("http://", "https://")


def download(address: str, path: Path, *, sha256: str | None, progress: Progress) -> str:
    """Fetch a file; what an earlier call has begun is gone on with, where the server can.

    Args:
        address: http or https.
        path: where it goes; its folder is made. Until all is there and checked, it is called ``NAME.part``.
        sha256: checksum or its first digits; None where it is not known.
        progress: is called with the bytes that are there and those of the whole file.

    Returns:
        The file's checksum.

    Raises:
        InputError: the server cannot be reached, has no such file, sends a page instead of it, or breaks off (what has
            come is kept); the file has another checksum (it is removed); a folder cannot be written to.
    """
    if not address.startswith(_SCHEMES):
        raise InputError(f"{address}: not an address that ivos downloads from: it begins with http:// or https://")
    part = _part(path)
    _receive(address, part, progress)
    return _checked(part, path, sha256, address)


def copy(source: Path, path: Path, *, sha256: str | None) -> str:
    """The same from a folder.

    Raises:
        InputError: no such file, another checksum, or a folder that cannot be written to.
    """
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    part = _part(path)
    shutil.copyfile(source, part)
    return _checked(part, path, sha256, str(source))


def checksum(path: Path) -> str:
    """The sha256 of a file in hexadecimal digits."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def _part(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written here: {error.strerror}") from error
    return path.with_name(f"{path.name}.part")


def _checked(part: Path, path: Path, sha256: str | None, source: str) -> str:
    found = checksum(part)
    if sha256 is not None and not found.startswith(sha256):
        part.unlink()
        raise InputError(f"{source}: not the published file: its sha256 is {found}, not {sha256}; it was not kept")
    part.replace(path)
    return found


def _receive(address: str, part: Path, progress: Progress) -> None:
    """Put all of the file into ``part``, which may hold its beginning."""
    there = part.stat().st_size if part.is_file() else 0
    with _answer(address, there) as answer:
        if answer.headers.get_content_type() == "text/html":
            raise InputError(f"{address}: a page came instead of the file; download it by hand, then --from its folder")
        done = there if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        coming = answer.headers["Content-Length"]
        total = None if coming is None else done + int(coming)
        with part.open("ab" if done else "wb") as file:
            for chunk in _chunks(answer, address):
                file.write(chunk)
                done += len(chunk)
                if total is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise InputError(f"{address}: broke off after {done} of {total} bytes; the same command goes on from there")


def _answer(address: str, there: int) -> http.client.HTTPResponse:
    """The server's answer to a request for the file without its first bytes, or for all of it where it cannot."""
    headers = {"User-Agent": "ivos", "Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    try:  # the address is one of http or https: download has seen to it
        request = urllib.request.Request(address, headers=headers)  # noqa: S310
        answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_SILENCE_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if there and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _answer(address, 0)  # what is there is no beginning of this file
        raise InputError(f"{address}: the server answers {error.code} {error.reason}; see --from") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(f"{address}: cannot be reached: {getattr(error, 'reason', error)}; see --from") from error
    if there and not answer.headers.get("Content-Range", f"bytes {there}-").startswith(f"bytes {there}-"):
        answer.close()
        return _answer(address, 0)
    return answer


def _chunks(answer: http.client.HTTPResponse, address: str) -> Iterator[bytes]:
    try:
        while chunk := answer.read1(_CHUNK_BYTES):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{address}: broke off: {error or 'closed'}; the same command goes on from there") from error
