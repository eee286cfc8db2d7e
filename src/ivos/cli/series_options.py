"""The options by which commands choose among DICOM series and their stacks."""

from __future__ import annotations

from typing import Annotated

import typer

SeriesOption = Annotated[str | None, typer.Option("--series", help="DICOM: last characters of the series to take.")]
StackOption = Annotated[
    int | None,
    typer.Option("--stack", min=1, help="DICOM: which stack of the series to take, as ivos info numbers them."),
]
