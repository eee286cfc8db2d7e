"""The record of a run's data (cases, structures, files) and the comparison of two such records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ivos.errors import InputError
from ivos.files import replacing
from ivos.io.download import checksum
from ivos.training.data.patients import list_names
from ivos.training.data.store import StoredScan

if TYPE_CHECKING:
    from ivos.config import Settings
    from ivos.training.data.cases import ChosenCases

RECORD = "data.json"
Use = Literal["training", "unlabelled", "pseudo-labelled", "validation", "test", "unused"]
_LEARNED: tuple[Use, ...] = ("training", "unlabelled", "pseudo-labelled")
_HELD_OUT: tuple[Use, ...] = ("validation", "test")


class CaseRecord(BaseModel):
    """A case of a run.

    Attributes:
        use: what it is for.
        patient: whose it is.
        scan: digest of the scan.
        labels: digest of the labels; None without any.
    """

    model_config = ConfigDict(frozen=True)

    use: Use
    patient: str
    scan: str
    labels: str | None


class DataRecord(BaseModel):
    """The data of a run.

    Attributes:
        cases: by name.
        structures: that the network tells apart, with their names; empty where it knows none.
        files: checksums of files that the settings name.
        learned: patients of all cases that were ever learned from, by case.
        makes_volumes: whether volumes are made of the files of its cases once, and kept in the run's folder.
        told_to_continue: the step at which somebody said that the run continues though it had ended.
    """

    model_config = ConfigDict(frozen=True)

    cases: dict[str, CaseRecord] = Field(default_factory=dict)
    structures: dict[int, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    learned: dict[str, str] = Field(default_factory=dict)
    makes_volumes: bool = False
    told_to_continue: int | None = None

    def after(self, before: DataRecord | None, *, told_to_continue: int | None) -> DataRecord:
        """This one for a run that continues after another one."""
        learned = {} if before is None else before.learned
        own = {case: record.patient for case, record in self.cases.items() if record.use in _LEARNED}
        if told_to_continue is None and before is not None:
            told_to_continue = before.told_to_continue
        return self.model_copy(update={"learned": {**learned, **own}, "told_to_continue": told_to_continue})


@dataclass(frozen=True)
class Changes:
    """What has changed.

    Attributes:
        descriptions: one per change; empty if nothing has changed.
        final: why a run cannot continue in spite of it; None where it can.
        validation: whether scores from before and after do not compare.
    """

    descriptions: tuple[str, ...]
    final: str | None
    validation: bool


def record_of(
    settings: Settings,
    cases: ChosenCases | None = None,
    *,
    structures: Mapping[int, str] | None = None,
    unlabelled: bool = False,
    made_of: Mapping[Use, Sequence[tuple[Path, Path | None]]] | None = None,
) -> DataRecord:
    """The data of a training.

    Args:
        settings: of the training: files that they name belong to its data.
        cases: of a cohort; None for synthetic scans.
        structures: that the network tells apart, with their names.
        unlabelled: whether unlabelled scans are learned from.
        made_of: files of which volumes are made, with labels beside some, by what they are for.

    Raises:
        InputError: a scan is not in the store, or damaged.
    """
    records: dict[str, CaseRecord] = {}
    for use, paths in () if cases is None else _uses(cases, unlabelled=unlabelled):
        for path in paths:
            info = StoredScan(path).info
            records[info.case] = CaseRecord(
                use=use,
                patient=cases.patients.get(info.case, info.case) if cases is not None else info.case,
                scan=info.digest or info.fingerprint,
                labels=(info.labels_digest or info.fingerprint) if info.labelled else None,
            )
    for use, pairs in (made_of or {}).items():
        for path, labels in pairs:
            other = None if labels is None else checksum(labels)
            records[str(path)] = CaseRecord(use=use, patient=str(path), scan=checksum(path), labels=other)
    files = {str(path): checksum(path) for path in _files(settings.model_dump())}
    return DataRecord(cases=records, structures=dict(structures or {}), files=files, makes_volumes=made_of is not None)


def read_record(folder: Path) -> DataRecord | None:
    """The record in the folder of a run; None without one.

    Raises:
        InputError: damaged.
    """
    path = folder / RECORD
    try:
        return DataRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{path}: damaged: the record of the training data is lost; start another run with -o"
        ) from error


def write_record(folder: Path, record: DataRecord) -> None:
    """Keep it in the folder of a run.

    Raises:
        InputError: the folder cannot be written to.
    """
    with replacing(folder / RECORD) as temporary:
        temporary.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def changes(before: DataRecord, now: DataRecord) -> Changes:
    """What has changed in a run's data."""
    found = [*_of_cases(before, now)]
    paths = sorted({*before.files, *now.files})
    found += [f"{path} is another file" for path in paths if before.files.get(path) != now.files.get(path)]
    if before.structures != now.structures:
        found.append(
            f"the structures are {_structure_list(now.structures)} instead of {_structure_list(before.structures)}"
        )
    crossed = sorted(_moved_across_split(before, now))
    final = None
    if crossed:
        final = f"it learned from cases that are held out now, or the other way round: {list_names(crossed)}"
    elif set(before.structures) != set(now.structures):
        final = "its network tells other structures apart"
    elif now.makes_volumes and found:
        final = "what it learns from was made of the files as they were"
    return Changes(tuple(found), final, validation=_validation_data(before) != _validation_data(now))


