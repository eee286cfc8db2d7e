"""Convert a downloaded folder to the store that trainings read: checked, split, reproducible."""

from __future__ import annotations

import csv
import hashlib
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ivos.errors import InputError, counted
from ivos.files import replacing, stem_of
from ivos.io.dataset_json import ignored_beside
from ivos.io.read import read, read_labels
from ivos.training.data.numbering import match_numbering, names_in_file, renumber
from ivos.training.data.patients import list_names, read_patients
from ivos.training.data.raw import RawCase, Refusal, find_cases
from ivos.training.data.split import Part, Split, SplitRules, check_patients, known_by_scan, split_cases
from ivos.training.data.store import SUFFIX, ScanInfo, StoredScan, store
from ivos.volume.labels import canonical_name, ignored_ids, ignoring, structures_in, with_ignore
from ivos.volume.volume import Volume, on_grid_of
from ivos.volume.windows import Modality, is_constant, with_modality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ivos.types import Progress

_log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
_SCANS = "scans"
_HIGHEST_LABEL = 32_767


class ManifestCase(BaseModel):
    """A case of the manifest.

    Attributes:
        info: what is known of it.
        file: its file, relative to the manifest.
        patient: whom it belongs to.
        split: ``"train"``, or ``"test"`` for what is never trained on.
        fold: 0 to n-1 for labelled training cases: the fold in which it validates.
        draw: number of the draw that gave it that fold, 0 for the first.
    """

    model_config = ConfigDict(frozen=True)

    info: ScanInfo
    file: str
    patient: str
    split: Split
    fold: int | None
    draw: int = 0

    @property
    def part(self) -> Part:
        """Where it belongs."""
        digest = self.info.digest
        return Part(patient=self.patient, split=self.split, fold=self.fold, draw=self.draw, digest=digest)


class Manifest(BaseModel):
    """What a prepared folder holds.

    Attributes:
        names: label ids to names.
        seed: of the split.
        folds: how many.
        cases: by name.
        refused: by name.
        test_share: of labelled patients; None in manifests of earlier versions.
        former: parts of cases that were there once, should they come back.
    """

    model_config = ConfigDict(frozen=True)

    names: dict[int, str]
    seed: int
    folds: int
    cases: tuple[ManifestCase, ...]
    refused: tuple[Refusal, ...]
    test_share: float | None = None
    former: dict[str, Part] = Field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Part]:
        """Where each case belongs, of those that are there and those that were."""
        return {**self.former, **{case.info.case: case.part for case in self.cases}}


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a prepared folder.

    Raises:
        InputError: missing or damaged.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{folder}: not a prepared folder: it has no {MANIFEST}; run ivos prepare first") from error
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{path}: damaged, and the split is lost; ivos prepare --resplit draws a new one and keeps "
            "the stored scans that are intact"
        ) from error


