"""The options that several commands share, each defined once, and what their values mean."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.device import DeviceChoice
from ivos.errors import InputError
from ivos.io.labels import LabelFormat
from ivos.propagation.engines.protocol import EngineName
from ivos.types import AxisName
from ivos.volume.label_matching import By
from ivos.volume.windows import Modality

if TYPE_CHECKING:
    from ivos.cohort.dicom_tree import SeriesRules
    from ivos.io.dicom.pseudonyms import Pseudonyms

# Each group is a panel of the help.
input_option = partial(typer.Option, rich_help_panel="Input")
model_option = partial(typer.Option, rich_help_panel="Model")
output_option = partial(typer.Option, rich_help_panel="Output")
many_option = partial(typer.Option, rich_help_panel="Many scans")
dicom_option = partial(typer.Option, rich_help_panel="DICOM")

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}

SCAN_HELP = "NIfTI, NRRD or MetaImage file, DICOM folder or .zip."
SCANS_HELP = (
    f"{SCAN_HELP} For many scans: a folder of files, a tree of DICOM series, or a list (.csv or .json) with the columns"
)

ScanArgument = Annotated[Path, typer.Argument(help=SCAN_HELP)]

# Input
IgnoreLabelOption = Annotated[
    int | None,
    input_option("--ignore-label", min=1, help="Label of voxels to ignore. Default: the label named 'ignore'."),
]
ByOption = Annotated[
    By,
    input_option(
        "--by",
        help="Match structures by label id or by name. 'auto': by id, unless the names in the files show that they are "
        "numbered differently.",
    ),
]
ModalityOption = Annotated[
    Modality, input_option("--modality", help="Intensity windows. 'auto': chosen for each scan.")
]
FullyAnnotatedOption = Annotated[
    str | None,
    input_option(
        "--fully-annotated",
        help="Slices on which every structure present is annotated, so that all others are absent there: 'all', or "
        "slice numbers of the file, from 0, such as 12,40-44.",
    ),
]
AxisOption = Annotated[
    AxisName | None,
    input_option("--axis", help="Orientation of the slices. Default: the one in which they were annotated."),
]

# Model
EngineOption = Annotated[EngineName, model_option("--engine", help="Propagation engine.")]
DeviceOption = Annotated[DeviceChoice, model_option("--device", help="Device for the networks.")]

# Output
ReportOption = Annotated[
    Path | None, output_option("--report", help="Also write a report (HTML, PNG, GIF) to this folder.")
]
FormatOption = Annotated[
    LabelFormat | None,
    output_option("--format", help="Format of the label files. Default: by suffix; .dcm is DICOM SEG."),
]
JsonOption = Annotated[bool, output_option("--json", help="Print the results as JSON.")]

# Many scans
WorkersOption = Annotated[
    int | None, many_option("--workers", min=1, help="Number of scans processed in parallel on this machine.")
]
ClusterOption = Annotated[
    str | None,
    many_option(
        "--cluster", help="Run on a Ray cluster: HOST:PORT, or 'auto' for the one that this machine belongs to."
    ),
]
UploadOption = Annotated[
    str | None,
    many_option(
        "--upload-to",
        help="Upload the results to this URL, such as s3://bucket/labels; OUTPUT keeps the manifest and the report.",
    ),
]
OverwriteOption = Annotated[bool, many_option("--overwrite", help="Process all scans again, including finished ones.")]

# DICOM
SeriesOption = Annotated[str | None, dicom_option("--series", help="Last characters of the SeriesInstanceUID to use.")]
StackOption = Annotated[
    int | None, dicom_option("--stack", min=1, help="Number of the stack within the series, as listed by ivos info.")
]
SeriesModalityOption = Annotated[
    str | None, dicom_option("--series-modality", help="In a tree: only series of this modality, such as CT.")
]
SeriesThicknessOption = Annotated[
    str | None, dicom_option("--series-thickness", help="In a tree: only slice thicknesses in mm, such as 0.5-5.")
]
SeriesKernelOption = Annotated[
    str | None, dicom_option("--series-kernel", help="In a tree: only convolution kernels that contain this text.")
]
SeriesSlicesOption = Annotated[
    int, dicom_option("--series-slices", min=1, help="In a tree: only series with at least this many slices.")
]
PseudonymiseOption = Annotated[
    Path | None,
    dicom_option(
        "--pseudonymise",
        help="Replace patient identity by pseudonyms, generated with the key in this file (created if missing).",
    ),
]


def parse_numbers(text: str) -> list[int]:
    """Whole numbers from ``1,4,7-9``.

    Raises:
        InputError: something else.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None:
            raise InputError(f"'{text}': give whole numbers and ranges, like 1,4,7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > 1_000_000:
            raise InputError(f"'{text}': {part.strip()} is not a range from low to high")
        found += range(first, last + 1)
    return found


def parse_structures(text: str | None) -> tuple[int, ...] | None:
    """Label ids; None for all."""
    return None if text is None else tuple(parse_numbers(text))


def parse_fully_annotated(text: str | None) -> tuple[int, ...] | bool:
    """Fully annotated slices by the numbers of the file; True for all annotated slices, False for none."""
    return text == "all" if text is None or text == "all" else tuple(parse_numbers(text))


def parse_size(text: str) -> int:
    """Bytes from ``2GB``, ``500 MiB`` or a plain number.

    Raises:
        InputError: something else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text.lower())
    if match is None or float(match[1]) <= 0:
        raise InputError(f"'{text}' is not a size; write it like 2GB or 500MB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def series_rules(
    series: str | None, modality: str | None, thickness: str | None, kernel: str | None, slices: int
) -> SeriesRules:
    """Rules that select the series of DICOM trees.

    Raises:
        InputError: the thickness is not a range.
    """
    from ivos.cohort.dicom_tree import SeriesRules

    return SeriesRules(modality, None if thickness is None else _parse_range_mm(thickness), kernel, slices, series)


def load_pseudonyms(key_file: Path | None) -> Pseudonyms | None:
    """Pseudonyms by a key file.

    Raises:
        InputError: it is not a key, or cannot be created.
    """
    from ivos.io.dicom.pseudonyms import Pseudonyms

    return None if key_file is None else Pseudonyms.of_key_file(key_file)


def _parse_range_mm(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low <= high:
        raise InputError(f"--series-thickness {text}: give a range in mm from low to high, like 0.5-5")
    return low, high