def _uses(cases: ChosenCases, *, unlabelled: bool) -> Iterator[tuple[Use, Sequence[Path]]]:
    yield "unlabelled" if unlabelled else "unused", cases.unlabelled
    yield "test", cases.testing
    yield "pseudo-labelled", cases.pseudo_labelled
    yield "training", cases.training
    yield "validation", cases.validating


def _of_cases(before: DataRecord, now: DataRecord) -> Iterator[str]:
    """What has changed in cases that are of use to the run."""
    found: dict[str, list[str]] = {}
    for case in sorted({*before.cases, *now.cases}):
        for what in _of_case(before.cases.get(case), now.cases.get(case)):
            found.setdefault(what, []).append(case)
    for what in sorted(found):
        yield f"{what}: {list_names(found[what])}"


def _of_case(before: CaseRecord | None, now: CaseRecord | None) -> Iterator[str]:
    old, new = ("unused" if record is None else record.use for record in (before, now))
    if old == new == "unused":
        return
    if before is None:
        yield f"new for {new}"
    elif now is None:
        yield f"no longer there for {old}"
    else:
        if old != new:
            yield f"moved from {old} to {new}"
        if before.scan != now.scan:
            yield "other scans"
        if before.labels != now.labels:
            yield "other labels"


def _moved_across_split(before: DataRecord, now: DataRecord) -> Iterator[str]:
    """Cases, or others of their patients, that were learned from and are held out now, or the other way round."""
    patients = set(before.learned.values())
    held = {case: record for case, record in before.cases.items() if record.use in _HELD_OUT}
    held_patients = {record.patient for record in held.values()}
    for case, record in now.cases.items():
        there = before.cases.get(case)
        if there is not None and (there.use, there.patient) == (record.use, record.patient):
            continue
        now_held = record.use in _HELD_OUT and (case in before.learned or record.patient in patients)
        now_learned = record.use in _LEARNED and (case in held or record.patient in held_patients)
        swapped = there is not None and {there.use, record.use} == set(_HELD_OUT)
        if now_held or now_learned or swapped:
            yield case


def _validation_data(record: DataRecord) -> dict[str, tuple[str, str | None]]:
    """What validates."""
    return {case: (r.scan, r.labels) for case, r in record.cases.items() if r.use == "validation"}


def _structure_list(structures: Mapping[int, str]) -> str:
    return list_names([f"{label} ({name})" for label, name in structures.items()])


def _files(content: Any) -> Iterator[Path]:
    """The files among the values of settings."""
    if isinstance(content, Path):
        if content.is_file():
            yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _files(value)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _files(value)
