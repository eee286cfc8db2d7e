"""How label files are written: what commands are told of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.io.labels import LabelFormat
from ivos.volume.label_matching import By

if TYPE_CHECKING:
    from ivos.io.dicom.pseudonyms import Pseudonyms


ByOption = Annotated[
    By,
    typer.Option(
        "--by",
        help="Which labels are the same structure: equal ids, or equal names; by default ids, unless the names in the "
        "files say that they are numbered differently.",
    ),
]
FormatOption = Annotated[
    LabelFormat | None,
    typer.Option("--format", help="Of label files; by default what the suffix says: .dcm is DICOM SEG."),
]
IgnoreLabelOption = Annotated[
    int | None,
    typer.Option(
        "--ignore-label", min=1, help="A label that says nothing of its voxels; by default what is named 'ignore'."
    ),
]
PseudonymiseOption = Annotated[
    Path | None,
    typer.Option("--pseudonymise", help="DICOM: pseudonyms for patients by the key in this file; made if missing."),
]


def pseudonyms_of(key_file: Path | None) -> Pseudonyms | None:
    """Pseudonyms by a key file.

    Raises:
        InputError: it is no key, or cannot be made.
    """
    from ivos.io.dicom.pseudonyms import Pseudonyms

    return None if key_file is None else Pseudonyms.of_key_file(key_file)