def prepare(
    raw: Path,
    output: Path,
    *,
    folds: int | None = None,
    test_share: float | None = None,
    seed: int | None = None,
    workers: int = 1,
    patients: Path | None = None,
    ignore: int | None = None,
    resplit: bool = False,
    modality: Modality = "auto",
    progress: Progress | None = None,
) -> Manifest:
    """Check every case of a folder, store it, and split the cases.

    Scans already stored from the same files are kept, so that an interrupted run can be resumed and a second run
    does nothing. A case that cannot be used is left out with its reason. A case that was split before keeps its part;
    new ones join the split.

    Args:
        raw: the folder, in one of the layouts of :mod:`ivos.training.data.raw`.
        output: where ``scans/``, ``manifest.json`` and ``refused.csv`` go.
        folds: into how many the labelled training cases are divided; None for as many as before, or 5.
        test_share: share of patients with labels that is kept for testing, beside what the data set itself holds out;
            None for that of before, or 0.
        seed: of the split; None for that of before, or 0.
        workers: processes.
        patients: CSV file with columns ``case`` and ``patient``; without it every case is a patient of its own.
        ignore: the label that a person says is "ignore", whatever the files call it.
        resplit: draw all cases again, as if there were no split yet.
        modality: which windows show the scans; ``"auto"`` goes by each scan.
        progress: called with cases done and cases in all.

    Raises:
        InputError: nothing to prepare, or nothing that can be used; a split that cannot be kept; a table of patients
            that does not fit; the library of the store is not installed.
    """
    try:
        import blosc2  # noqa: F401 - for every worker: said once, before the work
    except ModuleNotFoundError as error:
        raise InputError(f"preparing needs {error.name}: pip install 'ivos[train]'") from error
    found = find_cases(raw)
    before = _existing_manifest(output, resplit=resplit)
    rules = _rules(output, before, resplit=resplit, folds=folds, test_share=test_share, seed=seed)
    there = {} if before is None else before.parts
    known = {} if resplit else there
    names = [case.name for case in found.cases]
    held_out = {case.name for case in found.cases if case.held_out}
    table = None if patients is None else read_patients(patients, names)
    if table is None:
        _check_table_is_not_missing(output, there, names)
    sources = {case: part.patient for case, part in there.items()} | ({} if table is None else table.whose)
    check_patients({name: sources.get(name, name) for name in names}, known, held_out)
    done: list[ScanInfo] = []
    cases_alike, refused = match_numbering(found.cases, found.names)
    refused += found.refused
    each = partial(_store_case, folder=output / _SCANS, names=dict(found.names), modality=modality, ignore=ignore)
    for number, result in enumerate(_results(each, cases_alike, workers), start=1):
        if isinstance(result, Refusal):
            refused.append(result)
        else:
            done.append(result)
        if progress is not None:
            progress(number, len(cases_alike))
    if not done:
        raise InputError(
            f"{raw}: none of {counted(len(found.cases), 'case')} can be used; for example: {refused[0].reason}"
        )
    done.sort(key=lambda info: info.case)
    renamed = known_by_scan(done, known)
    known = _rename_parts(known, renamed)
    whose = {case: part.patient for case, part in known.items()} | sources
    parts = split_cases(done, {i.case: whose.get(i.case, i.case) for i in done}, held_out, known, rules)
    for note in [] if table is None or patients is None else table.notes(patients):
        _log.warning("%s", note)
    for new_name, old_name in renamed.items():
        _log.warning("%s: was %s before, and stays in %s", new_name, old_name, parts[new_name].text)
    left_out = tuple(sorted(refused, key=lambda refusal: refusal.case))
    called = _without_ignored_names(found.names) or _without_ignored_names(_names_in_files(cases_alike, done))
    manifest = Manifest(
        names={label: name for label, name in called.items() if label != ignore},
        seed=rules.seed,
        folds=rules.folds,
        cases=tuple(_manifest_case(info, parts[info.case]) for info in done),
        refused=left_out,
        test_share=rules.test_share,
        former={case: part for case, part in sorted(known.items()) if case not in parts},
    )
    if resplit:
        _log_resplit(output, manifest)
    _write(output, manifest)
    return manifest


def _results(
    work: Callable[[RawCase], ScanInfo | Refusal], cases: Sequence[RawCase], workers: int
) -> Iterator[ScanInfo | Refusal]:
    """What comes of each case, in the order in which they are done; in this process where there is one worker."""
    if workers == 1:
        yield from map(work, cases)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for task in as_completed([pool.submit(work, case) for case in cases]):
            yield task.result()


def _existing_manifest(output: Path, *, resplit: bool) -> Manifest | None:
    """The manifest that is there; a damaged one is as good as none where the split is drawn again."""
    if not (output / MANIFEST).exists():
        return None
    try:
        return load_manifest(output)
    except InputError:
        if not resplit:
            raise
        return None


def _rules(
    output: Path,
    before: Manifest | None,
    *,
    resplit: bool,
    folds: int | None,
    test_share: float | None,
    seed: int | None,
) -> SplitRules:
    """Those that are asked for, or else those of the split that is there.

    Raises:
        InputError: that split is kept, and it has others than what is asked for.
    """
    there = (None, None, None) if before is None else (before.folds, before.test_share, before.seed)
    for name, old, asked in zip(("--folds", "--test-share", "--seed"), there, (folds, test_share, seed), strict=True):
        if not resplit and asked is not None and old is not None and asked != old:
            raise InputError(
                f"{output}: was split with {name} {old}, not {asked}; omit {name} to add new cases to that split, "
                "or draw a new split with --resplit"
            )
    kept = SplitRules(5, 0.0, 0) if before is None else SplitRules(before.folds, before.test_share or 0.0, before.seed)
    return SplitRules(
        kept.folds if folds is None else folds,
        kept.test_share if test_share is None else test_share,
        kept.seed if seed is None else seed,
    )


def _check_table_is_not_missing(output: Path, known: Mapping[str, Part], names: Sequence[str]) -> None:
    """A new case may be of a patient who is in the split, and only the table knows."""
    new = [name for name in names if name not in known]
    if new and any(case != part.patient for case, part in known.items()):
        raise InputError(
            f"{output}: was split by a table of patients; give it with --patients, with rows for the new cases: "
            f"{list_names(new)}"
        )


def _rename_parts(known: Mapping[str, Part], renamed: Mapping[str, str]) -> dict[str, Part]:
    """Parts under the names that cases have now."""
    now = dict(known)
    for new, old in renamed.items():
        part = now.pop(old)
        now[new] = part.model_copy(update={"patient": new}) if part.patient == old else part
    return now


