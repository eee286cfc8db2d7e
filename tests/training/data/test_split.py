"""The split of a cohort: a case keeps its part while others come and go, and patients stay together."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ivos as package
from ivos.errors import InputError
from ivos.training.data.prepare import load_manifest, prepare
from ivos.training.data.split import Part, SplitRules, check_patients, split_cases
from ivos.training.data.store import ScanInfo
from ivos.volume.windows import CT_WINDOWS_HU
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RULES = SplitRules(folds=3, test_share=0.25, seed=0)


def info(case: str, *, labelled: bool = True) -> ScanInfo:
    """Of a scan of which nothing matters but its name and whether it is labelled."""
    return ScanInfo(
        case=case,
        modality=None,
        shape=(1, 1, 1),
        spacing_mm=(1, 1, 1),
        origin_mm=(0, 0, 0),
        axes=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
        windows=CT_WINDOWS_HU,
        volumes_ml={1: 1.0} if labelled else None,
        runs={},
        fingerprint=case,
    )


def drawn(cases: Iterable[str], known: dict[str, Part], unlabelled: frozenset[str] = frozenset()) -> dict[str, Part]:
    """Parts of cases that are called PATIENT.VISIT."""
    infos = [info(case, labelled=case not in unlabelled) for case in sorted(cases)]
    return split_cases(infos, {i.case: i.case.split(".")[0] for i in infos}, set(), known, RULES)


CASES = st.sets(st.tuples(st.integers(0, 15), st.integers(0, 1)).map(lambda c: f"p{c[0]:02d}.{c[1]}"), min_size=1)


@given(cohorts=st.lists(CASES, min_size=2, max_size=5), unlabelled=CASES)
def test_no_case_changes_its_part_however_the_cohort_changes(cohorts: list[set[str]], unlabelled: set[str]) -> None:
    known: dict[str, Part] = {}
    for number, cohort in enumerate(cohorts):  # what is unlabelled at first is labelled later
        parts = drawn(cohort, known, frozenset(unlabelled) if number == 0 else frozenset())
        for case, part in parts.items():
            before = known.get(case)
            if before is not None:
                assert part.split == before.split
                assert before.fold is None or part.fold == before.fold
            together = [p for other, p in {**known, **parts}.items() if other.split(".")[0] == case.split(".")[0]]
            assert len({p.split for p in together}) == 1
            assert len({p.fold for p in together if p.fold is not None}) <= 1
        known |= parts


def test_shares_stay_what_the_rules_say_while_a_cohort_grows_by_one() -> None:
    known: dict[str, Part] = {}
    for count in range(1, 41):
        known = drawn([f"p{n:02d}.0" for n in range(count)], known)
        tested = sum(part.split == "test" for part in known.values())
        assert abs(tested - 0.25 * count) <= 1
        folds = [sum(part.fold == fold for part in known.values()) for fold in range(3)]
        assert max(folds) - min(folds) <= 1


def test_what_was_unlabelled_stays_in_training_when_it_is_labelled() -> None:
    names = [f"p{n:02d}.0" for n in range(20)]
    before = drawn(names, {}, frozenset(names))
    after = drawn(names, before)
    assert {part.split for part in after.values()} == {"train"}
    assert {part.fold for part in after.values()} == {0, 1, 2}


def test_a_patient_in_two_parts_is_refused_by_name() -> None:
    known = {"a": Part(patient="a", split="train", fold=1), "b": Part(patient="b", split="test")}
    with pytest.raises(InputError, match=r"patient p: a \(training, fold 1\) and b \(test\).*--resplit"):
        check_patients({"a": "p", "b": "p"}, known, set())
    with pytest.raises(InputError, match=r"a: its folder keeps it for testing.*fold 1.*--resplit"):
        check_patients({"a": "a", "b": "b"}, known, {"a"})


def _add(raw: Path, numbers: Iterable[int]) -> Path:
    for number in numbers:
        scan, labels = moving_discs(slices=3, size=16, seed=number)
        package.write(raw / "images" / f"case_{number:02d}_0000.nii.gz", scan)
        package.write(raw / "labels" / f"case_{number:02d}.nii.gz", labels)
    return raw


def _parts(out: Path) -> dict[str, tuple[str, int | None]]:
    return {case.info.case: (case.split, case.fold) for case in load_manifest(out).cases}


def test_a_cohort_grows_shrinks_and_grows_again(tmp_path: Path) -> None:
    raw, out = _add(tmp_path / "raw", range(8)), tmp_path / "out"
    prepare(raw, out, folds=3, test_share=0.25)
    first = _parts(out)
    _add(raw, range(8, 12))
    for name in ("images/case_03_0000.nii.gz", "labels/case_03.nii.gz"):
        (raw / name).rename(tmp_path / name.split("/")[1])
    manifest = prepare(raw, out)  # the rules are those of before
    grown = _parts(out)
    assert (manifest.folds, manifest.test_share) == (3, 0.25)
    assert {case: part for case, part in grown.items() if case in first} == {
        case: part for case, part in first.items() if case != "case_03"
    }
    assert sum(split == "test" for split, _ in grown.values()) == 3
    (raw / "images" / "case_05_0000.nii.gz").rename(raw / "images" / "renamed_0000.nii.gz")
    (raw / "labels" / "case_05.nii.gz").rename(raw / "labels" / "renamed.nii.gz")
    shutil.move(tmp_path / "case_03_0000.nii.gz", raw / "images")
    shutil.move(tmp_path / "case_03.nii.gz", raw / "labels")
    prepare(raw, out)
    assert _parts(out)["case_03"] == first["case_03"]
    assert _parts(out)["renamed"] == first["case_05"]


def test_a_new_draw_is_asked_for_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw, out = _add(tmp_path / "raw", range(8)), tmp_path / "out"
    prepare(raw, out, test_share=0.25)
    before = _parts(out)
    with pytest.raises(InputError, match=r"--test-share 0.25, not 0.5; .*--resplit"):
        prepare(raw, out, test_share=0.5)
    with pytest.raises(InputError, match="--folds 5, not 3"):
        prepare(raw, out, folds=3)
    assert "--seed 0, not 1" in refused("prepare", raw, "-o", out, "--workers", 1, "--seed", 1)
    assert _parts(out) == before
    done = ivos("prepare", raw, "-o", out, "--workers", 1, "--test-share", 0.5, "--seed", 1, "--resplit")
    moved = [case for case, part in _parts(out).items() if part != before[case]]
    assert f"new split with seed 1: {len(moved)} of 8 cases" in done.stderr
    assert moved[0] in done.stderr
    (out / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="the split is lost"):
        prepare(raw, out)
    prepare(raw, out, resplit=True)
    assert "0 of 8 cases" in caplog.text


def test_a_table_that_was_there_once_is_asked_for_again(tmp_path: Path) -> None:
    raw, out, table = _add(tmp_path / "raw", range(6)), tmp_path / "out", tmp_path / "patients.csv"
    table.write_text("case,patient\n" + "".join(f"case_{n:02d},p{n // 2}\n" for n in range(6)))
    prepare(raw, out, patients=table)
    before = _parts(out)
    prepare(raw, out)  # nothing new: it is known whose they are
    assert _parts(out) == before
    _add(raw, [6])
    with pytest.raises(InputError, match=r"split by a table of patients; give it with --patients.*case_06"):
        prepare(raw, out)
    with table.open("a") as file:
        file.write("case_06,p0\n")
    prepare(raw, out, patients=table)
    assert _parts(out)["case_06"] == before["case_00"]
    table.write_text("case,patient\ncase_00,p0\ncase_02,p0\n")
    if before["case_00"] != before["case_02"]:
        with pytest.raises(InputError, match="are in different parts of the split"):
            prepare(raw, out, patients=table)


def test_a_manifest_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    raw, out = _add(tmp_path / "raw", range(4)), tmp_path / "out"
    prepare(raw, out, seed=4)
    before, path = _parts(out), out / "manifest.json"
    content = json.loads(path.read_text())
    for key in ("test_share", "former"):
        del content[key]
    for case in content["cases"]:
        del case["draw"]
        for key in ("digest", "labels_digest"):
            del case["info"][key]
    path.write_text(json.dumps(content))
    _add(raw, [4])
    prepare(raw, out)
    assert {case: part for case, part in _parts(out).items() if case != "case_04"} == before


@pytest.mark.parametrize("value", [0, -1024, 7])
def test_a_blank_scan_is_left_out_and_listed(tmp_path: Path, value: int) -> None:
    raw, out = _add(tmp_path / "raw", range(3)), tmp_path / "out"
    scan, _ = moving_discs(slices=3, size=16)
    package.write(raw / "images" / "case_01_0000.nii.gz", scan.with_array(scan.array * 0 + value))
    manifest = prepare(raw, out)
    assert list(_parts(out)) == ["case_00", "case_02"]
    assert [refusal.case for refusal in manifest.refused] == ["case_01"]
    assert f"blank: every voxel is {value}" in (out / "refused.csv").read_text()
