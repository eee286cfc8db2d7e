"""How label files are written: what commands are told of it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ivos.io.dicom.pseudonyms import Pseudonyms
    from ivos.io.labels import LabelFormat
    from ivos.volume.label_matching import By


class FormatChoice(str, Enum):
    """What label files are."""

    nifti = "nifti"
    dicom_seg = "dicom-seg"
    rtstruct = "rtstruct"


class ByChoice(str, Enum):
    """What tells which labels of several files are the same structure."""

    id = "id"
    name = "name"


ByOption = Annotated[
    ByChoice | None,
    typer.Option(
        "--by",
        help="Which labels are the same structure: equal ids, or equal names; by default ids, unless the names in the "
        "files say that they are numbered differently.",
    ),
]
FormatOption = Annotated[
    FormatChoice | None,
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


def label_matching(choice: ByChoice | None) -> By:
    """What tells which labels are the same structure, as it was asked for."""
    return "auto" if choice is None else choice.value


def label_format(choice: FormatChoice | None) -> LabelFormat | None:
    """The form of label files that was asked for."""
    from ivos.io.labels import LabelFormat

    return None if choice is None else LabelFormat(choice.value)


def pseudonyms_of(key_file: Path | None) -> Pseudonyms | None:
    """Pseudonyms by a key file.

    Raises:
        InputError: it is no key, or cannot be made.
    """
    from ivos.io.dicom.pseudonyms import Pseudonyms

    return None if key_file is None else Pseudonyms.of_key_file(key_file)
