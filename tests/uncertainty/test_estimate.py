from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.uncertainty.estimate import (
    Estimate,
    Estimator,
    Observation,
    assess_estimates,
    detection_rate,
    fit,
    load_estimator,
    save_estimator,
)


def observations(scans: int, seed: int = 0) -> list[Observation]:
    """Structures whose DSC follows from one figure, less an offset for structure 2; another figure says nothing."""
    rng = np.random.default_rng(seed)
    found = []
    for scan in range(scans):
        for structure in (1, 2, 3):
            agreed = float(rng.uniform(0.1, 0.95))
            odds = math.log(agreed / (1 - agreed)) - (1.0 if structure == 2 else 0.0) + rng.normal(0, 0.2)
            figures = {"networks": agreed, "certainty": float(rng.uniform(0.5, 0.9)), "log_ml": float(rng.normal(3, 1))}
            found.append(Observation(str(scan), structure, figures, 1 / (1 + math.exp(-odds))))
    return found


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return fit(observations(30), "weights")[0]


def test_what_was_fitted_holds_for_other_scans(estimator: Estimator) -> None:
    others = observations(40, seed=1)
    judged = assess_estimates([estimator.estimate(o.structure, o.figures) for o in others], [o.dsc for o in others])
    assert judged.pearson > 0.95
    assert judged.mean_error < 0.05
    assert 0.8 <= judged.covered <= 0.98
    assert judged.detection_rate > 0.9


def test_estimates_for_scans_that_are_left_out_are_as_good_as_for_new_ones() -> None:
    seen = observations(30)
    _, held_out = fit(seen, "weights")
    assert 0.85 <= assess_estimates(held_out, [o.dsc for o in seen]).covered <= 0.95


def test_a_structure_s_own_offset_counts(estimator: Estimator) -> None:
    figures = {"networks": 0.8, "certainty": 0.7, "log_ml": 3.0}
    assert estimator.estimate(2, figures).dsc < estimator.estimate(1, figures).dsc - 0.05
    unseen = estimator.estimate(99, figures).dsc
    assert estimator.estimate(2, figures).dsc < unseen < estimator.estimate(1, figures).dsc + 0.05


@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
def test_more_agreement_never_means_less(estimator: Estimator, one: float, other: float) -> None:
    low, high = (
        estimator.estimate(1, {"networks": value, "certainty": 0.7, "log_ml": 3.0}) for value in sorted((one, other))
    )
    assert low.dsc <= high.dsc
    assert 0 < low.low <= low.dsc <= low.high < 1


def test_a_figure_that_is_missing_counts_as_usual(estimator: Estimator) -> None:
    whole = {"networks": 0.8, "certainty": 0.7, "log_ml": 3.0}
    without = {"networks": 0.8, "certainty": math.nan}
    assert estimator.estimate(1, without).dsc == pytest.approx(estimator.estimate(1, whole).dsc, abs=0.1)


def test_too_little_to_fit_anything() -> None:
    with pytest.raises(InputError, match="at least 20 on 4 are required"):
        fit(observations(3), "")


def test_an_estimator_in_a_file_is_the_same(estimator: Estimator, tmp_path: Path) -> None:
    save_estimator(estimator, tmp_path / "deep" / "trust.json")
    assert load_estimator(tmp_path / "deep" / "trust.json") == estimator
    (tmp_path / "other.json").write_text('{"figures": ["x"]}')
    with pytest.raises(InputError, match="not an estimator"):
        load_estimator(tmp_path / "other.json")
    with pytest.raises(InputError, match="no such file"):
        load_estimator(tmp_path / "none.json")


def test_alarms_are_counted_at_one_false_one_in_ten() -> None:
    dsc = [0.9] * 10 + [0.5, 0.6, 0.1]
    assert detection_rate([1.0] * 9 + [0.4] + [0.3, 0.7, 0.2], dsc) == pytest.approx(1.0)
    assert detection_rate([0.5] * 10 + [0.3, 0.7, 0.2], dsc) == pytest.approx(2 / 3)
    assert math.isnan(detection_rate([0.5] * 2, [0.8, 0.9]))
    exact = assess_estimates([Estimate(d, d, d) for d in dsc], dsc)
    assert (exact.pearson, exact.mean_error, exact.covered, exact.bad) == pytest.approx((1.0, 0.0, 1.0, 3))
