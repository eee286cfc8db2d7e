"""The FLARE22 protocol: equal to what the challenge printed, its rules worked by hand, and what it refuses."""

from __future__ import annotations

import csv
import json
import math
import statistics
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos as package
from ivos.errors import InputError
from ivos.metrics.evaluation import evaluate
from ivos.metrics.flare22 import ORGANS, Protocol
from ivos.volume.geometry import CANONICAL_AXES, Geometry, Triple
from ivos.volume.volume import Volume
from tests.cli.runner import ivos, refused

if TYPE_CHECKING:
    from pathlib import Path

LIVER, AORTA, IVC, GALLBLADDER, ESOPHAGUS, DUODENUM = 1, 5, 6, 9, 10, 12
TOLERANCE_MM = {1: 5, 2: 3, 3: 3, 4: 5, 5: 2, 6: 2, 7: 2, 8: 2, 9: 2, 10: 3, 11: 5, 12: 7, 13: 3}
UPSIDE_DOWN = ((0.0, 0.0, -1.0), *CANONICAL_AXES[1:])


def volume(
    array: np.ndarray, spacing_mm: Triple = (1, 1, 1), axes: tuple[Triple, Triple, Triple] = CANONICAL_AXES
) -> Volume:
    z, y, x = array.shape
    return Volume.from_array(array, Geometry((z, y, x), spacing_mm, (0.0, 0.0, 0.0), axes))


def bar(label: int, length: int = 20, first: int = 2, last: int = 9) -> np.ndarray:
    """A bar of one label on slices first to last, ``length`` voxels long along x."""
    array = np.zeros((12, 10, 40), np.uint8)
    array[first : last + 1, 2:8, 4 : 4 + length] = label
    return array


def figures(prediction: Volume, truth: Volume, organ: int, protocol: Protocol = "flare22") -> tuple[float, float]:
    score = evaluate(prediction, truth, protocol=protocol, structures=[organ])[0]
    return score.dsc, score.nsd


class Challenge:
    """What the challenge's evaluation script was given, and what it printed."""

    def __init__(self, folder: Path) -> None:
        self.arrays = np.load(folder / "flare22_metrics_volumes.npz")
        self.printed = json.loads((folder / "flare22_metrics.json").read_text())["cases"]

    def volume(self, name: str) -> Volume:
        x, y, z = (float(s) for s in self.arrays["spacing_xyz"])
        return volume(self.arrays[name].transpose(2, 1, 0), (z, y, x))

    def expected(self, case: str) -> list[tuple[float, float]]:
        return list(zip(self.printed[case]["DSC"], self.printed[case]["NSD"], strict=True))


@pytest.fixture(scope="module")
def challenge(parity_folder: Path) -> Challenge:
    return Challenge(parity_folder)


@pytest.mark.parity
@pytest.mark.parametrize("case", ["identical", "shifted", "eroded_and_dilated", "missing_and_false"])
def test_every_figure_is_the_one_that_the_challenge_printed(challenge: Challenge, case: str) -> None:
    pair = challenge.volume(f"pred_{case}"), challenge.volume("ground_truth")
    scores = evaluate(*pair, protocol="flare22")
    assert [score.structure for score in scores] == list(range(1, 14))
    assert [(score.dsc, score.nsd) for score in scores] == challenge.expected(case)
    corrected = evaluate(*pair, protocol="flare22-corrected")
    differing = {c.structure for c, s in zip(corrected, scores, strict=True) if (c.dsc, c.nsd) != (s.dsc, s.nsd)}
    assert differing <= {AORTA, IVC}  # the truth has no esophagus
    assert (AORTA in differing) is (case != "identical")


@pytest.mark.parity
def test_the_command_prints_the_figures_of_the_challenge(challenge: Challenge, tmp_path: Path) -> None:
    for case in challenge.printed:
        package.write(tmp_path / "truth" / f"{case}.nii.gz", challenge.volume("ground_truth"))
        package.write(tmp_path / "prediction" / f"{case}.nii.gz", challenge.volume(f"pred_{case}"))
    run = ivos("evaluate", tmp_path / "prediction", tmp_path / "truth", "--protocol", "flare22", "--json")
    rows = json.loads(run.stdout)["scores"]
    for case in challenge.printed:
        assert [(row["dsc"], row["nsd"]) for row in rows if row["case"] == case] == challenge.expected(case)


@pytest.mark.parametrize("organ", ORGANS)
def test_each_organ_has_its_own_tolerance(organ: int) -> None:
    within, beyond = (volume(bar(organ, 20 + TOLERANCE_MM[organ] + more)) for more in (0, 1))
    assert figures(volume(bar(organ)), within, organ)[1] == 1
    assert 0.9 < figures(volume(bar(organ)), beyond, organ)[1] < 1


@pytest.mark.parametrize("organ", [AORTA, IVC, ESOPHAGUS])
def test_a_tube_counts_on_the_slices_of_the_truth_less_the_last(organ: int) -> None:
    truth, beyond, short = (volume(bar(organ, last=last)) for last in (9, 11, 8))
    assert figures(beyond, truth, organ) == figures(short, truth, organ) == (1, 1)
    assert figures(beyond, truth, organ, "flare22-corrected") == (1, 1)
    assert figures(short, truth, organ, "flare22-corrected")[0] == 0.9333  # 2 * 7 / (7 + 8)


def test_other_organs_count_on_all_slices() -> None:
    short, truth = (volume(bar(LIVER, last=last)) for last in (8, 9))
    assert figures(short, truth, LIVER) == figures(short, truth, LIVER, "flare22-corrected") == (0.9333, 1)


