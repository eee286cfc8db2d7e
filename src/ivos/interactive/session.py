"""A person's work on one scan: draw, click, propagate, commit, undo, save."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ivos.errors import InputError
from ivos.interactive import editing
from ivos.interactive.annotation_state import AnnotatedSlice
from ivos.interactive.correction import Correction
from ivos.interactive.history import History
from ivos.interactive.journal import Journal
from ivos.interactive.pending_prompts import PendingPrompts, added, clicked
from ivos.interactive.propagation import run_propagation
from ivos.interactive.session_file import SavedSession, checksum, load_session, save_session
from ivos.interactive.span import span_around_slice, span_for_range
from ivos.interactive.state import State, new_arrays
from ivos.interactive.suggestions import suggestions
from ivos.interactive.timeline import Timeline
from ivos.interactive.validation import (
    check_free,
    check_name,
    check_new,
    check_points,
    check_there,
    checked_colour,
    checked_index,
    checked_mask,
    checked_stroke,
)
from ivos.prompts.prompts import Strokes
from ivos.propagation.annotated_planes import along_one_axis
from ivos.propagation.bidirectional import SliceStack
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.shape_interpolation import shapes_between
from ivos.types import Axis
from ivos.volume.checks import check_scan, checked_labels
from ivos.volume.label_matching import Table, matched_ids, numbered, table_of
from ivos.volume.labels import scheme_from_names, without_ignored
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.interactive.history import ArrayName, Step
    from ivos.interactive.journal import Recorder
    from ivos.interactive.propagation import Visits
    from ivos.interactive.span import PropagationSpan
    from ivos.interactive.timeline import SliceState
    from ivos.interactive.validation import Points
    from ivos.prompts.prompts import Box, StrokeSegmenter
    from ivos.propagation.corrections.correct import Merge
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import BoolArray
    from ivos.uncertainty.suggest import Suggestions
    from ivos.volume.labels import Colour, Label
    from ivos.volume.volume import Volume

HISTORY_BYTES = 256 * 2**20
_LIKELY = 0.5


def _merge_named(merge: Merge | Literal["repropagate", "anew"] | None) -> Merge | Literal["repropagate"] | None:
    """With the name of today for the one before 0.2."""
    if merge == "anew":
        warnings.warn('merge="anew" is now merge="repropagate"', DeprecationWarning, stacklevel=3)
        return "repropagate"
    return merge


class InteractiveSession:
    """The labels of one scan while a person makes them.

    In all methods ``structure`` is a label id, and ``index`` the number of a slice in canonical order along ``axis``:
    ``"axial"``, ``"coronal"`` or ``"sagittal"``. Masks are bool (H, W), points (row, column) in the slice.

    Whatever is drawn on a slice, a structure's absence too, stays until a person changes it; a committed structure does
    not change at all. Every method that changes something is one step of the history. One that cannot do what it is
    asked raises :class:`~ivos.errors.InputError` and changes nothing. A session belongs to one thread at a time.

    Args:
        scan: the scan.
        engine: carries masks from slice to slice; the bundled network by default.
        strokes: makes masks of scribbles, clicks and boxes; the bundled network by default.
        merge: what carrying a correction makes of old and new masks, by default what the bundled difference-aware
            network says; ``"repropagate"`` propagates everything between the drawn slices on either side instead.
        history_bytes: what undoing may take; the oldest steps go first.
    """

    def __init__(
        self,
        scan: Volume,
        *,
        engine: Engine | None = None,
        strokes: StrokeSegmenter | None = None,
        merge: Merge | Literal["repropagate", "anew"] | None = None,
        history_bytes: int = HISTORY_BYTES,
    ) -> None:
        check_scan(scan)
        self._scan: Volume | None = scan
        self._checksum: str | None = None  # of the scan; taken when the session is saved first
        self._engine, self._segmenter, self._merge = engine, strokes, _merge_named(merge)
        self._standing: PendingPrompts | None = None
        self._stacks: dict[int, SliceStack] = {}
        self._use(SavedSession(scan, State(new_arrays(scan.geometry.shape)), History(history_bytes)))

    def _use(self, saved: SavedSession) -> None:
        self._grid, self._state = saved.grid, saved.state
        self._journal, self._timeline = Journal(saved.state, saved.history), Timeline(saved.state)

    @staticmethod
    def load(
        path: str | Path,
        scan: Volume | None = None,
        *,
        engine: Engine | None = None,
        strokes: StrokeSegmenter | None = None,
        merge: Merge | Literal["repropagate", "anew"] | None = None,
        history_bytes: int = HISTORY_BYTES,
    ) -> InteractiveSession:
        """A saved session, with its history.

        Args:
            path: the file.
            scan: the one that it is of. Without it labels can be seen, drawn, undone and saved, but what looks at the
                scan itself (propagation, strokes) is refused.
            engine: as for a new session.
            strokes: likewise.
            merge: likewise.
            history_bytes: likewise.

        Raises:
            InputError: no such file, not a session, damaged, or of another scan.
        """
        saved, scan_checksum = load_session(Path(path), scan, history_bytes)
        session = InteractiveSession(saved.grid, engine=engine, strokes=strokes, merge=merge)
        session._scan, session._checksum = scan, scan_checksum
        session._use(saved)
        return session

    def save(self, path: str | Path) -> None:
        """Write the session with its history into one file, whole or not at all.

        A propagation that is under way goes on; the slices that it has finished are saved.

        Raises:
            InputError: the file cannot be written.
        """
        self._checksum = self._checksum or checksum(self._grid)
        save_session(Path(path), SavedSession(self._grid, self._state, self._journal.so_far), self._checksum)

    @property
    def structures(self) -> tuple[Label, ...]:
        """The structures by ascending id, with names and colours."""
        return tuple(self._state.facts.by_id.values())

    @property
    def committed(self) -> frozenset[int]:
        """Ids of the committed structures."""
        return self._state.facts.committed

    @property
    def labels(self) -> Volume:
        """Label ids on the scan's grid, uint8: a view that follows the session and cannot be written to."""
        return self._volume("labels")

    @property
    def confidence(self) -> Volume:
        """How sure each voxel's label is, 0..255: 255 where it was drawn or loaded, 0 where nothing was said yet."""
        return self._volume("confidence")

    def drawn(self, axis: Axis | str = "axial") -> dict[int, tuple[SliceState, ...]]:
        """By label id what is known of each structure on each slice along an axis."""
        return self._timeline.along(Axis.parse(axis))

    @property
    def drawn_along(self) -> tuple[str, ...]:
        """The axes along which anything is drawn."""
        axes = {entry.axis for entry in self._state.facts.drawn}
        return tuple(axis.plane for axis in sorted(axes))

    @property
    def revision(self) -> int:
        """A number that every change raises, undoing too; it is this object's and not saved."""
        return self._state.revision

    def changed(self, since: int, axis: Axis | str = "axial") -> list[int]:
        """The slices along an axis on which anything changed after a revision: labels, confidence, or what is drawn.

        Args:
            since: the revision; after 0 all have changed.
            axis: of the slices.
        """
        return [int(n) for n in np.flatnonzero(self._state.revisions[Axis.parse(axis)] > since)]

    def add(self, structure: int, name: str, colour: Colour | None = None) -> None:
        """Add a structure.

        Args:
            structure: its label id, 1 to 255.
            name: its name.
            colour: red, green and blue of 0 to 255; by default the one that goes with the name.
        """
        facts = self._state.facts
        check_new(structure, name, facts)
        label = scheme_from_names({int(structure): name}).labels[0]
        label = label if colour is None else replace(label, colour=checked_colour(colour))
        with self._journal.step_beside() as change:
            change.facts(replace(facts, structures=facts.structures | {label}))

    def rename(self, structure: int, name: str, colour: Colour | None = None) -> None:
        """Give a structure another name; its colour stays, unless another one is given."""
        facts = self._state.facts
        check_there([structure], facts)
        check_name(name)
        old = facts.by_id[structure]
        new = replace(old, name=name, colour=old.colour if colour is None else checked_colour(colour))
        with self._journal.step_beside() as change:
            change.facts(replace(facts, structures=facts.structures - {old} | {new}))

    def remove(self, structure: int) -> None:
        """Remove a structure that is not committed, with its voxels and all that is drawn of it."""
        check_free(structure, self._state.facts)
        journal, why = self._journal, f"{self._named(structure)} was removed"
        with journal.step_beside() if editing.is_bare(self._state, structure) else journal.step(why) as change:
            editing.remove(change, structure)

    def commit(self, structure: int) -> None:
        """Freeze a structure: nothing changes a voxel of it, or makes another voxel it, until it is released."""
        facts = self._state.facts
        check_there([structure], facts)
        with self._journal.step_beside() as change:
            change.facts(replace(facts, committed=facts.committed | {int(structure)}))

    def release(self, structure: int) -> None:
        """Let a committed structure be changed again."""
        facts = self._state.facts
        check_there([structure], facts)
        with self._journal.step_beside() as change:
            change.facts(replace(facts, committed=facts.committed - {structure}))

    def draw(self, index: int, structure: int, mask: BoolArray, axis: Axis | str = "axial") -> None:
        """Say where a structure is on a slice, an empty mask that it is absent.

        It takes the voxels of other structures, drawn ones too, but not those of committed ones.
        """
        about = self._about(index, structure, axis)
        checked = checked_mask(mask, about.axis, self._state.shape)
        with self._journal.step(self._on_slice(about, "drawn")) as change:
            editing.draw(change, about.axis, about.number, {about.structure: checked})

    def brush(
        self,
        index: int,
        structure: int,
        stroke: BoolArray | Points,
        *,
        width: int = 5,
        erase: bool = False,
        axis: Axis | str = "axial",
    ) -> None:
        """Add to a structure on a slice, or take from it; what it has there then counts as drawn.

        Args:
            index: of the slice.
            structure: what is added to.
            stroke: a mask, or points that a line goes through.
            width: of the line in pixels.
            erase: whether to take from it.
            axis: of the slice.
        """
        about = self._about(index, structure, axis)
        pixels, there = checked_stroke(stroke, width, about.axis, self._state.shape), self._mask(about)
        self.draw(index, structure, there & ~pixels if erase else there | pixels, axis)

    def scribble(
        self,
        index: int,
        structure: int,
        *,
        positive: BoolArray | None = None,
        negative: BoolArray | None = None,
        axis: Axis | str = "axial",
    ) -> None:
        """Refine a structure on a slice by masks of scribbles that are in it, and of others that are not.

        Scribbles, clicks and boxes count together as long as they are about one structure on one slice and nothing
        else is done in between. What they make counts as drawn. It takes voxels of other structures that are drawn on
        the slice only right under a positive stroke.
        """
        about = self._about(index, structure, axis)
        given = (np.zeros(self._mask(about).shape, bool) if mask is None else mask for mask in (positive, negative))
        inside, outside = (checked_mask(mask, about.axis, self._state.shape) for mask in given)
        self._stroke(about, Strokes(inside, outside))

    def click(
        self, index: int, structure: int, *, positive: Points = (), negative: Points = (), axis: Axis | str = "axial"
    ) -> None:
        """Refine a structure on a slice by points in it, and points that are not; see :meth:`scribble`."""
        about = self._about(index, structure, axis)
        check_points([*positive, *negative], about.axis, self._state.shape)
        self._stroke(about, clicked(self._mask(about).shape, positive, negative))

    def box(self, index: int, structure: int, box: Box, axis: Axis | str = "axial") -> None:
        """Find a structure in a box (top, left, bottom, right; the last two excluded); see :meth:`scribble`."""
        about = self._about(index, structure, axis)
        self._stroke(about, replace(Strokes.none(self._mask(about).shape), box=box))

    def clear(self, index: int, structure: int, axis: Axis | str = "axial") -> None:
        """Take back what is drawn, or guessed, of a structure on a slice: nothing is known of it there then."""
        about = self._about(index, structure, axis)
        with self._journal.step(self._on_slice(about, "cleared")) as change:
            editing.clear(change, about.axis, about.number, about.structure)

    def fill_between(self, structure: int, first: int, last: int, axis: Axis | str = "axial") -> None:
        """Guess a structure on the slices between those on which it is drawn, by its shapes there and not by the scan.

        Args:
            structure: what is guessed.
            first: no slice before this one counts.
            last: nor one after this.
            axis: of the slices.

        Raises:
            InputError: it is drawn on fewer than two of these slices.
        """
        along, end = self._about(first, structure, axis).axis, self._about(last, structure, axis).number
        drawn = [n for n in self._state.facts.slices(structure, along) if first <= n <= end]
        if len(drawn) < 2:
            raise InputError(
                f"between slices {first} and {last} structure {structure} is drawn on {len(drawn)}: draw two"
            )
        masks: dict[int, BoolArray] = {}
        row, column = (spacing for n, spacing in enumerate(self._grid.geometry.spacing_mm) if n != along)
        for before, after in pairwise(drawn):
            first_mask, last_mask = (self._mask(AnnotatedSlice(along, number, structure)) for number in (before, after))
            shapes = shapes_between(first_mask, last_mask, after - before - 1, (row, column))
            masks |= zip(range(before + 1, after), shapes, strict=True)
        why = f"{self._named(structure)} was filled between {axis} slices {drawn[0]} and {drawn[-1]}"
        with self._journal.step(why) as change:
            editing.fill(change, along, structure, masks)

    def propagate(
        self,
        first: int | None = None,
        last: int | None = None,
        structures: Sequence[int] | None = None,
        axis: Axis | str = "axial",
    ) -> Visits:
        """Carry what is drawn over slices from ``first`` to ``last``: one step of the history.

        What is not asked for does not happen: a caller pauses by not going on, and stops by closing the iterator;
        slices that are finished stay. What changes voxels or what is drawn (drawing, undoing, loading labels, another
        propagation) ends it too; its ``ended`` says by what. Structures may be added, renamed, recoloured, committed
        and released meanwhile: one that is committed stays as it is from then on.

        Propagated structures take voxels of the background, of each other, and of structures that were not chosen; not
        those that are committed, and not those of a structure on slices (of any axis) on which it is drawn. To keep
        what is right, commit it.

        Args:
            first: number of the first slice to change; of the scan's first one by default.
            last: of the last one; of the scan's last one by default.
            structures: label ids to carry; by default all that are drawn along the axis and not committed.
            axis: of the slices.

        Returns:
            An iterator with one item a visited slice.
        """
        along, facts, labels = Axis.parse(axis), self._state.facts, self._state.labels
        ends = (0 if first is None else first, labels.shape[along] - 1 if last is None else last)
        begin, end = (checked_index(index, along, labels.shape) for index in ends)
        check_there(structures or (), facts)
        stretch = span_for_range(facts, labels, along, begin, end, structures)
        return self._carry(stretch)

    def correct(self, index: int, structures: Sequence[int] | None = None, axis: Axis | str = "axial") -> Visits:
        """Carry a corrected slice both ways, up to the next drawn ones; otherwise as :meth:`propagate`.

        Args:
            index: of the slice.
            structures: label ids to carry; by default all that are drawn on it and not committed.
            axis: of the slices.

        Returns:
            An iterator with one item a visited slice.
        """
        along, facts, labels = Axis.parse(axis), self._state.facts, self._state.labels
        check_there(structures or (), facts)
        number = checked_index(index, along, labels.shape)
        stretch = span_around_slice(facts, labels, along, number, structures)
        if self._merge == "repropagate":
            return self._carry(stretch)
        if self._merge is None:
            from ivos.propagation.corrections.difference_aware import (
                difference_aware,  # PyTorch: only who corrects waits
            )

            self._merge = difference_aware()
        guessed, confidence = (self._state.arrays[name] for name in ("guessed", "confidence"))
        return self._carry(Correction(stretch, number, self._merge, guessed, confidence))

    def suggest(self, count: int = 5, axis: Axis | str = "axial") -> Suggestions:
        """Which slices to draw next, for all structures together and for each, by what propagation has left.

        Structures count that were propagated along the axis and are not committed.

        Args:
            count: of slices, at most.
            axis: of the slices.

        Raises:
            InputError: nothing is propagated along the axis.
        """
        return suggestions(self._state, Axis.parse(axis), count)

    def load_labels(self, labels: Volume, *, drawn: bool = False, axis: Axis | str | None = None) -> None:
        """Take labels from outside: a segmentation, or slices that were drawn elsewhere.

        Structures that the session does not have are added, under the names that the labels have for them; those that
        it has under another id are found by their names, see :func:`ivos.volume.label_matching.matched_ids`. Committed
        structures stay as they are.

        Args:
            labels: on the scan's grid.
            drawn: whether they are a person's word: then every structure on every filled slice counts as drawn there.
                Otherwise they are a guess, and give way to what is drawn as propagation does.
            axis: of the slices; by default that along which they are drawn.

        Raises:
            InputError: another grid, labels beyond 255, slices that are drawn along several axes, names that contradict
                those of the session, or what :func:`ivos.read_labels` would refuse.
        """
        labels = checked_labels(labels, "labels to load")
        there = on_grid_of(labels, self._grid, "labels to load")
        if axis is not None:
            along = Axis.parse(axis)
        else:
            along = along_one_axis(there, what="labels to load").axis if drawn else Axis.AXIAL
        there = without_ignored(self._numbered(there))
        editing.check_loadable(there.array)
        with self._journal.step("labels were loaded") as change:
            editing.load(change, there, along, drawn=drawn)

    def _numbered(self, labels: Volume) -> Volume:
        """Labels from outside under the ids that the session has for their names."""
        names = {structure.id: structure.name for structure in self.structures}
        there = Table("the scan's structures", names, lambda: np.unique(self._state.labels).tolist())
        ids = matched_ids(table_of(labels, "labels to load"), there, remedy="rename one of them")
        return numbered(labels, ids, names)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo; a propagation under way is one."""
        return self._journal.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step to do again."""
        return self._journal.can_redo

    def undo(self) -> None:
        """Take the last step back, bit for bit.

        While a propagation is under way that is what was named or committed since it began; if nothing was, the
        propagation ends, and is that step.
        """
        self._journal.undo()

    def redo(self) -> None:
        """Do the last undone step again."""
        self._journal.redo()

    def record(self, recorder: Recorder | None) -> None:
        """Have somebody told of everything that changes from now on, undoing too; nobody by default."""
        self._journal.recorder = recorder

    def replay(self, step: Step) -> None:
        """Do what another session has recorded, which was in the state that this one is in.

        Raises:
            InputError: it is damaged.
        """
        self._journal.replay(step)

    @property
    def under_way(self) -> Step | None:
        """What a propagation under way has done so far; None if there is none."""
        return self._journal.under_way

    @property
    def used_bytes(self) -> int:
        """What the session takes in memory, about: its arrays and what can be undone, not the scan."""
        return sum(array.nbytes for array in self._state.arrays.values()) + self._journal.so_far.used_bytes

    def _carry(self, stretch: PropagationSpan | Correction) -> Visits:
        """Begin a step that lasts for as long as its caller goes on."""
        stack = self._stack(stretch.axis)
        self._engine = self._engine or create_engine("fast")
        change = self._journal.begin("another propagation began")
        return run_propagation(self._journal, change, stretch, stack, self._engine)

    def _stroke(self, about: AnnotatedSlice, strokes: Strokes) -> None:
        """Make a mask of strokes and those before them, and draw it."""
        if strokes.empty:
            raise InputError("no stroke: give a scribble, a click or a box")
        if self._segmenter is None:
            from ivos.prompts.segmenters import stroke_segmenter  # PyTorch: only who makes strokes waits

            self._segmenter = stroke_segmenter()
        image = self._stack(about.axis)[about.number].image
        if self._standing is not None and self._standing.go_on(about, self.revision):
            strokes = added(self._standing.strokes, strokes)
        outside = strokes.negative | (self._drawn_of_others(about) & ~strokes.positive)
        likely = self._segmenter(image, replace(strokes, negative=outside), self._mask(about)) > _LIKELY
        mask = likely & ~outside
        with self._journal.step(self._on_slice(about, "drawn")) as change:
            editing.draw(change, about.axis, about.number, {about.structure: mask})
        self._standing = PendingPrompts(about, strokes, self.revision)

    def _named(self, structure: int) -> str:
        return self._state.facts.by_id[structure].name

    def _on_slice(self, about: AnnotatedSlice, what: str) -> str:
        return f"{self._named(about.structure)} was {what} on {about.axis} slice {about.number}"

    def _about(self, index: int, structure: int, axis: Axis | str) -> AnnotatedSlice:
        """A structure on a slice, both of which can be drawn."""
        along = Axis.parse(axis)
        check_free(structure, self._state.facts)
        return AnnotatedSlice(along, checked_index(index, along, self._state.shape), int(structure))

    def _mask(self, about: AnnotatedSlice) -> BoolArray:
        """Where a structure is on a slice (H, W)."""
        there: BoolArray = self._state.labels.take(about.number, about.axis) == about.structure
        return there

    def _drawn_of_others(self, about: AnnotatedSlice) -> BoolArray:
        """Where on a slice (H, W) other structures are that are drawn on it."""
        drawn = [k for k in self._state.facts.by_id if about._replace(structure=k) in self._state.facts.drawn]
        others: BoolArray = np.isin(self._state.labels.take(about.number, about.axis), drawn) & ~self._mask(about)
        return others

    def _stack(self, axis: Axis) -> SliceStack:
        """The scan's slices along an array axis."""
        if self._scan is None:
            raise InputError("this session was loaded without its scan: load it with the scan for this")
        if axis not in self._stacks:
            self._stacks[axis] = SliceStack.of(self._scan, axis, "auto")
        return self._stacks[axis]

    def _volume(self, name: ArrayName) -> Volume:
        array = self._state.arrays[name].view()
        array.flags.writeable = False
        return self._grid.with_array(array, {label.id: label.name for label in self.structures})
