"""How label files are written: what commands are told of it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ivos.volume.label_files import LabelFormat
    from ivos.volume.pseudonyms import Pseudonyms


class FormatChoice(str, Enum):
    """What label files are."""

    nifti = "nifti"
    dicom_seg = "dicom-seg"
    rtstruct = "rtstruct"


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


def label_format(choice: FormatChoice | None) -> LabelFormat | None:
    """The form of label files that was asked for."""
    from ivos.volume.label_files import LabelFormat

    return None if choice is None else LabelFormat(choice.value)


def pseudonyms_of(key_file: Path | None) -> Pseudonyms | None:
    """Pseudonyms by a key file.

    Raises:
        InputError: it is no key, or cannot be made.
    """
    from ivos.volume.pseudonyms import Pseudonyms

    return None if key_file is None else Pseudonyms.of_key_file(key_file)