def test_the_last_slice_is_the_last_one_in_the_file() -> None:
    short, truth = (volume(bar(AORTA, last=last)[::-1].copy(), axes=UPSIDE_DOWN) for last in (8, 9))
    assert figures(short, truth, AORTA) == (0.9231, 1)  # 2 * 6 / (6 + 7): slice 2, the last in the file, is left out


def test_a_tube_on_a_single_slice_leaves_nothing_to_compare() -> None:
    pair = volume(bar(AORTA)), volume(bar(AORTA, last=2))
    assert all(math.isnan(figure) for figure in figures(*pair, AORTA))
    assert figures(*pair, AORTA, "flare22-corrected") == (1, 1)


def test_absent_organs_count_as_the_challenge_has_it() -> None:
    liver, nothing = volume(bar(LIVER)), volume(bar(0))
    absent = evaluate(liver, liver, protocol="flare22")[1:]
    assert [(score.dsc, score.nsd) for score in absent] == [(1, 1)] * 12
    assert [math.isnan(score.dsc) for score in evaluate(liver, liver, structures=[LIVER, AORTA])] == [False, True]
    for organ in (LIVER, AORTA):
        there = volume(bar(organ))
        assert figures(nothing, there, organ) == figures(there, nothing, organ) == (0, 0)


def test_a_low_dsc_makes_the_nsd_zero() -> None:
    for length, counts in ((3, True), (2, False)):  # DSC 0.26 and 0.18, surfaces within 7 mm on most of their area
        overlap, surface = figures(volume(bar(DUODENUM, length)), volume(bar(DUODENUM)), DUODENUM)
        assert overlap == round(2 * length / (length + 20), 4)
        assert (surface > 0) is counts


def test_rounding_is_that_of_numpy() -> None:
    truth = np.zeros((12, 12, 12), np.uint8)
    truth.flat[:319] = LIVER
    prediction = np.zeros_like(truth)
    prediction.flat[0] = LIVER
    assert figures(volume(prediction), volume(truth), LIVER)[0] == 0.0062  # of 2 / 320 = 0.00625; Python gives 0.0063


def test_a_distance_is_what_the_header_says_to_the_last_bit() -> None:
    for spacing_mm, agrees in ((0.4, True), (float(np.float32(0.4)), False)):  # the second is 0.4000000059604645
        found, true = (volume(bar(GALLBLADDER, length), (1, 1, spacing_mm)) for length in (20, 25))
        assert (figures(found, true, GALLBLADDER)[1] == 1) is agrees


def test_labels_of_another_scheme_are_refused() -> None:
    liver = volume(bar(LIVER))
    with pytest.raises(InputError, match="a prediction: label 14 is not a FLARE22 organ"):
        evaluate(volume(bar(14)), liver, protocol="flare22", case="a")
    with pytest.raises(InputError, match="truth: label 1 is called Spleen; FLARE22 numbers"):
        evaluate(liver, liver.with_array(liver.array, {1: "Spleen"}), protocol="flare22")
    with pytest.raises(InputError, match="structures: label 14"):
        evaluate(liver, liver, protocol="flare22", structures=[1, 14])
    named = liver.with_array(liver.array, {1: "Liver", 13: "left kidney", 5: "tube"})
    assert len(evaluate(named, liver, protocol="flare22-corrected")) == 13


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two cases: of the first the aorta is found but for its last slice, of the second the whole."""
    for case, last in (("a", 8), ("b", 9)):
        package.write(tmp_path / "truth" / f"{case}.nii.gz", volume(bar(AORTA)))
        package.write(tmp_path / "prediction" / f"{case}.mha", volume(bar(AORTA, last=last)))
    return tmp_path / "prediction", tmp_path / "truth"


def test_folders_as_table_json_and_csv(folders: tuple[Path, Path], tmp_path: Path) -> None:
    command = ("evaluate", *folders, "--protocol", "flare22-corrected")
    done = ivos(*command, "--json", "--csv", tmp_path / "s.csv")
    content = json.loads(done.stdout)
    assert (content["protocol"], content["tolerance_mm"]) == ("flare22-corrected", None)
    assert len(content["scores"]) == 26
    with (tmp_path / "s.csv").open() as file:
        assert [float(row["dsc"]) for row in csv.DictReader(file)] == [row["dsc"] for row in content["scores"]]
    aorta = content["structures"][AORTA - 1]
    assert (aorta["name"], aorta["mean"]["dsc"]) == ("aorta", pytest.approx((0.9333 + 1) / 2))
    assert aorta["sd"]["dsc"] == pytest.approx(statistics.stdev([0.9333, 1]))
    assert content["mean"]["dsc"] == pytest.approx((25 + 0.9333) / 26)
    lines = ivos(*command).stdout.splitlines()
    assert sum("aorta" in line for line in lines) == 1
    assert any("aorta" in line and "0.9667 ± 0.0472" in line for line in lines)


def test_what_the_protocol_cannot_compare_is_refused_in_one_line(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pair = folders[0] / "a.mha", folders[1] / "a.nii.gz"
    protocol = ("--protocol", "flare22")
    assert "--tolerance 2: flare22 has a tolerance for each organ" in refused(
        "evaluate", *pair, *protocol, "--tolerance", "2"
    )
    assert "structures: label 14" in refused("evaluate", *pair, *protocol, "--structures", "5,14")
    assert "prediction: label 1 is called spleen" in refused("evaluate", *pair, *protocol, "--scheme", "btcv")
    package.write(tmp_path / "other.nii.gz", volume(bar(14)))
    assert "truth: label 14" in refused("evaluate", pair[0], tmp_path / "other.nii.gz", *protocol)
    package.write(tmp_path / "other.nii.gz", volume(bar(AORTA)[1:]))
    assert "not on the scan's grid" in refused("evaluate", pair[0], tmp_path / "other.nii.gz", *protocol)
