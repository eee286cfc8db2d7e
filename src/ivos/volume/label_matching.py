"""One numbering for labels that number their structures differently, by the names that their files have for them."""

from __future__ import annotations

import logging
import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ivos.errors import InputError
from ivos.volume.anatomy_names import dicom_text
from ivos.volume.label_layers import LabelLayers
from ivos.volume.labels import IGNORE_NAME, apply_mapping, canonical_name
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

_log = logging.getLogger(__name__)

By = Literal["auto", "id", "name"]
"""What tells which labels of two files are one structure: equal ids; names; or ids unless the names say otherwise."""

_PLACEHOLDER = re.compile(r"(label|segment|region|roi|structure|class|object|mask)?_?\d+(_\d+)?|")
_SHOWN = 4  # labels in a message

REMEDY = "bring both to one numbering, or say which counts: --by id or --by name"
"""What a user can do where names contradict each other."""


@dataclass(frozen=True)
class Table:
    """The structures of a label file.

    Attributes:
        what: how to call the file in a message.
        names: its names by label id.
        ids: gives the label ids in its voxels; is called only where the names make a difference.
    """

    what: str
    names: Mapping[int, str]
    ids: Callable[[], Collection[int]]

    @property
    def known(self) -> dict[int, str]:
        """Names in one spelling by label id, without those that say nothing, such as ``Segment_1``, and the ignored."""
        spelled = {label: _spelled(name) for label, name in self.names.items() if label != 0}
        return {
            label: name for label, name in spelled.items() if name != IGNORE_NAME and not _PLACEHOLDER.fullmatch(name)
        }

    @property
    def ignored(self) -> set[int]:
        """The label ids that are named "ignore"."""
        return {label for label, name in self.names.items() if _spelled(name) == IGNORE_NAME}

    @property
    def structures(self) -> set[int]:
        """The label ids in its voxels that stand for a structure."""
        return set(self.ids()) - self.ignored - {0}

    def called(self, label: int) -> str:
        """A label as a message says it: ``1 (liver)``."""
        name = self.names.get(label)
        return f"{label} ({name})" if name else str(label)


def table_of(labels: Volume | LabelLayers, what: str) -> Table:
    """The structures of labels; see :class:`Table`."""
    layers = LabelLayers((labels,)) if isinstance(labels, Volume) else labels
    return Table(what, layers.names, lambda: layers.ids)


@dataclass
class Numbering:
    """A numbering that several label files come to share: the first one's, and what others have beside it.

    Attributes:
        by: what tells which labels are one structure.
        remedy: what a user can do where names contradict each other.
        what: how to call the numbering in a message; the first file's name if it is empty.
    """

    by: By = "auto"
    remedy: str = REMEDY
    what: str = ""
    _names: dict[int, str] = field(default_factory=dict, init=False)
    _taken: list[tuple[Table, Mapping[int, int] | None]] = field(default_factory=list, init=False)

    @property
    def names(self) -> dict[int, str]:
        """The names by id so far."""
        return dict(self._names)

    def ids_of(self, table: Table) -> dict[int, int] | None:
        """The ids of a file's labels in this numbering; its structures become part of it.

        Returns:
            New ids by the ids in the file's voxels; None where all stay as they are.

        Raises:
            InputError: the names contradict the numbering, or say too little to match by.
        """
        ids = None
        if self._taken:
            reference = Table(self.what or self._taken[0][0].what, self._names, self._present)
            ids = matched_ids(table, reference, self.by, self.remedy)
        moved = dict(table.names) if ids is None else new_names(table.names, ids)
        known = Table("", self._names, list).known
        self._names.update({label: name for label, name in moved.items() if label not in known})
        self._taken.append((table, ids))
        return ids

    def _present(self) -> set[int]:
        return {label if ids is None else ids.get(label, label) for table, ids in self._taken for label in table.ids()}


