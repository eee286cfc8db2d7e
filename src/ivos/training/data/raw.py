"""Find scans and labels in a folder, in the layouts of public data sets.

A file is labels if its name says so (``a.seg.nrrd``, ``a_labels.nii.gz``; the rule is that of
:mod:`ivos.io.case_names`), or the innermost of its folders that says something: ``labelsTr``, ``masks``,
``annotations``, ``GT`` hold labels, ``imagesTr``, ``img``, ``scans`` hold scans. Everything else is a scan. So
FLARE22 (``images``, ``labels``, ``FLARE22_UnlabeledCase1-1000``), nnU-Net, MSD and AMOS (``imagesTr``, ``labelsTr``,
``imagesTs``), BTCV (``img``, ``label``) and plain folders are read alike. TotalSegmentator's case folders, with a file
for each structure, are a layout of their own.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ivos.errors import InputError
from ivos.files import is_system_file, stem_of, suffix_of
from ivos.io.case_names import is_named_as_labels, without_label_words
from ivos.io.dataset_json import DATASET_JSON, dataset_names
from ivos.io.registry import READABLE
from ivos.volume.labels import bundled_scheme, canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL_FOLDER = re.compile(
    r"^(label|mask|seg|annot|delineat|contour|outline|ground[ _-]?truth|truth|manual|rtstruct)|^gts?(tr|ts|va|[^a-z]|$)"
    r"|[ _-](labels?|masks?|segs?|segmentations?|gt|annotations?|delineations?|contours?)$",
    re.IGNORECASE,
)
_SCAN_FOLDER = re.compile(
    r"^(image|img|scan|volume)|images?$|^(cts?|mrs?|mris?|niftis?)$|unlabel|(no|without)[ _-]?label", re.IGNORECASE
)
_BEFORE_NUMBERS = re.compile(r"^(img|image|label|mask|seg)_?(?=\d)", re.IGNORECASE)  # BTCV: img0001 and label0001
_CHANNEL = re.compile(r"_(\d{4})$")
_MOST_CHANNELS = 4  # files that end in more numbers are cases of their own
_TESTS = re.compile(
    r"^(imagests|imagesva|test|testing|averaged-testing-images|validation|validationset|tuning)$", re.IGNORECASE
)
_CASE_SCAN, _CASE_MASKS = "ct", "segmentations"  # TotalSegmentator; its MR data have mri.nii.gz
_CASE_SCANS = (_CASE_SCAN, "mri")
_MASKS_SCHEME = "totalsegmentator"


@dataclass(frozen=True)
class RawCase:
    """A scan as it was downloaded.

    Attributes:
        name: the file's name without suffix, channel and words like ``img``.
        scan: its file.
        labels: its label file; None without one.
        masks: instead of that, a file for each structure.
        held_out: whether the data set keeps it for testing or validation.
        ids: the cohort's label ids by those of its label file, where they are not the same.
    """

    name: str
    scan: Path
    labels: Path | None = None
    masks: tuple[Path, ...] = ()
    held_out: bool = False
    ids: Mapping[int, int] | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All that belongs to it, the scan first."""
        return (self.scan, *self.masks) if self.labels is None else (self.scan, self.labels)


class Refusal(BaseModel):
    """A case that was left out, and why."""

    model_config = ConfigDict(frozen=True)

    case: str
    reason: str


@dataclass
class RawFolder:
    """What was found.

    Attributes:
        cases: by name.
        refused: what is not a case, and why.
        names: label ids to names, where ``dataset.json`` or masks of single structures have them.
    """

    cases: list[RawCase] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    names: Mapping[int, str] = field(default_factory=dict)


def find_cases(raw: Path) -> RawFolder:
    """Scans and labels in a folder and those below it.

    Raises:
        InputError: no such folder, no scans in it, or a ``dataset.json`` that cannot be read.
    """
    if not raw.is_dir():
        raise InputError(f"{raw}: no such folder")
    found = RawFolder(names=dataset_names(raw / DATASET_JSON))
    files = [
        p
        for p in sorted(raw.rglob("*"))
        if p.is_file() and suffix_of(p) in READABLE and not is_system_file(p.relative_to(raw))
    ]
    in_cases = [p for p in files if p.parent.name == _CASE_MASKS or stem_of(p) in _CASE_SCANS]
    if any(p.parent.name == _CASE_MASKS for p in in_cases):
        _add_case_folders(found, in_cases)
    else:
        _add_files(found, files, raw)
    if not found.cases:
        some = f": {found.refused[0].case}: {found.refused[0].reason}" if found.refused else ""
        raise InputError(f"{raw}: no scans ({', '.join(READABLE)}){some}")
    return found


def _add_files(found: RawFolder, files: list[Path], raw: Path) -> None:
    folders = {path: path.relative_to(raw).parts[:-1] for path in files}
    holds = {path: _holds(folders[path]) for path in files}
    drawn = [path for path in files if holds[path] == "labels" or is_named_as_labels(path)]
    labels, twice = _by_name([(bare_name(stem_of(path)), path) for path in drawn], found)
    scans = [path for path in files if path not in set(drawn)]
    channels = _channels(scans, set(labels) | twice)
    for path in scans:
        if channels[path] > 0:
            found.refused.append(
                Refusal(case=stem_of(path), reason=f"channel {channels[path]}: the first of several is taken")
            )
    first = [path for path in scans if channels[path] <= 0]
    named = [(bare_name(_CHANNEL.sub("", stem_of(p)) if channels[p] == 0 else stem_of(p)), p) for p in first]
    sure = {name: path for name, path in named if holds[path] == "scans"}
    chosen, scan_twice = _by_name(_without_copies(named, sure, holds, found, raw), found)
    for name, path in chosen.items():
        held_out = any(_TESTS.match(folder) for folder in folders[path])
        if name not in twice:
            found.cases.append(RawCase(name, path, labels.pop(name, None), held_out=held_out))
    for name, path in labels.items():
        if name not in scan_twice:
            found.refused.append(Refusal(case=name, reason=f"labels without a scan: {path}"))


