"""Evaluation where files number or name their structures differently, overlap, or cannot be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.metrics.evaluation import evaluate_folders
from ivos.volume.geometry import Geometry
from ivos.volume.label_layers import LabelLayers
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

GRID = Geometry((4, 10, 10), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def labels(names: dict[int, str], liver: int, spleen: int, shift: int = 0) -> Volume:
    """A large and a small structure under these ids."""
    array = np.zeros(GRID.shape, np.uint8)
    array[:, 1:5, 1 + shift : 7 + shift], array[1:3, 6:9, 2:5] = liver, spleen
    return Volume.from_array(array, GRID, names=names)


TRUTH = labels({1: "liver", 2: "spleen"}, 1, 2)
PERMUTED = labels({1: "spleen", 2: "liver"}, 2, 1, shift=1)


def figures(prediction: Volume, truth: Volume = TRUTH, **how: object) -> dict[str, tuple[int, float, str]]:
    scores = ivos.evaluate(prediction, truth, note=lambda _: None, **how)  # type: ignore[arg-type]
    return {s.name: (s.structure, round(s.dsc, 4), s.matched_by) for s in scores}


def test_permuted_names_are_matched_and_it_is_said() -> None:
    notes: list[str] = []
    scores = ivos.evaluate(PERMUTED, TRUTH, note=notes.append)
    assert [(s.structure, s.name, round(s.dsc, 4), s.matched_by) for s in scores] == [
        (1, "liver", 0.8333, "name"),
        (2, "spleen", 1.0, "name"),
    ]
    assert notes == ["the prediction: labels matched by name with the truth: 1 (spleen) is 2, 2 (liver) is 1 there"]
    assert figures(PERMUTED, by="id") == {"liver": (1, 0.0, "id"), "spleen": (2, 0.0, "id")}
    assert figures(PERMUTED, structures=[2]) == {"spleen": (2, 1.0, "name")}
    assert figures(PERMUTED, truth=TRUTH, by="name")["spleen"] == (2, 1.0, "name")


def test_files_without_names_are_compared_by_id() -> None:
    plain = labels({}, 1, 2)
    assert figures(plain) == {"liver": (1, 1.0, "id"), "spleen": (2, 1.0, "id")}
    with pytest.raises(InputError, match="the prediction: label 1 has no name to match it by"):
        ivos.evaluate(plain, TRUTH, by="name")


def test_names_that_contradict_are_refused_and_by_id_compared() -> None:
    other = labels({1: "liver", 2: "kidney"}, 1, 2)
    with pytest.raises(InputError, match="label 2 is 'kidney' in the prediction and 'spleen' in the truth"):
        ivos.evaluate(other, TRUTH)
    assert figures(other, by="id") == {"liver": (1, 1.0, "id"), "spleen": (2, 1.0, "id")}
    assert figures(other, by="name") == {
        "liver": (1, 1.0, "name"),
        "spleen": (2, 0.0, "name"),
        "kidney": (3, 0.0, "name"),
    }


def test_a_scheme_numbers_both() -> None:
    scheme = {5: "liver", 6: "spleen"}
    assert figures(PERMUTED, names=scheme) == {"liver": (5, 0.8333, "name"), "spleen": (6, 1.0, "name")}
    assert figures(labels({}, 5, 6), labels({}, 5, 6), names=scheme) == {
        "liver": (5, 1.0, "id"),
        "spleen": (6, 1.0, "id"),
    }


def test_the_protocol_of_flare22_takes_names_and_by_id_the_ids() -> None:
    truth = labels({1: "liver", 3: "spleen"}, 1, 3)
    scores = ivos.evaluate(PERMUTED, truth, protocol="flare22", note=lambda _: None)
    assert {s.name: s.dsc for s in scores if s.true_volume_ml} == {"liver": 0.8333, "spleen": 1.0}
    assert {s.tolerance_mm for s in scores} == {2.0, 3.0, 5.0, 7.0}
    by_id = ivos.evaluate(labels({1: "spleen", 3: "liver"}, 1, 3), truth, protocol="flare22", by="id")
    assert [s.dsc for s in by_id if s.true_volume_ml] == [1.0, 1.0]


def test_structures_that_overlap_are_compared_one_by_one() -> None:
    body, organ = np.ones(GRID.shape, np.uint8), np.zeros(GRID.shape, np.uint8)
    organ[TRUTH.array == 1] = 2
    both = LabelLayers(
        tuple(Volume.from_array(a, GRID, names=n) for a, n in ((body, {1: "body"}), (organ, {2: "liver"})))
    )
    truth = labels({2: "liver", 3: "spleen"}, 2, 3)
    scores = {s.name: s for s in ivos.evaluate(both, truth)}
    assert (scores["liver"].dsc, scores["spleen"].dsc) == (1, 0)
    assert scores["body"].volume_ml == pytest.approx(0.8)
    assert [s.dsc for s in ivos.evaluate(both, both)] == [1, 1]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three cases, the second of which is numbered otherwise, in the truth too; of a fourth there is no prediction."""
    for case, truth in {"a": TRUTH, "b": labels({1: "spleen", 2: "liver"}, 2, 1), "c": TRUTH, "d": TRUTH}.items():
        ivos.write(tmp_path / "truth" / f"{case}.nii.gz", truth)
        if case != "d":
            ivos.write(tmp_path / "prediction" / f"{case}.nii.gz", truth if case == "b" else PERMUTED)
    return tmp_path / "prediction", tmp_path / "truth"


def test_cases_that_are_numbered_differently_are_counted_by_name(folders: tuple[Path, Path]) -> None:
    failed: dict[str, str] = {}
    notes: list[str] = []
    scores = evaluate_folders(*folders, failed=lambda case, error: failed.update({case: str(error)}), note=notes.append)
    assert [(s.case, s.structure, s.name) for s in scores] == [
        (case, *one) for case in "abc" for one in ((1, "liver"), (2, "spleen"))
    ]
    assert failed == {"d": f"{folders[0]}: no prediction for it"}
    assert len(notes) == 2  # one for the predictions, one for the cases
    assert "case" in notes[1]
    with pytest.raises(InputError, match="no prediction for 1 of 4 cases: d"):
        evaluate_folders(*folders)
    by_id = evaluate_folders(*folders, by="id", failed=lambda *_: None)
    assert [s.dsc for s in by_id if s.case == "a"] == [0, 0]


def test_a_bad_pair_is_told_and_the_others_compared(folders: tuple[Path, Path]) -> None:
    (folders[0] / "b.nii.gz").write_bytes(b"broken")
    ivos.write(folders[0] / "c.nii.gz", labels({1: "liver", 2: "kidney"}, 1, 2))
    failed: dict[str, str] = {}
    scores = evaluate_folders(
        *folders, failed=lambda case, error: failed.update({case: str(error)}), note=lambda _: None
    )
    assert {s.case for s in scores} == {"a"}
    assert list(failed) == ["d", "b", "c"]
    assert "'kidney'" in failed["c"]
    with pytest.raises(InputError):
        evaluate_folders(*folders)