def in_one_numbering(
    labels: Sequence[Volume], paths: Sequence[Path], by: By = "auto", note: Callable[[str], None] = _log.warning
) -> list[Volume]:
    """Several label volumes of one scan under the label ids of the first.

    Args:
        labels: as they came.
        paths: of their files, for messages.
        by: what tells which labels are one structure.
        note: is called with a sentence on each folder whose labels were given other ids.

    Raises:
        InputError: names contradict each other.
    """
    numbering, found = Numbering(by=by), []
    for volume, path in zip(labels, paths, strict=True):
        table = table_of(volume, str(path))
        ids = numbering.ids_of(table)
        if ids is not None:
            note(changes(replace(table, what=str(path.parent)), ids, str(paths[0].parent)))
        found.append(volume if by == "id" else numbered(volume, ids, numbering.names))
    return found


def matched_ids(table: Table, reference: Table, by: By = "auto", remedy: str = REMEDY) -> dict[int, int] | None:
    """Which label of a reference each label of a file is.

    By ``"auto"`` equal ids are one structure unless the names contradict that. Then the names decide, if each of the
    labels of one of the two has its counterpart in the other.

    Args:
        table: of the file.
        reference: whose ids are wanted.
        by: what tells which labels are one structure.
        remedy: the end of a message where names contradict each other.

    Returns:
        The reference's ids by the ids in the file's voxels; a structure that the reference does not have keeps its id
        or, where that is taken, gets a new one. None where all ids stay as they are.

    Raises:
        InputError: names contradict each other, stand for two labels of one file or, by ``"name"``, are missing.
    """
    if by == "id":
        return None
    ours, theirs = table.known, reference.known
    if by == "auto" and not _contradictions(ours, theirs):
        return None
    present, expected = table.structures, reference.structures
    clashes = [c for c in _contradictions(ours, theirs) if c[0] in present or c[1] in expected]
    if by == "auto" and not clashes:
        return None
    for one, labels in ((table, present), (reference, expected)):
        _check_unique(one, labels)
    by_name = _by_name(theirs, expected)
    lost = sorted(label for label in present if label in ours and ours[label] not in by_name)
    missing = sorted(label for label in expected if label in theirs and theirs[label] not in ours.values())
    if by == "auto" and lost and missing:
        raise InputError(_contradiction(table, reference, clashes[0], lost, missing, remedy))
    _check_named(table, present, reference, by)
    _check_named(reference, expected, table, by)
    ids = {label: by_name[ours[label]] for label in sorted(present) if ours.get(label) in by_name}
    ids |= {label: label for label in present if label not in ours}
    taken = {*reference.names, *expected, *ids.values()}
    for label in lost:
        ids[label] = label if label not in taken else _free(taken | present)
        taken.add(ids[label])
    for label in sorted(set(table.ids()) & table.ignored):
        free = label if label not in taken else _free(taken | present)
        ids[label] = min(reference.ignored, default=free)
    return None if all(old == new for old, new in ids.items()) else ids


def scheme_ids(table: Table, scheme: Mapping[int, str]) -> dict[int, int] | None:
    """Which label of a scheme each label of a file is, where the file's names show that it has another numbering.

    A scheme says what ids stand for, in place of the names that a file has. It cannot be meant for a file that names a
    structure of the scheme under another id: then names decide.

    Returns:
        The scheme's ids by the ids in the file's voxels; None where they are the same.

    Raises:
        InputError: not all of the file's labels are found in the scheme by name.
    """
    ours = table.known
    theirs = Table("", scheme, list).known
    if all(one == other for one, other in _contradictions(ours, theirs)):
        return None
    present = table.structures
    moved = [(one, other) for one, other in _contradictions(ours, theirs) if one != other and one in present]
    if not moved:
        return None
    _check_unique(table, present)
    by_name = _by_name(theirs, ())
    for label in sorted(present):
        if label in ours and ours[label] not in by_name:
            one, other = moved[0]
            raise InputError(
                f"{table.what}: label {one} is called '{table.names[one]}', which is {other} in the scheme, but the "
                f"scheme has no '{table.names[label]}' (label {label}): bring the labels into the scheme, or take "
                "--by id, which leaves the file's names out of it"
            )
    _check_named(table, present, Table("the scheme", scheme, list), "auto")
    return {label: by_name[ours[label]] if label in ours else label for label in sorted(present)}


