"""From a folder as it was downloaded to a store that training reads: checked, split, and the same every time."""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError, counted
from ivos.files import replacing, stem_of
from ivos.training.data.numbering import names_in_file, number_alike, renumbered
from ivos.training.data.raw import RawCase, Refusal, find_cases
from ivos.training.data.store import SUFFIX, ScanInfo, StoredScan, store
from ivos.volume.labels import IGNORE, IGNORE_NAME, canonical_name, is_ignore, structures_in, with_ignore
from ivos.volume.read import read, read_labels
from ivos.volume.volume import Volume, on_grid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    """

    model_config = ConfigDict(frozen=True)

    info: ScanInfo
    file: str
    patient: str
    split: str
    fold: int | None


class Manifest(BaseModel):
    """What a prepared folder holds.

    Attributes:
        names: label ids to names.
        seed: of the split.
        folds: how many.
        cases: by name.
        refused: by name.
    """

    model_config = ConfigDict(frozen=True)

    names: dict[int, str]
    seed: int
    folds: int
    cases: tuple[ManifestCase, ...]
    refused: tuple[Refusal, ...]


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a prepared folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{folder}: not a prepared folder: it has no {MANIFEST}; run ivos prepare first") from error
    except (OSError, ValidationError) as error:
        raise InputError(f"{path}: damaged; run ivos prepare again, which keeps what is whole") from error


def prepare(
    raw: Path,
    output: Path,
    *,
    folds: int = 5,
    test_share: float = 0.0,
    seed: int = 0,
    workers: int = 1,
    patients: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Check every case of a folder, store it, and split the cases.

    What is stored already from the same files stays as it is, so that a run that was stopped goes on and a second run
    does nothing. A case that cannot be used is left out with its reason.

    Args:
        raw: the folder, in one of the layouts of :mod:`ivos.training.data.raw`.
        output: where ``scans/``, ``manifest.json`` and ``refused.csv`` go.
        folds: into how many the labelled training cases are divided.
        test_share: share of patients with labels that is kept for testing, beside what the data set itself holds out.
        seed: of the split.
        workers: processes.
        patients: CSV file with columns ``case`` and ``patient``; without it every case is a patient of its own.
        progress: called with cases done and cases in all.

    Raises:
        InputError: nothing to prepare, or nothing that can be used; the library of the store is not installed.
    """
    try:
        import blosc2  # noqa: F401 - for every worker: said once, before the work
    except ModuleNotFoundError as error:
        raise InputError(f"preparing needs {error.name}: pip install 'ivos[train]'") from error
    found, whose = find_cases(raw), _patients(patients)
    done: list[ScanInfo] = []
    cases_alike, refused = number_alike(found.cases, found.names)
    refused += found.refused
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        tasks = [pool.submit(_stored, case, output / _SCANS, dict(found.names)) for case in cases_alike]
        for number, task in enumerate(as_completed(tasks), start=1):
            result = task.result()
            if isinstance(result, Refusal):
                refused.append(result)
            else:
                done.append(result)
            if progress is not None:
                progress(number, len(tasks))
    if not done:
        raise InputError(
            f"{raw}: none of {counted(len(found.cases), 'case')} can be used; the first: {refused[0].reason}"
        )
    held_out = {case.name for case in found.cases if case.held_out}
    cases = _split(sorted(done, key=lambda info: info.case), held_out, whose, folds=folds, share=test_share, seed=seed)
    left_out = tuple(sorted(refused, key=lambda refusal: refusal.case))
    names = _of_structures(found.names) or _of_structures(_names_in_files(cases_alike, done))
    manifest = Manifest(names=names, seed=seed, folds=folds, cases=tuple(cases), refused=left_out)
    _write(output, manifest)
    return manifest


def _names_in_files(cases: Sequence[RawCase], done: Sequence[ScanInfo]) -> dict[int, str]:
    """What the label files of the cases that are used call their labels."""
    used = {info.case for info in done}
    names: dict[int, str] = {}
    for case in cases:
        if case.name in used:
            names |= names_in_file(case)
    return names


def _of_structures(names: Mapping[int, str]) -> dict[int, str]:
    return {label: name for label, name in names.items() if label != IGNORE and not is_ignore(label, name)}


def _stored(case: RawCase, folder: Path, names: Mapping[int, str]) -> ScanInfo | Refusal:
    """A case in the store; what was wrong with it otherwise."""
    path, fingerprint = folder / f"{case.name}{SUFFIX}", _fingerprint(case, names)
    try:
        if path.exists():
            try:
                info = StoredScan(path).info
            except InputError:
                pass  # damaged: made anew
            else:
                if info.fingerprint == fingerprint:
                    return info
        scan = read(case.scan)
        labels = _labels(case, scan, names)
        if labels is not None:
            _check(labels, names, case)
        return store(path, scan, labels, case=case.name, fingerprint=fingerprint)
    except InputError as error:
        return Refusal(case=case.name, reason=str(error))


def _labels(case: RawCase, scan: Volume, names: Mapping[int, str]) -> Volume | None:
    """The case's labels on its scan's grid; masks of single structures under the ids of their names."""
    if case.labels is not None:
        labels = with_ignore(renumbered(read_labels(case.labels), case), names)
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
    ids, known = structures_in(labels.array), _of_structures(names)
    unknown = [label for label in ids if label > _HIGHEST_LABEL or (known and label not in known)]
    if not ids:
        raise InputError(f"{case.files[1]}: empty: no voxel is labelled")
    called = names.get(IGNORE) or labels.names.get(IGNORE, IGNORE_NAME)
    if canonical_name(called) != IGNORE_NAME and (labels.array == IGNORE).any():
        raise InputError(
            f"{case.files[1]}: label {IGNORE} is called '{called}', but means '{IGNORE_NAME}' here; give it another id"
        )
    if unknown:
        raise InputError(f"{case.files[1]}: labels {unknown[:5]} are not among those of the data set")


def _fingerprint(case: RawCase, names: Mapping[int, str]) -> str:
    """Changes when any of the case's files does, the ids of its masks, or the id that is named "ignore"."""
    told = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in case.files]
    ids = sorted(names.items()) if case.masks else [item for item in names.items() if is_ignore(*item)] or ""
    renumbering = [str(sorted(case.ids.items()))] if case.ids else []
    return hashlib.sha256("\n".join([*told, str(ids), *renumbering]).encode()).hexdigest()


def _patients(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["case"]: row["patient"] for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV file with columns 'case' and 'patient'") from error


def _split(
    infos: Sequence[ScanInfo], held_out: set[str], whose: Mapping[str, str], *, folds: int, share: float, seed: int
) -> list[ManifestCase]:
    """Cases into test and training and those into folds, patient by patient, in an order that the seed draws."""
    patient = {info.case: whose.get(info.case, info.case) for info in infos}
    tested = {patient[case] for case in held_out if case in patient}
    drawn = sorted({patient[info.case] for info in infos if info.labelled} - tested)
    order = np.random.default_rng(seed).permutation(len(drawn))
    shuffled = [drawn[n] for n in order]
    for_test = round(share * len(shuffled))
    tested |= set(shuffled[:for_test])
    fold = {name: number % folds for number, name in enumerate(shuffled[for_test:])}
    return [
        ManifestCase(
            info=info,
            file=f"{_SCANS}/{info.case}{SUFFIX}",
            patient=patient[info.case],
            split="test" if patient[info.case] in tested else "train",
            fold=fold.get(patient[info.case]) if info.labelled else None,
        )
        for info in infos
    ]


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
