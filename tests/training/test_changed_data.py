"""A run remembers its data: what has changed is told, and it continues only where somebody says so."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos as package
from ivos.config import load_settings
from ivos.errors import InputError
from ivos.training.anatomy.volumes import files_by_use
from ivos.training.continuing import start_record
from ivos.training.data.cases import chosen_cases
from ivos.training.data.prepare import load_manifest, prepare
from ivos.training.propagation_settings import PropagationSettings
from ivos.training.record import CaseRecord, DataRecord, changes, record_of
from ivos.training.reference.settings import ReferenceSettings
from ivos.training.reference.train import train_reference
from ivos.training.run_settings import CohortSettings
from tests.cli.runner import refused
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ivos.training.continuing import OnChange

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own


def _add(raw: Path, numbers: Iterable[int], label: int = 0) -> Path:
    for number in numbers:
        scan, labels = moving_discs(slices=4, size=32, seed=number)
        package.write(raw / "images" / f"case_{number}_0000.nii.gz", scan)
        if label:
            labels.array[1, :4, :4] = label
        package.write(raw / "labels" / f"case_{number}.nii.gz", labels)
    return raw


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort and a run of two steps on it."""
    folder = tmp_path_factory.mktemp("begun")
    _add(folder / "raw", range(6))
    prepare(folder / "raw", folder / "prepared", folds=3)
    _train(folder, "steps=2")
    return folder


@pytest.fixture
def work(begun: Path, tmp_path: Path) -> Path:
    shutil.copytree(begun, tmp_path / "work")
    return tmp_path / "work"


def _settings(folder: Path, *given: str) -> ReferenceSettings:
    small = ("data.size=32", "data.workers=0", "data.batch=1", "validate_every=2", "precision=float32")
    return load_settings(ReferenceSettings, [f"data.scans={folder / 'prepared'}", *small, *given])


def _train(folder: Path, *given: str, on_change: OnChange = "refuse") -> None:
    settings = _settings(folder, *given)
    if (folder / "run" / "settings.yaml").exists():  # the same cohort, copied
        path = folder / "run" / "settings.yaml"
        lines = path.read_text().splitlines()
        path.write_text("\n".join(f"  scans: {folder / 'prepared'}" if "scans:" in x else x for x in lines))
    train_reference(settings, folder / "run", on_change=on_change)


def _weights(folder: Path) -> bytes:
    return (folder / "run" / "reference.safetensors").read_bytes()