def numbered(labels: Volume, ids: Mapping[int, int] | None, reference: Mapping[int, str]) -> Volume:
    """Labels under the ids that :func:`matched_ids` has found.

    Args:
        labels: as they came.
        ids: new ids by old ones; None for the same.
        reference: names by id of what they were matched with: where these name a label otherwise that has no voxels
            here, its name is dropped.
    """
    if ids is not None:
        return labels.with_array(apply_mapping(labels.array, ids), new_names(labels.names, ids))
    others = {label for label, name in labels.names.items() if not same_name(reference.get(label, name), name)}
    absent = others - set(np.unique(labels.array).tolist()) if others else others
    kept = {label: name for label, name in labels.names.items() if label not in absent}
    return labels.with_array(labels.array, kept) if absent else labels


def new_names(names: Mapping[int, str], ids: Mapping[int, int]) -> dict[int, str]:
    """The names under new ids; of labels without voxels, which have no new id, there is none."""
    return {ids[label]: name for label, name in names.items() if label in ids}


def changes(table: Table, ids: Mapping[int, int], reference: str) -> str:
    """Which labels were matched by name, as a user is told."""
    moved = [f"{table.called(old)} is {new}" for old, new in ids.items() if old != new]
    more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
    return f"{table.what}: labels matched by name with {reference}: {', '.join(moved[:_SHOWN])}{more} there"


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same in one spelling, also where one was cut to the room that DICOM has for it."""
    return _spelled(one) == _spelled(other)


def _spelled(name: str) -> str:
    return canonical_name(dicom_text(unicodedata.normalize("NFC", name)))


def _contradictions(ours: Mapping[int, str], theirs: Mapping[int, str]) -> list[tuple[int, int]]:
    """Pairs of ids, of which one or both are in both tables, that equal ids and equal names tell differently."""
    pairs = [(label, label) for label, name in ours.items() if theirs.get(label, name) != name]
    for label, name in ours.items():
        others = [other for other, called in theirs.items() if called == name]
        if others and label not in others:
            pairs += [(label, other) for other in others]
    return pairs


def _check_unique(table: Table, present: Collection[int]) -> None:
    seen: dict[str, int] = {}
    for label in sorted(present):
        name = table.known.get(label)
        if name is None:
            continue
        if name in seen:
            raise InputError(
                f"{table.what}: labels {seen[name]} and {label} are both called '{table.names[label]}', so names "
                "cannot tell them apart: rename one, or take --by id"
            )
        seen[name] = label


def _check_named(table: Table, present: Iterable[int], other: Table, by: By) -> None:
    """Refuse a label without a name where the other file has a name for its id: it may be that one or another."""
    for label in sorted(present):
        if label in table.known:
            continue
        if by == "name":
            raise InputError(f"{table.what}: label {label} has no name to match it by: name it, or leave --by out")
        if label in other.known:
            raise InputError(
                f"{table.what}: label {label} has no name, and is '{other.names[label]}' in {other.what}, whose other "
                "labels are numbered differently: name it, or take --by id"
            )


def _by_name(names: Mapping[int, str], present: Collection[int]) -> dict[str, int]:
    """Ids by name; of two ids with one name the one that has voxels."""
    ordered = sorted(names, key=lambda label: (label in present, -label))
    return {names[label]: label for label in ordered}


def _free(taken: Collection[int]) -> int:
    return max(taken) + 1


def _contradiction(
    table: Table, reference: Table, clash: tuple[int, int], lost: list[int], missing: list[int], remedy: str
) -> str:
    one, other = clash
    if one == other:
        first = f"label {one} is '{table.names[one]}' in {table.what} and '{reference.names[one]}' in {reference.what}"
    else:
        first = f"'{table.names[one]}' is label {one} in {table.what} and {other} in {reference.what}"
    sides = ((table, lost), (reference, missing))
    alone = "; ".join(f"{side.what} alone has {', '.join(map(side.called, labels[:_SHOWN]))}" for side, labels in sides)
    return f"{first}, and names cannot decide: {alone}; {remedy}".rstrip("; ")
