from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.errors import InputError
from ivos.propagation.masks import Masks
from ivos.uncertainty.case_file import read_evidence, write_evidence
from ivos.uncertainty.features import QualityFeatures

PROBABILITIES = arrays(np.float32, (2, 6, 5), elements=st.floats(0, 0.5, width=32))


def test_certainty_is_the_dsc_to_expect() -> None:
    probabilities = np.zeros((1, 1, 4), np.float32)
    probabilities[0, 0] = (0.9, 0.7, 0.2, 0.0)
    evidence = QualityFeatures.of(1, 1)
    evidence.add(0, Masks.of(probabilities))
    figures = evidence.figures(0.5)[0]
    assert figures["certainty"] == pytest.approx(2 * 1.6 / (2 + 1.8))
    assert figures["log_ml"] == pytest.approx(0.0)


def test_a_sure_answer_is_certain_and_has_no_entropy() -> None:
    sure, unsure = QualityFeatures.of(1, 1), QualityFeatures.of(1, 1)
    sure.add(0, Masks.of(np.ones((1, 3, 3), np.float32)))
    unsure.add(0, Masks.of(np.full((1, 3, 3), 0.6, np.float32)))
    assert sure.figures(1.0)[0]["certainty"] == 1
    assert sure.figures(1.0)[0]["entropy"] == pytest.approx(0, abs=1e-4)
    assert unsure.figures(1.0)[0]["entropy"] > 0.9


@given(PROBABILITIES, PROBABILITIES)
def test_agreement_is_symmetric_and_whole_with_itself(one: np.ndarray, other: np.ndarray) -> None:
    evidence = QualityFeatures.of(1, 2)
    a, b = Masks.of(one), Masks.of(other)
    evidence.compare("ab", 0, a, b)
    evidence.compare("ba", 0, b, a)
    evidence.compare("aa", 0, a, a)
    ab, ba, aa = (evidence.agreements[name].dsc() for name in ("ab", "ba", "aa"))
    np.testing.assert_allclose(ab, ba, equal_nan=True)
    np.testing.assert_allclose(aa[one.any(axis=(1, 2))], 1, rtol=1e-5)
    known = (one + other).any(axis=(1, 2))
    shared, total = (pair.astype(np.float64).sum(axis=(1, 2))[known] for pair in (np.minimum(one, other), one + other))
    np.testing.assert_allclose(ab[known], 2 * shared / total, rtol=1e-3, atol=1e-6)
    assert np.isnan(ab[~known]).all()


def test_evidence_in_files(tmp_path: Path) -> None:
    write_evidence(tmp_path, "case", "some weights", {3: {"certainty": 0.5, "passes": float("nan")}})
    found = read_evidence(tmp_path)["case"]
    assert found.made_by == "some weights"
    assert found.figures(3)["certainty"] == 0.5
    assert np.isnan(found.figures(3)["passes"])
    write_evidence(tmp_path, "other", "other weights", {})
    with pytest.raises(InputError, match="different weights"):
        read_evidence(tmp_path)
    (tmp_path / "evidence" / "other.json").write_text("{")
    with pytest.raises(InputError, match="not a file of quality features"):
        read_evidence(tmp_path)
    with pytest.raises(InputError, match="no quality features"):
        read_evidence(tmp_path / "nowhere")
