"""A scan that is open: its session, what runs in it, and everybody who is told of it. All of it in the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.annotate.errors import ConflictError, NotFoundError, StorageFullError
from ivos.annotate.messages import Done, Propagate, Scan, SliceRange, Suggested
from ivos.annotate.session import actions
from ivos.annotate.session.jobs import PropagationJob
from ivos.annotate.session.overview import Overview, windows_of
from ivos.annotate.session.volumes import Voxels, part_of
from ivos.annotate.storage.recorder import ActionRequest, Recorder, as_json
from ivos.annotate.storage.restoring import keep_snapshot, restored
from ivos.errors import InputError
from ivos.types import Axis

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.annotate.messages import Action, AxisName, Job
    from ivos.annotate.session.context import ServerContext
    from ivos.annotate.session.jobs import Running
    from ivos.interactive.propagation import Visits
    from ivos.volume.volume import Volume

_ENTRIES_BETWEEN_SNAPSHOTS = 200


class ScanSession:
    """One scan. Everything but the attributes is called in the worker alone.

    Args:
        id_: of the scan.
        volume: the scan.
        means: shared with other scans.

    Attributes:
        id: of the scan.
        volume: the scan.
        job: what runs; None if nothing does.
    """

    def __init__(self, id_: str, volume: Volume, means: ServerContext) -> None:
        self.id, self.volume, self._means = id_, volume, means
        self.job: Running | None = None
        self._modality, self._windows = windows_of(volume)
        self._restore()

    def _restore(self) -> None:
        """Go back to what is on the disk."""
        means = self._means
        self._session, self._corrections = restored(
            means.store,
            self.id,
            self.volume,
            engine=means.engine,
            strokes=means.strokes,
            temporary=means.temporary,
        )
        self._overview = Overview(self._session)
        self._recorder = Recorder(means.store, self.id, lambda: self._corrections)
        self._session.record(self._recorder)
        self._visits: Visits | None = None  # of the propagation that runs
        self._propagation_asked: ActionRequest | None = None

    @property
    def version(self) -> int:
        """Raised by every change, and never the same again: it is on the disk."""
        return self._means.store.last_entry(self.id)

    def message(self) -> Scan:
        """What a page shows of it."""
        kept, session = self._means.store.scan(self.id), self._session
        drawn, propagated, doubtful, corrected = self._overview.slices(self._corrections.there)
        return Scan(
            id=self.id,
            name=kept.name,
            state=kept.state,
            version=self.version,
            shape=session.labels.geometry.shape,
            spacing_mm=session.labels.geometry.spacing_mm,
            modality=self._modality,
            windows=self._windows,
            structures=self._overview.structures(),
            drawn=drawn,
            propagated=propagated,
            doubtful=doubtful,
            corrected=corrected,
            undo=session.can_undo,
            redo=session.can_redo,
            job=self.job.message if self.job is not None else None,
            memory=self._means.memory(),
            reference=self._means.finds,
        )

    def labels(self, slices: SliceRange | None) -> Voxels:
        """Label ids, of some slices or of all."""
        self._write_parts()
        return Voxels(part_of(self._session.labels.array, slices), self.version)

    def uncertainty(self) -> Voxels:
        """255 - confidence of all voxels.

        Raises:
            NotThereError: nothing is propagated yet.
        """
        self._write_parts()
        if not self._overview.any_propagated:
            raise NotFoundError("nothing is propagated yet, so nothing is uncertain: propagate first")
        return Voxels(255 - self._session.confidence.array, self.version)

    def named_labels(self) -> Volume:
        """A copy of the labels, to be written to a file."""
        self._write_parts()
        labels = self._session.labels
        return labels.with_array(labels.array.copy(), labels.names)

    def act(self, action: Action, who: str) -> Done:
        """Do what is asked for; it is on the disk when this returns.

        A propagation that runs goes on unless voxels or what is drawn change: see
        :meth:`ivos.interactive.session.InteractiveSession.propagate`. If it ends, the answer says so.

        Raises:
            InputError: it cannot be done; nothing was changed.
            NotKeptError: the disk is full; all is as it was.
        """
        about = actions.about(action)
        more = {"corrects": about} if about is not None and self._is_propagated(*about) else {}
        axis: AxisName = getattr(action, "axis", "axial")
        return self._do(
            lambda: actions.perform(self._session, action), ActionRequest(as_json(action, **more), who), axis
        )

    def load(self, labels: Volume, who: str, *, drawn: bool, name: str, axis: AxisName | None = None) -> Done:
        """Take labels from outside.

        Args:
            labels: on the scan's grid.
            who: asked for it.
            drawn: whether they are a person's word.
            name: of their file.
            axis: of drawn slices; by default that along which they are drawn.

        Raises:
            InputError: another grid, what are no labels, or slices that are drawn along several axes.
            NotKeptError: the disk is full; all is as it was.
        """
        asked = ActionRequest(as_json(None, do="load", drawn=drawn, name=name), who)
        return self._do(lambda: self._session.load_labels(labels, drawn=drawn, axis=axis), asked, "axial")

    def _do(self, what: Callable[[], None], asked: ActionRequest, axis: AxisName) -> Done:
        """Do something, and tell everybody."""
        before = self._session.revision
        try:
            self._write_parts()  # of a propagation that runs, as what that was asked for
            self._recorder.asked = asked
            what()
        except StorageFullError:
            self._session.record(None)
            self._restore()
            self._interrupt("the disk is full")
            self.tell_all()
            raise
        finally:
            self._recorder.asked = self._propagation_asked or asked
        ended = None
        if self.job is not None and self.job.cut_off:
            ended = self._interrupt(self._visits.why if self._visits is not None else None)
        self._snapshot_now_and_then()
        changed = self._session.changed(before, axis) if self._session.revision > before else []
        span = SliceRange(axis=axis, first=changed[0], last=changed[-1]) if changed else None
        done = Done(version=self.version, changed=span, scan=self.message(), ended=ended)
        self._tell_changed(span)
        self._means.events.tell(self.id, "scan", done.scan.model_dump(mode="json"))
        return done

    def propagate(self, request: Propagate, who: str) -> Job:
        """Begin to propagate.

        Raises:
            ConflictError: something runs already.
            InputError: there is nothing to propagate, or not there.
        """
        self._check_idle()
        first, last = actions.slices_asked_for(request, self._session)
        visits = self._session.propagate(first, last, request.structures, request.axis)
        self._propagation_asked = self._recorder.asked = ActionRequest(as_json(request, do="propagate"), who)
        self._visits = visits
        total = self.volume.array.shape[Axis.parse(request.axis)]
        job = PropagationJob(self, self._means.worker, visits, request.axis, total)
        self.begin(job)
        job.start()
        return job.message

    def begin(self, job: Running) -> None:
        """Take a job on.

        Raises:
            ConflictError: another one runs.
        """
        self._check_idle()
        self.job = job
        self._tell_job()

    def pause(self, *, paused: bool) -> Job:
        """Pause what runs, or let it go on.

        Raises:
            NotThereError: nothing runs.
        """
        job = self._running()
        job.pause(paused)
        return job.message

    def stop(self) -> Job:
        """End what runs; what it has finished stays.

        Raises:
            NotThereError: nothing runs.
        """
        job = self._running()
        job.stop()
        return job.message

    def suggestions(self, axis: AxisName) -> list[Suggested]:
        """Which slices to draw next; none before anything was propagated."""
        if not self._overview.any_propagated or self.job is not None:
            return []
        try:
            found = self._session.suggest(axis=axis).slices
        except InputError:  # nothing along this axis
            return []
        return [Suggested(index=s.index, structure=s.structure, why=s.why, gain=s.gain) for s in found]

    def close(self) -> None:
        """End what runs, and keep a snapshot so that it opens faster the next time; nothing may be called after it."""
        self._interrupt("the scan was closed")
        self._snapshot_now_and_then(at_least=20)
        self._session.record(None)  # the session, and with it the scan's arrays, would wait for a collection of cycles

    # What a job calls

    def keep(self, finished: SliceRange | None) -> None:
        """Write what a job has finished, and tell of it.

        Raises:
            NotKeptError: the disk is full.
        """
        self._write_parts()
        self._tell_changed(finished)
        self._tell_job()

    def ended(self, line: str | None) -> None:
        """The job is over."""
        self._tell_job()
        self.job = self._visits = self._propagation_asked = None
        if line is not None:
            self.tell_error(line)
            self._session.record(None)  # what is left of the job must not write any more
            self._restore()  # whatever has happened, what is on the disk holds
        self.tell_all()
        self._snapshot_now_and_then()

    def tell_error(self, line: str) -> None:
        """Tell everybody what went wrong."""
        self._means.events.tell(self.id, "error", line)

    def _write_parts(self) -> None:
        under_way = self._session.under_way
        if under_way is not None:
            self._recorder.part(under_way)

    def _interrupt(self, why: str | None) -> str | None:
        return self.job.stop(why) if self.job is not None else None

    def _check_idle(self) -> None:
        if self.job is not None:
            raise ConflictError("something runs in this scan already: wait for it, or stop it first")

    def _running(self) -> Running:
        if self.job is None:
            raise NotFoundError("nothing runs in this scan")
        return self.job

    def _is_propagated(self, axis: AxisName, index: int, structure: int) -> bool:
        states = self._session.drawn(axis).get(structure, ())
        return index < len(states) and states[index] == "propagated"

    def _snapshot_now_and_then(self, at_least: int = _ENTRIES_BETWEEN_SNAPSHOTS) -> None:
        if self.job is None:
            keep_snapshot(self._means.store, self.id, self._session, self._means.temporary, at_least)

    def _tell_changed(self, span: SliceRange | None) -> None:
        if span is not None:
            self._means.events.tell(self.id, "changed", {**span.model_dump(), "version": self.version})

    def _tell_job(self) -> None:
        if self.job is not None:
            self._means.events.tell(self.id, "job", self.job.message.model_dump())

    def tell_all(self) -> None:
        """Tell everybody how the scan is now."""
        self._means.events.tell(self.id, "scan", self.message().model_dump(mode="json"))
