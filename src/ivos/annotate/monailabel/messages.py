"""What plug-ins say of their requests. They may say more, which is passed over: versions and settings differ."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ivos.annotate.messages import AxisName, Name

_MOST_POINTS = 10_000
_MOST_VOXELS_ALONG = 65_535

Place = Annotated[int, Field(ge=0, le=_MOST_VOXELS_ALONG)]
Voxel = tuple[Place, Place, Place]
"""Index (i, j, k) of a voxel in the scan's file: along its columns, rows and slices."""
Voxels = Annotated[list[Voxel], Field(max_length=_MOST_POINTS)]

Extension = Literal[".nii", ".nii.gz", ".nrrd"]
Output = Literal["image", "json", "all"]


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Segment(_Said):
    """A segment of the plug-in, and the number that its voxels have in the label volume that comes with it."""

    name: Name
    number: Annotated[int, Field(ge=1, le=_MOST_VOXELS_ALONG, validation_alias=AliasChoices("idx", "id"))]


class Parameters(_Said):
    """The field ``params`` of a request.

    Attributes:
        result_extension: of the file that is to be answered.
        result_dtype: of its voxels.
        result_compress: whether they are to be packed.
        label_info: which segments the label volume holds; empty where the plug-in does not say.
        selected_label_name: the segment that scribbles are about.
        label: the segment that points are about.
        foreground: points in it.
        background: points outside of it.
        axis: along which slices were drawn.
    """

    result_extension: Extension = ".nii.gz"
    result_dtype: Literal["uint8", "uint16"] = "uint8"
    result_compress: bool = True
    label_info: Annotated[list[Segment], Field(max_length=_MOST_VOXELS_ALONG)] = []
    selected_label_name: Name | None = None
    label: Name | None = None
    foreground: Voxels = []
    background: Voxels = []
    axis: AxisName = "axial"
