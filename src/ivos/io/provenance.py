"""How labels came about, for files that say so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Manner(str, Enum):
    """Who drew: DICOM's own three words."""

    automatic = "AUTOMATIC"
    semiautomatic = "SEMIAUTOMATIC"
    manual = "MANUAL"


@dataclass(frozen=True)
class Provenance:
    """How labels came about.

    Attributes:
        manner: by a network alone, by a person with one, or by a person.
        algorithm: what drew, like ``"ivos propagate, engine fast"``.
        version: of that; by default the version of ivos.
        parameters: what it was told, names and values in plain words; nothing of the patient.
    """

    manner: Manner = Manner.automatic
    algorithm: str = "ivos"
    version: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