def test_the_same_command_over_more_cases_says_so_and_continues_when_told(
    work: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = _weights(work)
    _train(work, "steps=2")
    assert "finished at step 2; there is nothing to train" in caplog.text
    _add(work / "raw", [6, 7])
    prepare(work / "raw", work / "prepared")
    new = {case.info.case: case.fold for case in load_manifest(work / "prepared").cases if case.draw}
    assert set(new) == {"case_6", "case_7"}
    with pytest.raises(InputError, match=r"data have changed since step 2: new for .*case_6.*--restart.*--continue"):
        _train(work, "steps=2")
    with pytest.raises(InputError, match="finished at step 2: give more steps with --continue"):
        _train(work, "steps=2", on_change="continue")
    with pytest.raises(InputError, match="data have changed"):
        _train(work, "steps=4")
    assert _weights(work) == before
    _train(work, "steps=4", on_change="continue")
    assert _weights(work) != before
    assert "poly spans 4 steps now, not 2: the learning rate at step 2 is" in caplog.text
    _train(work, "steps=4")  # on what it is now


def test_other_labels_are_named_and_a_restart_keeps_what_was_there(
    work: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = _weights(work)
    for number in range(6):
        path = work / "raw" / "images" / f"case_{number}_0000.nii.gz"
        path.write_bytes(path.read_bytes())  # another time, the same content
    path = work / "raw" / "labels" / "case_4.nii.gz"
    labels = package.read_labels(path)
    labels.array[0, 0, 0] = 3
    package.write(path, labels)
    prepare(work / "raw", work / "prepared")
    with pytest.raises(InputError, match=r"since step 2: other labels: case_4\. --restart"):
        _train(work, "steps=2")
    _train(work, "steps=2", on_change="restart")
    assert "the old run is in" in caplog.text
    assert (work / "run" / "before_1" / "reference.safetensors").read_bytes() == before
    assert (work / "run" / "before_1" / "last.ckpt").exists()
    _train(work, "steps=2")


def test_a_run_does_not_go_on_across_a_new_split(work: Path) -> None:
    seed = next(
        seed
        for seed in range(1, 99)
        if {c.info.case: c.fold for c in load_manifest(work / "prepared").cases}["case_0"]
        != {c.info.case: c.fold for c in prepare(work / "raw", work / "prepared", seed=seed, resplit=True).cases}[
            "case_0"
        ]
    )
    assert seed
    for on_change in ("refuse", "continue"):
        with pytest.raises(InputError, match=r"moved from .*cannot continue \(it learned from cases that are held out"):
            _train(work, "steps=4", on_change=on_change)


def test_other_settings_begin_again_when_told(work: Path) -> None:
    for on_change in ("refuse", "continue"):
        with pytest.raises(InputError, match="holds a run with seed=0, not 1; start over with --restart"):
            _train(work, "steps=2", "seed=1", on_change=on_change)
    _train(work, "steps=2", "seed=1", on_change="restart")
    run = ("train", "reference", f"data.scans={work / 'prepared'}", "-o", work / "run", "--restart", "--continue")
    assert "give one of them" in refused(*run)


def test_more_steps_after_patience_ended_it(begun: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(begun / "prepared", tmp_path / "prepared")
    still = ("optimiser.rate=1e-9", "optimiser.schedule=constant", "optimiser.warm_up=0", "patience=1")
    _train(tmp_path, *still, "steps=20")
    _train(tmp_path, *still, "steps=20")
    assert "finished at step 4; there is nothing" in caplog.text
    with pytest.raises(InputError, match=r"ended at step 4 of 20.*patience.*steps=30, --restart.*constant stays as"):
        _train(tmp_path, *still, "steps=30")
    _train(tmp_path, *still, "steps=30", on_change="continue")
    assert "continues from step 4 to step 30" in caplog.text
    _train(tmp_path, *still, "steps=30")
    assert "finished at step 6; there is nothing" in caplog.text


def _record(**uses: str) -> DataRecord:
    cases = {
        case: CaseRecord.model_validate({"use": use, "patient": case[0], "scan": case, "labels": None})
        for case, use in uses.items()
    }
    return DataRecord(cases=cases).after(None, told_to_continue=None)


def test_what_crosses_from_learning_to_holding_out_is_final() -> None:
    before = _record(a1="training", b1="validation", c1="test", d1="unused", e1="unlabelled")
    assert not changes(before, before).descriptions
    assert not changes(before, _record(**{**_uses(before), "f1": "unused"})).descriptions
    assert changes(before, _record(**{**_uses(before), "f1": "training"})).descriptions == ("new for training: f1",)
    assert changes(before, _record(**{**_uses(before), "d1": "validation"})).final is None
    assert changes(before, _record(**{**_uses(before), "e1": "training"})).final is None
    for moved in ({"a1": "test"}, {"a1": "validation"}, {"b1": "training"}, {"c1": "unlabelled"}, {"e1": "validation"}):
        (case,) = moved
        assert case in (changes(before, _record(**{**_uses(before), **moved})).final or "")
    for new in ({"a2": "validation"}, {"b2": "training"}):  # of the same patients
        (case,) = new
        assert case in (changes(before, _record(**{**_uses(before), **new})).final or "")
    gone = _record(b1="validation", c1="test").after(before, told_to_continue=None)
    assert "a1" in (changes(gone, _record(b1="validation", c1="test", a1="validation")).final or "")


def test_volumes_that_were_made_of_other_files_are_never_learned_from(tmp_path: Path) -> None:
    for name in ("a", "b"):
        package.write(tmp_path / "maps" / "heart" / f"{name}.nii.gz", moving_discs(slices=3, size=16)[1])
    held_out = "anatomy.held_out=[maps/heart/b.nii.gz]"
    settings = load_settings(PropagationSettings, [f"anatomy.label_maps=[{tmp_path / 'maps'}]", held_out])
    before = record_of(settings, made_of=files_by_use(settings.anatomy))
    assert [case.use for case in before.cases.values()] == ["training", "validation"]
    (tmp_path / "run" / "volumes").mkdir(parents=True)
    start_record(tmp_path / "run", before)
    start_record(tmp_path / "run", before)
    assert (tmp_path / "run" / "volumes").exists()
    package.write(tmp_path / "maps" / "heart" / "a.nii.gz", moving_discs(slices=3, size=16, seed=1)[1])
    package.write(tmp_path / "maps" / "heart" / "c.nii.gz", moving_discs(slices=4, size=16)[1])
    now = record_of(settings, made_of=files_by_use(settings.anatomy))
    change = changes(before, now)
    assert change.final == "what it learns from was made of the files as they were"
    assert "new for training" in change.descriptions[0]
    start_record(tmp_path / "run", now)
    assert not (tmp_path / "run" / "volumes").exists()
    assert (tmp_path / "run" / "before_1" / "volumes").exists()


def _uses(record: DataRecord) -> dict[str, str]:
    return {case: one.use for case, one in record.cases.items()}


def test_labelled_cases_are_taken_in_an_order_that_newcomers_do_not_change(tmp_path: Path) -> None:
    prepare(_add(tmp_path / "raw", range(6)), tmp_path / "prepared", folds=3)
    cohort = CohortSettings(scans=tmp_path / "prepared", labelled=2)
    first = chosen_cases(cohort, tmp_path, seed=3)
    prepare(_add(tmp_path / "raw", range(6, 12)), tmp_path / "prepared")
    assert chosen_cases(cohort, tmp_path, seed=3).training == first.training
    assert first.training != chosen_cases(cohort, tmp_path, seed=4).training or len(first.training) == 2


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_structure_that_no_training_case_has_is_refused(tmp_path: Path, fold: int) -> None:
    _add(tmp_path / "raw", range(6))
    _add(tmp_path / "raw", [4], label=5)
    manifest = prepare(tmp_path / "raw", tmp_path / "prepared", folds=3)
    own = next(case.fold for case in manifest.cases if case.info.case == "case_4")
    settings = _settings(tmp_path, "steps=1", f"data.fold={fold}")
    if fold == own:
        with pytest.raises(
            InputError, match=r"label 5, which case_4 \(validation\) has.*data.fold.*structures=\[3,8\]"
        ):
            train_reference(settings, tmp_path / "run")
        _train(tmp_path, "steps=1", f"data.fold={fold}", "data.structures=[3,8]")
        return
    cases = chosen_cases(settings.data, tmp_path, 0)
    place = [path.stem for path in cases.training].index("case_4")
    if place:
        few = settings.model_copy(update={"data": settings.data.model_copy(update={"labelled": place})})
        with pytest.raises(InputError, match=rf"case_4 \(not used by data.labelled\).*data.labelled={place + 1}\)"):
            train_reference(few, tmp_path / "run")
    assert np.isin(5, [*load_manifest(tmp_path / "prepared").cases[4].info.runs])