def _holds(folders: tuple[str, ...]) -> str | None:
    """What files in nested folders are, ``"scans"`` or ``"labels"``: the innermost that says something decides."""
    for folder in reversed(folders):
        if _SCAN_FOLDER.search(folder):
            return "scans"
        if _LABEL_FOLDER.search(folder):
            return "labels"
    return None


def _without_copies(
    named: list[tuple[str, Path]],
    sure: Mapping[str, Path],
    holds: Mapping[Path, str | None],
    found: RawFolder,
    raw: Path,
) -> list[tuple[str, Path]]:
    """Without folders of which nothing is said and that have names of scans elsewhere: predictions, as a rule.

    Args:
        named: files with their cases.
        sure: those of them in folders of scans.
        holds: what each file is.
        found: where such a folder is refused.
        raw: the folder of all: what lies in it by itself claims to be a scan.
    """
    unsure: set[Path] = set()
    for name, path in named:
        if name in sure and holds[path] is None and path.parent not in (raw, *unsure):
            unsure.add(path.parent)
            reason = f"the folder is passed over: {path} has the name of the scan {sure[name]}"
            found.refused.append(Refusal(case=path.parent.name, reason=reason))
    return [(name, path) for name, path in named if path.parent not in unsure]


def _by_name(named: list[tuple[str, Path]], found: RawFolder) -> tuple[dict[str, Path], set[str]]:
    """Files by case name, and the names that several files have: those are refused, none of them is taken."""
    chosen: dict[str, Path] = {}
    twice: dict[str, list[Path]] = {}
    for name, path in named:
        if name in chosen:
            twice.setdefault(name, [chosen[name]]).append(path)
        else:
            chosen[name] = path
    for name, paths in twice.items():
        del chosen[name]
        more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
        reason = f"there twice: {paths[0]} and {paths[1]}{more}; keep one, or give each a name of its own"
        found.refused.append(Refusal(case=name, reason=reason))
    return chosen, set(twice)


def _channels(scans: list[Path], labelled: set[str]) -> dict[Path, int]:
    """The channel that a scan's name ends in, as in ``case_0000``; -1 for a name that merely ends in a number."""
    siblings = Counter((path.parent, _CHANNEL.sub("", stem_of(path))) for path in scans)
    found = {}
    for path in scans:
        stem = stem_of(path)
        match, base = _CHANNEL.search(stem), _CHANNEL.sub("", stem)
        several = (
            siblings[path.parent, base] <= _MOST_CHANNELS
            and (path.parent / path.name.replace(stem, base + "_0000")).exists()
        )
        is_channel = match and bare_name(stem) not in labelled and (bare_name(base) in labelled or several)
        found[path] = int(match[1]) if match and is_channel else -1
    return found


def bare_name(stem: str) -> str:
    """The case of a file's name, of which the number of a channel is a part here."""
    return _BEFORE_NUMBERS.sub("", without_label_words(unicodedata.normalize("NFC", stem)))


def _add_case_folders(found: RawFolder, files: list[Path]) -> None:
    masks_of: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        if path.parent.name == _CASE_MASKS:
            masks_of[path.parent.parent].append(path)
    found.names = _names_of_masks({stem_of(path) for masks in masks_of.values() for path in masks})
    tables = {folder.parent for folder in masks_of}
    held_out = frozenset().union(*(_held_out(folder / "meta.csv") for folder in tables))
    scans, twice = _by_name([(path.parent.name, path) for path in files if path.parent.name != _CASE_MASKS], found)
    for name, path in scans.items():
        found.cases.append(RawCase(name, path, masks=tuple(masks_of[path.parent]), held_out=name in held_out))
    known = {*scans, *twice}
    for folder in sorted({p.parent.parent for p in files if p.parent.name == _CASE_MASKS}):
        if folder.name not in known:
            found.refused.append(Refusal(case=folder.name, reason=f"masks without {_CASE_SCAN}.nii.gz"))


def _names_of_masks(stems: set[str]) -> dict[int, str]:
    """The scheme's names, and behind them those that it does not have: of other versions of the data set, and of MR."""
    scheme = bundled_scheme(_MASKS_SCHEME).names
    known = {canonical_name(name) for name in scheme.values()}
    others = sorted(stem for stem in stems if canonical_name(stem) not in known)
    return scheme | dict(enumerate(others, start=max(scheme) + 1))


def _held_out(path: Path) -> frozenset[str]:
    """Cases that TotalSegmentator's ``meta.csv`` keeps for validation and testing."""
    if not path.is_file():
        return frozenset()
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.DictReader(file, delimiter=";")
        return frozenset(row["image_id"] for row in rows if row.get("split") in ("val", "test") and row.get("image_id"))
