"""Files beyond this machine's file system: s3://, gs://, hf://, ..., whatever fsspec and its packages reach.

What is read comes as a copy in a temporary folder; what is written is there whole or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import posixpath
import re
import shutil
import tempfile
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError, first_line
from ivos.files import FULL, replacing, temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsspec import AbstractFileSystem

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+(::[a-z][a-z0-9+.-]+)*://", re.IGNORECASE)
_COPIES = "ivos-"  # how names of temporary folders begin
_LOCAL = ("file", "local")  # protocols of this machine's file system
_SECRETS = re.compile(r"(?<=://)[^/@]*@|\?.*")  # user:password@ and the query of a signed address


class UnreachableError(OSError):
    """A store that does not answer as it should: another attempt may go better."""


def is_address(text: str) -> bool:
    """Whether a text is an address (``s3://bucket/scans``) and not a path; ``C:/scans`` is a path."""
    return _ADDRESS.match(text) is not None


def redact_url(address: str) -> str:
    """An address as it may stand in messages and manifests: without a password or a signature."""
    return _SECRETS.sub("", address) if is_address(address) else address


def canonical_url(address: str) -> str:
    """An address or a path as a text that is the same however the same place is written."""
    if not is_address(address):
        return str(Path(address).resolve())
    protocol, _, rest = address.partition("://")
    if protocol.lower() in _LOCAL:
        return str(Path(rest).resolve())
    return f"{protocol.lower()}://{posixpath.normpath(rest).lstrip('/')}"


@contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """A file or a whole folder as a path on this machine, for the time of the block.

    Args:
        address: a path, which comes back as it is, or an address; what lies elsewhere is copied into a temporary
            folder under its own name.

    Raises:
        InputError: nothing is there, it may not be read, or the package for its protocol is not installed.
        UnreachableError: the store fails in another way.
    """
    if not is_address(address):
        yield Path(address)
        return
    files, path = _open_url(address)
    if _is_local(files):
        yield Path(path)
        return
    with temporary_folder() as folder:
        copied = folder / PurePosixPath(path).name
        try:
            with _translate_errors(address):
                _copy(files, path, copied)
        except UnreachableError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL:  # it is this machine
                raise error.__cause__ from None
            raise
        yield copied


def _copy(files: AbstractFileSystem, path: str, copied: Path) -> None:
    if files.isfile(path):
        files.get_file(path, str(copied))
        return
    if not files.isdir(path):
        raise FileNotFoundError(path)
    for name in files.find(path):  # one by one: names with brackets are patterns to fsspec otherwise
        file = copied / PurePosixPath(name).relative_to(PurePosixPath(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(name, str(file))


def copies_of(address: str) -> str:
    """A regular expression for the paths at which :func:`local_copy` has copies of what is at an address."""
    folder, name = Path(tempfile.gettempdir(), _COPIES), PurePosixPath(redact_url(address)).name
    return f"{re.escape(str(folder))}[^/\\\\]*[/\\\\]{re.escape(name)}"


@contextmanager
def local_copies(addresses: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Several files or folders by their roles, each as :func:`local_copy` gives it."""
    with ExitStack() as stack:
        yield {role: stack.enter_context(local_copy(address)) for role, address in addresses.items()}


def listed(address: str) -> list[str]:
    """Addresses of the files and folders that lie in a folder, by name; what is hidden is left out.

    Raises:
        InputError: no such folder, or what :func:`local_copy` refuses.
        UnreachableError: the store fails in another way.
    """
    files, path = _open_url(address)
    with _translate_errors(address):
        if not files.isdir(path):
            raise FileNotFoundError(path)
        found = [name.rstrip("/") for name in files.ls(path, detail=False)]
    kept = [name for name in found if name != path.rstrip("/") and not PurePosixPath(name).name.startswith(".")]
    return sorted(files.unstrip_protocol(name) for name in kept)


def fingerprint(address: str) -> str:
    """Checksum of what the store says of a file, or of all files of a folder: size, time, its own checksum.

    It changes when the content does; nothing is downloaded.

    Raises:
        InputError: nothing is there, or what :func:`local_copy` refuses.
        UnreachableError: the store fails in another way.
    """
    files, path = _open_url(address)
    with _translate_errors(address):
        found = files.find(path, detail=True)
        if not found:
            raise FileNotFoundError(path)
    facts = [(name, sorted((key, str(value)) for key, value in found[name].items())) for name in sorted(found)]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def put(source: Path, address: str) -> None:
    """Copy a file to an address, in place of what is there.

    It goes there under a temporary name and is renamed where the store can rename. Object stores cannot, and need not:
    an object is there when all of it is.

    Raises:
        InputError: it may not be written there, or the package for its protocol is not installed.
        UnreachableError: the store fails in another way.
    """
    files, path = _open_url(address)
    if _is_local(files):
        with replacing(Path(path)) as temporary:
            shutil.copyfile(source, temporary)
        return
    with _translate_errors(address):
        if not _renames(files):
            files.put_file(str(source), path)
            return
        parent, name = path.rstrip("/").rsplit("/", 1)
        files.makedirs(parent, exist_ok=True)
        temporary_path = f"{parent}/.ivos-{uuid.uuid4().hex}-{name}"
        try:
            files.put_file(str(source), temporary_path)
            files.mv(temporary_path, path)
        except BaseException:
            with suppress(Exception):  # what went wrong above is what counts
                files.rm_file(temporary_path)
            raise


def _open_url(address: str) -> tuple[AbstractFileSystem, str]:
    """The file system behind an address, and the path on it."""
    from fsspec.core import url_to_fs

    try:
        with _translate_errors(address):
            files, path = url_to_fs(address)
    except ImportError as error:
        raise InputError(f"{redact_url(address)}: its kind of address needs a package: {first_line(error)}") from error
    files.invalidate_cache()  # others write there too
    return files, path


@contextmanager
def _translate_errors(address: str) -> Iterator[None]:
    """Every failure of a store as one line: what a user can put right, and what may pass."""
    place = redact_url(address)
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{place}: no such file or folder") from error
    except PermissionError as error:
        raise InputError(
            f"{place}: not allowed to go there: {first_line(error)}; check your credentials for it"
        ) from error
    except ImportError:
        raise
    except ValueError as error:
        raise InputError(f"{place}: not an address that can be used: {first_line(error)}") from error
    except Exception as error:  # every store's package has kinds of its own
        raise UnreachableError(errno.EIO, f"{place}: {type(error).__name__}: {first_line(error)}") from error


def _is_local(files: AbstractFileSystem) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(files, LocalFileSystem)


def _renames(files: AbstractFileSystem) -> bool:
    """Whether moving is more than fsspec's copying and deleting."""
    from fsspec import AbstractFileSystem

    moves: Any = type(files).mv
    return moves is not AbstractFileSystem.mv
