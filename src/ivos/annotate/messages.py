"""What a page may ask of the server, and what it is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

AxisName = Literal["axial", "coronal", "sagittal"]
ScanState = Literal["new", "in work", "done"]
Direction = Literal["both", "forward", "backward", "next"]
ExportFormat = Literal["nifti", "nrrd", "dicom-seg", "png", "journal"]
JobState = Literal["running", "paused", "stopped", "done", "failed"]

_MOST_SLICES = 65_535
_MOST_POINTS = 10_000
_MOST_STROKES = 1_000

StructureId = Annotated[int, Field(ge=1, le=255, strict=True)]
SliceNumber = Annotated[int, Field(ge=0, le=_MOST_SLICES, strict=True)]
Coordinate = Annotated[int, Field(ge=0, le=_MOST_SLICES, strict=True)]
Pixel = tuple[Coordinate, Coordinate]
Points = Annotated[list[Pixel], Field(max_length=_MOST_POINTS)]
Lines = Annotated[list[Annotated[Points, Field(min_length=1)]], Field(max_length=_MOST_STROKES)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PackedMask(_Message):
    """A box of a slice: its bits row by row, the high bit first, in base64; outside of it there is nothing."""

    top: Coordinate
    left: Coordinate
    shape: tuple[Coordinate, Coordinate]
    bits: Annotated[str, Field(max_length=2**24)]


class _OnSlice(_Message):
    structure: StructureId
    axis: AxisName = "axial"
    index: SliceNumber


class Draw(_OnSlice):
    """This is the structure on this slice."""

    do: Literal["draw"]
    mask: PackedMask


class Brush(_OnSlice):
    """Add to a structure, or erase."""

    do: Literal["brush"]
    mask: PackedMask
    erase: StrictBool = False


class Scribble(_OnSlice):
    """Lines in a structure, and lines outside of it."""

    do: Literal["scribble"]
    positive: Lines = []
    negative: Lines = []
    radius: Annotated[int, Field(ge=0, le=100, strict=True)] = 2


class Click(_OnSlice):
    """Points in a structure, and points outside of it."""

    do: Literal["click"]
    positive: Points = []
    negative: Points = []


class Box(_OnSlice):
    """What a structure fits into: top, left, bottom, right; the last two excluded."""

    do: Literal["box"]
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate]


class Polygon(_OnSlice):
    """Add the inside of an outline to a structure, or erase it."""

    do: Literal["polygon"]
    points: Annotated[Points, Field(min_length=3)]
    erase: StrictBool = False


class Clear(_OnSlice):
    """Take back what is drawn on a slice."""

    do: Literal["clear"]


class FillBetween(_Message):
    """Interpolate the shape of a structure between its drawn slices."""

    do: Literal["fill_between"]
    structure: StructureId
    axis: AxisName = "axial"
    first: SliceNumber
    last: SliceNumber


class Add(_Message):
    """Add a structure; without an id it gets the lowest free one."""

    do: Literal["add"]
    id: StructureId | None = None
    name: Name
    colour: Colour | None = None


class Rename(_Message):
    """Give a structure another name, or colour."""

    do: Literal["rename"]
    structure: StructureId
    name: Name
    colour: Colour | None = None


class OnStructure(_Message):
    """Remove a structure, freeze it or let it be changed again."""

    do: Literal["remove", "lock", "unlock"]
    structure: StructureId


class Turn(_Message):
    """Undo, or do again."""

    do: Literal["undo", "redo"]


Action = Annotated[
    Draw | Brush | Scribble | Click | Box | Polygon | Clear | FillBetween | Add | Rename | OnStructure | Turn,
    Field(discriminator="do"),
]


class Propagate(_Message):
    """Carry what is drawn over slices; ``index`` is the slice that is shown, which all directions but "both" need."""

    first: SliceNumber | None = None
    last: SliceNumber | None = None
    structures: Annotated[list[StructureId], Field(min_length=1, max_length=255)] | None = None
    axis: AxisName = "axial"
    direction: Direction = "both"
    index: SliceNumber | None = None


class Pause(_Message):
    """Pause a job, or let it go on."""

    paused: StrictBool


class Budget(_Message):
    """What open scans may take in memory."""

    budget_bytes: Annotated[int, Field(ge=0, le=2**50, strict=True)]


class StateChange(_Message):
    """How far a scan is."""

    state: ScanState


class Problem(_Message):
    """Why something was refused: one line that says what, where, and what to do."""

    detail: str


class ScanSummary(_Message):
    """A line of the work list."""

    id: str
    name: str
    state: ScanState
    changed: str | None


class IntensityWindow(_Message):
    """A way of showing intensities."""

    name: str
    level: float
    width: float


class Structure(_Message):
    """A structure of a scan."""

    id: int
    name: str
    colour: str
    frozen: bool
    volume_ml: float


class Job(_Message):
    """What runs, how far it is, and how fast it goes; once it is over by something else, what that was."""

    id: str
    state: JobState
    done: int
    total: int
    slices_per_second: float | None = None
    ended: str | None = None


class Memory(_Message):
    """What the server's process holds in memory, networks and libraries too, and from when on it closes scans."""

    used_bytes: int
    budget_bytes: int


SlicesOf = dict[AxisName, dict[int, list[int]]]
RunsOf = dict[AxisName, dict[int, list[tuple[int, int]]]]


class Scan(_Message):
    """All that a page shows beside the voxels. Slices are listed by axis and structure."""

    id: str
    name: str
    state: ScanState
    version: int
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    modality: Literal["ct", "mr"]
    windows: list[IntensityWindow]
    structures: list[Structure]
    drawn: SlicesOf
    propagated: RunsOf
    doubtful: SlicesOf
    corrected: SlicesOf
    undo: bool
    redo: bool
    job: Job | None
    memory: Memory
    reference: bool


class SliceRange(_Message):
    """Slices that look otherwise now; both ends included."""

    axis: AxisName
    first: int
    last: int


class Done(_Message):
    """What an action has changed; it is on disk. If it has ended what ran, a line says so."""

    version: int
    changed: SliceRange | None
    scan: Scan
    ended: str | None = None


class Suggested(_Message):
    """A slice to draw next."""

    index: int
    structure: int | None
    why: str
    gain: float
