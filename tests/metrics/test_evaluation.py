"""Files and folders of labels compared, through the API."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

import ivos
from ivos.errors import InputError
from ivos.metrics.evaluation import as_rows, evaluate_folders, means
from tests.io.grids import image_of

if TYPE_CHECKING:
    from pathlib import Path


def labels(shift: int = 0) -> np.ndarray:
    array = np.zeros((10, 12, 14), np.uint8)
    array[2:6, 2:8, 2 + shift : 8 + shift], array[7:9, 3:9, 3:9] = 1, 5
    return array


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    sitk.WriteImage(image_of(array), str(path))
    return path


def test_scores_of_a_pair(tmp_path: Path) -> None:
    prediction, truth = (save(tmp_path / n, a) for n, a in (("p.nii.gz", labels(2)), ("t.nrrd", labels())))
    moved, same = ivos.evaluate(ivos.read_labels(prediction), ivos.read_labels(truth), tolerance_mm=0.1)
    assert (moved.structure, same.structure) == (1, 5)
    assert moved.dsc == pytest.approx(4 / 6)
    assert moved.hd95_mm == pytest.approx(2 * 0.7, abs=1e-5)
    assert moved.true_volume_ml == pytest.approx(4 * 6 * 6 * 0.7 * 0.8 * 2.5 / 1000)
    assert (same.dsc, same.nsd, same.hd95_mm) == (1, 1, 0)


@pytest.mark.parametrize("unit", ["micron", "meter", "mm"])
@pytest.mark.parametrize("without", ["prediction", "truth"])
def test_a_file_that_lost_its_unit_is_measured_in_that_of_the_other(tmp_path: Path, unit: str, without: str) -> None:
    paths: dict[str, Path] = {}
    for name, array in (("prediction", labels(2)), ("truth", labels())):
        image = nib.Nifti1Image(array.T, np.diag([0.7, 0.8, 2.5, 1.0]))
        image.header.set_xyzt_units("unknown" if name == without else unit)
        nib.save(image, paths.setdefault(name, tmp_path / f"{name}.nii.gz"))
    millimetres = {"micron": 0.001, "meter": 1000.0, "mm": 1.0}[unit]
    moved, _ = ivos.evaluate(ivos.read_labels(paths["prediction"]), ivos.read_labels(paths["truth"]))
    assert moved.hd95_mm == pytest.approx(2 * 0.7 * millimetres, rel=1e-4)
    assert moved.true_volume_ml == pytest.approx(4 * 6 * 6 * 0.7 * 0.8 * 2.5 * millimetres**3 / 1000, rel=1e-4)


def test_a_prediction_in_another_axis_order_is_the_same(tmp_path: Path) -> None:
    truth = ivos.read_labels(save(tmp_path / "t.nrrd", labels()))
    sitk.WriteImage(sitk.DICOMOrient(image_of(labels()), "SRA"), str(tmp_path / "p.nrrd"))
    assert all(score.dsc == 1 for score in ivos.evaluate(ivos.read_labels(tmp_path / "p.nrrd"), truth))


def test_missing_and_false_structures(tmp_path: Path) -> None:
    false = labels()
    false[false == 5] = 9
    scores = ivos.evaluate(
        ivos.read_labels(save(tmp_path / "p.nrrd", false)),
        ivos.read_labels(save(tmp_path / "t.nrrd", labels())),
        structures=[1, 5, 9, 11],
    )
    assert [score.dsc for score in scores[:3]] == [1, 0, 0]
    assert math.isnan(scores[3].dsc)
    assert means(scores)["dsc"] == pytest.approx(1 / 3)
    assert [row["hd95_mm"] for row in as_rows(scores)] == [0, None, None, None]


def test_folders_by_case_name(tmp_path: Path) -> None:
    for case in ("a", "b"):
        save(tmp_path / "truth" / f"{case}.nii.gz", labels())
        save(tmp_path / "prediction" / f"{case}.mha", labels(1))
    save(tmp_path / "prediction" / "extra.nii.gz", labels())
    seen: list[tuple[int, int]] = []
    scores = evaluate_folders(
        tmp_path / "prediction", tmp_path / "truth", progress=lambda done, total: seen.append((done, total))
    )
    assert [(score.case, score.structure) for score in scores] == [("a", 1), ("a", 5), ("b", 1), ("b", 5)]
    assert seen == [(1, 2), (2, 2)]


def test_folders_that_do_not_match_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "truth" / "a.nii.gz", labels())
    save(tmp_path / "prediction" / "b.nii.gz", labels())
    with pytest.raises(InputError, match="no prediction for 1 of 1 case: a"):
        evaluate_folders(tmp_path / "prediction", tmp_path / "truth")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no label files"):
        evaluate_folders(tmp_path / "prediction", tmp_path / "empty")
    save(tmp_path / "truth" / "a.nrrd", labels())
    with pytest.raises(InputError, match="the case 'a' is there twice"):
        evaluate_folders(tmp_path / "prediction", tmp_path / "truth")


def test_another_grid_is_refused(tmp_path: Path) -> None:
    truth = ivos.read_labels(save(tmp_path / "t.nrrd", labels()))
    with pytest.raises(InputError, match="not on the scan's grid"):
        ivos.evaluate(ivos.read_labels(save(tmp_path / "p.nrrd", labels()[1:])), truth)