def _manifest_case(info: ScanInfo, part: Part) -> ManifestCase:
    file = f"{_SCANS}/{info.case}{SUFFIX}"
    return ManifestCase(info=info, file=file, patient=part.patient, split=part.split, fold=part.fold, draw=part.draw)


def _log_resplit(output: Path, manifest: Manifest) -> None:
    """Say how far the new draw is from the split that was there."""
    try:
        before = load_manifest(output).parts
    except InputError:  # none, or damaged
        before = {}
    there = manifest.parts
    moved = [case for case in there if case in before and before[case].text != there[case].text]
    _log.warning(
        "new split with seed %d: %d of %d cases are in another part than before%s",
        manifest.seed,
        len(moved),
        len(there),
        f" ({list_names(moved)}); a training of the old split does not continue on this one" if moved else "",
    )


def _names_in_files(cases: Sequence[RawCase], done: Sequence[ScanInfo]) -> dict[int, str]:
    """What the label files of the cases that are used call their labels."""
    used = {info.case for info in done}
    names: dict[int, str] = {}
    for case in cases:
        if case.name in used:
            names |= names_in_file(case)
    return names


def _without_ignored_names(names: Mapping[int, str]) -> dict[int, str]:
    ignored = ignored_ids(names)
    return {label: name for label, name in names.items() if label not in ignored}


def _store_case(
    case: RawCase, folder: Path, names: Mapping[int, str], modality: Modality, ignore: int | None
) -> ScanInfo | Refusal:
    """A case in the store; what was wrong with it otherwise."""
    path, fingerprint = folder / f"{case.name}{SUFFIX}", _fingerprint(case, names, modality, ignore)
    try:
        if path.exists():
            try:
                info = StoredScan(path).info
            except InputError:
                pass  # damaged: stored again
            else:
                if info.fingerprint == fingerprint and info.digest is not None:
                    return info
        scan = with_modality(read(case.scan), modality)
        if is_constant(scan.array):
            raise InputError(f"{case.scan}: blank: every voxel is {scan.array.flat[0]:g}")
        labels = _labels(case, scan, names, ignore)
        if labels is not None:
            _check(labels, names, case)
        return store(path, scan, labels, case=case.name, fingerprint=fingerprint)
    except InputError as error:
        return Refusal(case=case.name, reason=str(error))


def _labels(case: RawCase, scan: Volume, names: Mapping[int, str], ignore: int | None) -> Volume | None:
    """The case's labels on its scan's grid; masks of single structures under the ids of their names."""
    if case.labels is not None:
        read_there = ignoring(read_labels(case.labels), ignore)
        labels = with_ignore(renumber(read_there, case), names)
        return on_grid_of(labels, scan, str(case.labels))
    if not case.masks:
        return None
    joined = np.zeros(scan.array.shape, np.uint16)
    for path in case.masks:
        mask = on_grid_of(read_labels(path), scan, str(path))
        joined[mask.array > 0] = next(
            k for k, name in names.items() if canonical_name(name) == canonical_name(stem_of(path))
        )
    return scan.with_array(joined)


def _check(labels: Volume, names: Mapping[int, str], case: RawCase) -> None:
    ids, known = structures_in(labels.array, labels.names), _without_ignored_names(names)
    unknown = [label for label in ids if label > _HIGHEST_LABEL or (known and label not in known)]
    if not ids:
        raise InputError(f"{case.files[1]}: empty: no voxel is labelled")
    if unknown:
        raise InputError(f"{case.files[1]}: labels {unknown[:5]} are not among those of the data set")


def _fingerprint(case: RawCase, names: Mapping[int, str], modality: Modality, ignore: int | None) -> str:
    """Changes when any of the case's files does, the ids of its masks, the ids that are ignored, or the windows."""
    sources = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in case.files]
    ids: object = sorted(names.items())
    if not case.masks:
        beside = {} if case.labels is None else ignored_beside(case.labels)
        ids = sorted({*ignored_ids(names), *beside, *([] if ignore is None else [ignore])})
    windows = [] if modality == "auto" else [modality]
    renumbering = [str(sorted(case.ids.items()))] if case.ids else []
    return hashlib.sha256("\n".join([*sources, str(ids), *renumbering, *windows]).encode()).hexdigest()


def _write(output: Path, manifest: Manifest) -> None:
    text = manifest.model_dump_json(indent=1) + "\n"
    path = output / MANIFEST
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    with replacing(output / "refused.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "reason"))
        writer.writerows((refusal.case, refusal.reason) for refusal in manifest.refused)
