"""Whether probabilities are compared with the truth as they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.panel.cohorts import cohorts_of
from benchmarks.panel.propagators import Found
from benchmarks.panel.protocol import CaseScore, Protocol, score_case
from benchmarks.panel.reliability import Reliability, pooled, regions_of_interest, reliability_plot

import ivos
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.cases import Case

    from ivos.volume.volume import Volume


def test_expected_calibration_error_by_hand() -> None:
    """Eight voxels at .8 of which six are right, two at 1 of which one is: (8 * .05 + 2 * .5) / 10."""
    confidence = np.array([204] * 8 + [255] * 2)
    right = np.array([True] * 6 + [False] * 2 + [True, False])
    found = Reliability.of(confidence, right)
    assert found.expected_error == pytest.approx(0.14)
    assert found.overconfidence == pytest.approx(0.84 - 0.7)
    assert found.accuracies[16] == pytest.approx(0.75)
    assert found.accuracies[19] == pytest.approx(0.5)
    halves = [Reliability.of(confidence[n::2], right[n::2]) for n in (0, 1)]
    assert pooled([*halves, None]).expected_error == pytest.approx(0.14)


def test_errors_to_either_side_do_not_cancel() -> None:
    shy = Reliability.of(np.array([140] * 10), np.ones(10, bool))
    bold = Reliability.of(np.array([255] * 10), np.array([True] * 5 + [False] * 5))
    assert (shy + bold).expected_error == pytest.approx((10 * (1 - 140 / 255) + 5) / 20)


def test_nothing_is_no_figure() -> None:
    assert np.isnan(pooled([None]).expected_error)


def test_regions_of_interest_are_two_and_a_half_times_as_large() -> None:
    truth, found = np.zeros((2, 3, 40, 40), bool)
    truth[0, 10:14, 20:24] = True
    found[0, 10:14, 20:28] = True
    truth[1, :2, :2] = True
    inside = regions_of_interest(found, truth, np.array([True, False, True]))
    assert np.argwhere(inside[0]).min(axis=0).tolist() == [7, 14]
    assert np.argwhere(inside[0]).max(axis=0).tolist() == [16, 33]
    assert not inside[1:].any()


@pytest.fixture
def scan(tmp_path: Path) -> Case:
    """A square of 10 x 10 on four slices, 10 x 12 on slice 2."""
    labels = np.zeros((4, 30, 30), np.uint8)
    labels[:, 10:20, 10:20] = 1
    labels[2, 10:20, 10:22] = 1  # the largest one
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        ivos.write(
            tmp_path / folder / "a.nii.gz", volume_of(labels.astype(np.int16 if folder == "images" else np.uint8))
        )
    return cohorts_of([str(tmp_path)], 1)[0].cases[0]


def test_what_is_annotated_does_not_count(scan: Case) -> None:
    def sure_of_nothing(_: Volume, annotated: Volume, __: Sequence[int]) -> Found:
        return Found(annotated.array, np.full(annotated.array.shape, 255, np.uint8))

    reliability = score_case(scan, Protocol(), sure_of_nothing).reliability
    assert reliability is not None
    region, structure = 26 * 26, 100  # 10 x 10, and 8 more on every side; on three slices
    assert sum(reliability.voxels) == 3 * region
    assert reliability.expected_error == pytest.approx(structure / region)


def test_what_is_given_to_structures_is_looked_at_by_itself(scan: Case) -> None:
    def copied(_: Volume, annotated: Volume, __: Sequence[int]) -> Found:
        labels = np.repeat(annotated.array[2][None], 4, axis=0)
        return Found(labels, np.where(labels, 204, 255).astype(np.uint8))

    reliability = score_case(scan, Protocol(), copied).of_structures
    assert reliability is not None
    assert sum(reliability.voxels) == 3 * 120
    assert reliability.expected_error == pytest.approx(100 / 120 - 0.8)


def test_the_plot_has_a_curve_for_what_has_probabilities() -> None:
    found = Reliability.of(np.array([204] * 4), np.array([True, True, True, False]))
    cases = [CaseScore("a", (), 1.0, found, found), CaseScore("b", (), 1.0, found, found)]
    svg = reliability_plot({("c", "one-slice", "fast"): cases, ("c", "one-slice", "itk"): [CaseScore("a", (), 1.0)]})
    assert "fast, one-slice: 0.825: 0.750." in svg
    assert "itk" not in svg
