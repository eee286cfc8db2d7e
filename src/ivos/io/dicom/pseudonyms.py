"""Names that stand for patients: the same patient has the same one, and only who holds the key can tell which."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ivos.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_KEY_BYTES = 32
_LEAST_KEY_BYTES = 16
_SHOWN_DIGITS = 16  # of the hash: 64 bits, so that two of a million patients share one with a chance of 3e-8


@dataclass(frozen=True)
class Pseudonyms:
    """Patient identifiers into pseudonyms, by a secret key.

    Attributes:
        key: the secret; whoever has it can find out which known patient a pseudonym stands for.

    References:
        Krawczyk, Bellare, Canetti: HMAC: Keyed-Hashing for Message Authentication, RFC 2104; with SHA-256.
    """

    key: bytes = field(repr=False)

    @staticmethod
    def of_key_file(path: Path) -> Pseudonyms:
        """The pseudonyms of the key in a file; if there is none, of a new key that is put there for its owner alone.

        Raises:
            InputError: the file is no key, or cannot be read or made.
        """
        try:
            _make_key(path)
            key = path.read_bytes().strip()
        except OSError as error:
            raise InputError(f"{path}: the key for pseudonyms cannot be read or made: {error.strerror}") from error
        if len(key) < _LEAST_KEY_BYTES:
            raise InputError(
                f"{path}: {len(key)} bytes are no key for pseudonyms; give one of {_LEAST_KEY_BYTES} or more, or a new "
                "name and it is made"
            )
        return Pseudonyms(key)

    def of(self, identifier: str) -> str:
        """The pseudonym of a patient identifier, like ``IVOS-0123456789abcdef``."""
        digest = hmac.new(self.key, identifier.strip().encode(), hashlib.sha256).hexdigest()
        return f"IVOS-{digest[:_SHOWN_DIGITS]}"


def _make_key(path: Path) -> None:
    """Put a new key where there is none; of several processes that do so at once, one does."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(secrets.token_hex(_KEY_BYTES).encode() + b"\n")
        try:
            os.link(temporary, path)  # fails where another process was first: its key counts
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)
