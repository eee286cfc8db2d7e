"""A label volume that a person has finished, into a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.annotate.errors import ConflictError
from ivos.annotate.monailabel.drawing import draw
from ivos.annotate.monailabel.scribbles import INSIDE, OUTSIDE
from ivos.annotate.monailabel.vocabulary import with_ids
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.annotate.monailabel.given import Given
    from ivos.annotate.session.scan_session import ScanSession
    from ivos.types import Array
    from ivos.volume.volume import Volume


def save(
    opened: ScanSession,
    labels: Volume,
    numbers: Mapping[str, int],
    usual: Mapping[str, int],
    given: Given,
    who: str,
    *,
    source: str,
) -> None:
    """Have a session hold exactly what a label volume says of its segments; what it does not name stays.

    What differs from the session counts as drawn. An empty segment says nothing if the plug-in was never given its
    structure: it has made one for every name that it knows, whatever there is on the page.

    Args:
        opened: the scan.
        labels: on its grid.
        numbers: of the segments in it, by name.
        usual: ids of structures; see :func:`~ivos.annotate.monailabel.vocabulary.with_ids`.
        given: what was answered before.
        who: has drawn it.
        source: name of the file that it came in.

    Raises:
        ConflictError: a structure is locked on the page, and differs.
        InputError: it cannot be drawn.
    """
    named = {name: number for name, number in numbers.items() if name not in (INSIDE, OUTSIDE)}
    ids, present = with_ids(opened, named, usual, who), set(structures_in(labels.array))
    ids = {k: v for k, v in ids.items() if named[k] in present or given.mask(opened.id, v) is not None}
    wanted = _renumbered(labels.array, {named[name]: structure for name, structure in ids.items()})
    before = opened.named_labels().array
    _check_unlocked(opened, before, wanted, ids)
    differs = [index for index in range(len(before)) if _differs(before[index], wanted[index], ids)]
    _draw(opened, labels, wanted, differs, ids, who, source)
    nowhere = np.zeros(before.shape[1:], bool)
    for index in differs:
        for structure in sorted(set(ids.values()) & set(structures_in(before[index]))):
            if not (wanted[index] == structure).any():
                draw(opened, structure, "axial", index, nowhere, who)
    for structure in ids.values():
        given.keep(opened.id, structure, wanted == structure)


def _draw(
    opened: ScanSession, labels: Volume, wanted: Array, slices: list[int], ids: Mapping[str, int], who: str, source: str
) -> None:
    """Draw all structures on some slices, in one step."""
    part = np.zeros_like(wanted)
    part[slices] = wanted[slices]
    if part.any():
        names = {structure: name for name, structure in ids.items()}
        opened.load(labels.with_array(part, names), who, drawn=True, name=source, axis="axial")


def _renumbered(labels: Array, ids: Mapping[int, int]) -> Array:
    """Labels (Z, Y, X) by our ids; 0 for numbers that are not among them."""
    table = np.zeros(max(int(labels.max()), *ids, 0) + 1, np.uint8)
    for number, structure in ids.items():
        table[number] = structure
    return table[labels]


def _differs(before: Array, wanted: Array, ids: Mapping[str, int]) -> bool:
    """Whether two slices say something else of some structures."""
    known = np.isin(before, list(ids.values()))
    return bool((np.where(known, before, 0) != wanted).any())


def _check_unlocked(opened: ScanSession, before: Array, wanted: Array, ids: Mapping[str, int]) -> None:
    """Refuse to change, or to draw over, what is locked: what a person has saved would not be what is kept."""
    for structure in opened.message().structures:
        if structure.frozen:
            there = before == structure.id
            drawn_over = there & (wanted != structure.id) & (wanted != 0)
            differs = structure.name in ids and bool((there != (wanted == structure.id)).any())
            if differs or drawn_over.any():
                raise ConflictError(
                    f"'{structure.name}' is locked on the page and differs: unlock it there, save again"
                )
