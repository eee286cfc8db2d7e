"""Runs against each other: statistics against SciPy, closed forms and figures worked by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ivos.errors import InputError
from ivos.metrics.comparison import compare
from ivos.metrics.paired import holm, paired_differences
from ivos.metrics.ranking import rank
from ivos.metrics.runs import read_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ivos.metrics.comparison import Comparison

SCORES = st.one_of(st.just(math.nan), st.integers(0, 20).map(lambda n: n / 20))


def figures(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, shape, elements=SCORES)


def test_mean_interval_and_p_are_those_of_scipy() -> None:
    generator = np.random.default_rng(1)
    first = generator.uniform(0.7, 0.9, (30, 1))
    other = first + generator.normal(0.01, 0.03, (30, 1))
    (found,) = paired_differences(first, other)
    values = (other - first)[:, 0]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=4e-4)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(30), rel=0.05)
    assert found.p == pytest.approx(stats.wilcoxon(values).pvalue)


def test_equal_differences_are_ties_whatever_their_binary_digits() -> None:
    first = np.array([[0.94], [0.91], [0.84], [0.71], [0.62], [0.33], [0.5]])
    step = np.array([[0.01], [0.01], [0.01], [-0.01], [-0.01], [0.02], [0.0]])
    (found,) = paired_differences(first, np.round(first + step, 2))
    assert found.p == pytest.approx(stats.wilcoxon([1, 1, 1, -1, -1, 2]).pvalue)
    assert found.pairs == 7


def test_no_p_for_few_pairs_or_none_that_differ() -> None:
    five, six = np.linspace(0.1, 0.5, 5)[:, None], np.linspace(0.1, 0.6, 6)[:, None]
    assert math.isnan(paired_differences(five, five + 0.1)[0].p)
    assert paired_differences(six, six + 0.1)[0].p == pytest.approx(2 / 2**6)
    assert math.isnan(paired_differences(six, six)[0].p)
    assert paired_differences(six, six)[0].mean == 0
    (alone,) = paired_differences(five[:1], five[:1] + 0.1)
    assert alone.mean == pytest.approx(0.1)
    assert math.isnan(alone.low)


@settings(max_examples=20, deadline=None)
@given(figures((8, 3)), figures((8, 3)))
def test_exchanged_runs_differ_the_other_way(first: np.ndarray, other: np.ndarray) -> None:
    there = paired_differences(first, other, resamples=300)
    back = paired_differences(other, first, resamples=300)
    for a, b in zip(there, back, strict=True):
        assert a.pairs == b.pairs
        assert (a.mean, a.low, a.high, a.p) == pytest.approx((-b.mean, -b.high, -b.low, b.p), abs=1e-12, nan_ok=True)
        assert a.pairs < 2 or a.low <= a.high


def test_holm_by_hand() -> None:
    assert holm([0.01, math.nan, 0.04, 0.03, 0.005]) == pytest.approx([0.03, math.nan, 0.06, 0.06, 0.02], nan_ok=True)
    assert holm([0.6, 0.5]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    found = holm(p_values)
    for p, adjusted in zip(p_values, found, strict=True):
        assert p <= adjusted <= min(1, p * len(p_values))
    order = sorted(range(len(p_values)), key=lambda n: p_values[n])
    assert [found[n] for n in order] == sorted(found)


def test_ranking_by_hand() -> None:
    found = rank(
        {
            "dsc": np.array([[0.9, 0.8, 0.8], [0.7, 0.9, math.nan]]),  # ranks 1, 2.5, 2.5 and 2, 1, 3
            "seconds": np.array([[10.0, 5.0, 20.0], [10.0, 10.0, math.nan]]),  # 2, 1, 3 and 1.5, 1.5, 3
            "gpu_mb_s": np.array([[3.0, 2.0, 1.0], [3.0, 2.0, math.nan]]),  # 3, 2, 1 and 2, 1, 3
        }
    )
    assert found.by_figure["dsc"] == (1.5, 1.75, 2.75)
    first_case = [(1 + 2 + 1.5) / 2.5, (2.5 + 1 + 1) / 2.5, (2.5 + 3 + 0.5) / 2.5]
    second_case = [(2 + 1.5 + 1) / 2.5, (1 + 1.5 + 0.5) / 2.5, 3]
    assert found.mean == pytest.approx(np.mean([first_case, second_case], axis=0))
    assert found.place == (2, 1, 3)
    # The first two runs are equal on the first case: they share the quarter of resamples with nothing else.
    assert found.first == pytest.approx((0.125, 0.875, 0), abs=0.02)


@settings(max_examples=30, deadline=None)
@given(figures((5, 4)), figures((5, 4)), st.permutations(range(4)))
def test_ranks_add_up_and_go_with_their_runs(dsc: np.ndarray, nsd: np.ndarray, order: list[int]) -> None:
    found = rank({"dsc": dsc, "nsd": nsd}, resamples=100)
    assert sum(found.mean) == pytest.approx(4 * 5 / 2)
    assert sum(found.first) == pytest.approx(1)
    assert min(found.place) == 1
    moved = rank({"dsc": dsc[:, order], "nsd": nsd[:, order]}, resamples=100)
    assert moved.mean == pytest.approx([found.mean[n] for n in order])
    assert moved.first == pytest.approx([found.first[n] for n in order])


def written(folder: Path, scores: Mapping[str, Sequence[float | None]], *, shuffled: bool = False) -> Path:
    """A run with DSC as given, for structures 1, 2, ..., and NSD a tenth below."""
    rows = [
        f"{case},{structure},organ {structure},{'' if dsc is None else dsc},{'' if dsc is None else dsc - 0.1},,1,1"
        for case, of_case in scores.items()
        for structure, dsc in enumerate(of_case, start=1)
    ]
    if shuffled:
        rows = np.random.default_rng(3).permutation(rows).tolist()
    folder.mkdir(exist_ok=True)
    head = "case,structure,name,dsc,nsd,hd95_mm,volume_ml,true_volume_ml"
    (folder / "scores.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder


def measured(folder: Path, costs: dict[str, tuple[float, float, str]]) -> None:
    head = "case,seconds,peak_ram_mb,cpu_seconds,cpu_percent_s,peak_gpu_mb,gpu_mb_s"
    rows = [f"{case},{seconds},1,1,{cpu},,{gpu}" for case, (seconds, cpu, gpu) in costs.items()]
    (folder / "efficiency.csv").write_text("\n".join([head, *rows]) + "\n")


def compared(*folders: Path) -> Comparison:
    return compare([read_run(folder) for folder in folders], resamples=500)


A = {f"c{n}": [0.8 + n / 100, 0.9 - n / 50] for n in range(8)}
B = {f"c{n}": [0.82 + n / 90, None if n == 3 else 0.9 - n / 40] for n in range(8)}


def test_pairs_and_means_of_structures(tmp_path: Path) -> None:
    found = compared(written(tmp_path / "a", A), written(tmp_path / "b", {**B, "extra": [0.9, 0.9]}))
    assert found.runs == ("a", "b")
    assert found.cases == tuple(A)
    assert found.missing == {"extra": ("a",)}
    mean, one, two = found.rows[:3]
    assert (mean.structure, one.name, two.metric) == (None, "organ 1", "dsc")
    assert one.means == pytest.approx((0.835, 0.82 + 3.5 / 90))
    assert one.differences[0].mean == pytest.approx(np.mean([0.02 + n / 90 - n / 100 for n in range(8)]))
    assert (one.differences[0].pairs, two.differences[0].pairs) == (8, 7)
    assert two.differences[0].mean == pytest.approx(np.mean([n / 50 - n / 40 for n in range(8) if n != 3]))
    assert math.isnan(two.differences[0].values[3])
    assert one.differences[0].p_holm == pytest.approx(2 * 2 / 2**8)  # the smaller of two
    assert math.isnan(mean.differences[0].p_holm)
    assert found.rows[4].differences[0].mean == pytest.approx(one.differences[0].mean)  # NSD, a tenth below in both


def test_the_order_of_cases_does_not_matter(tmp_path: Path) -> None:
    plain = compared(written(tmp_path / "a", A), written(tmp_path / "b", B))
    mixed = compared(written(tmp_path / "a", A, shuffled=True), written(tmp_path / "b", B, shuffled=True))
    assert mixed.cases == plain.cases
    assert mixed.ranking == plain.ranking
    for one, other in zip(plain.rows, mixed.rows, strict=True):
        a, b = one.differences[0], other.differences[0]
        assert (one.name, a.mean, a.low, a.high) == (other.name, b.mean, b.low, b.high)


def test_a_failed_case_is_last_in_every_figure_even_if_it_was_fast(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a", A), written(tmp_path / "b", {case: B[case] for case in list(B)[1:]})
    without = compared(a, b)
    assert without.unmeasured == ("a", "b")
    assert set(without.ranking.by_figure) == {"dsc", "nsd"}
    measured(a, dict.fromkeys(A, (9.0, 5.0, "70")))
    measured(b, dict.fromkeys(A, (1.0, 5.0, "")))  # no GPU: no GPU memory
    ranking = compared(a, b).ranking
    assert ranking.by_figure["seconds"] == (15 / 8, 9 / 8)
    assert ranking.by_figure["gpu_mb_s"] == (15 / 8, 9 / 8)
    assert ranking.by_figure["cpu_percent_s"] == (11.5 / 8, 12.5 / 8)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    good = "case,structure,name,dsc,nsd\na,1,liver,0.5,0.5\n"
    for content, message in {
        good.replace(",nsd", ""): "no column nsd",
        good.replace("0.5,0.5", "0.5,high"): "line 2: nsd 'high' is not a number",
        good.replace("0.5,0.5", "50,0.5"): "dsc 50 is outside 0 to 1",
        good.replace("a,1", "a,liver"): "'liver' is not a label id",
        good + "a,1,liver,0.4,0.4\n": "structure 1 of case 'a' appears twice",
        good + "b,1,liver\n": "line 3: incomplete row",
        good.splitlines()[0]: "holds no scores",
        "": "no column case, structure",
    }.items():
        (tmp_path / "s.csv").write_text(content)
        with pytest.raises(InputError, match=message):
            read_run(tmp_path / "s.csv")
    (tmp_path / "s.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InputError, match="not a CSV file"):
        read_run(tmp_path / "s.csv")
    with pytest.raises(InputError, match="No such file"):
        read_run(tmp_path / "nothing.csv")


def test_costs_of_other_cases_and_other_numberings_are_refused(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a", A), written(tmp_path / "b", B)
    measured(a, {"python x.py": (1, 1, "")})
    with pytest.raises(InputError, match="has none of the cases"):
        read_run(a)
    (a / "efficiency.csv").unlink()
    (b / "scores.csv").write_text((b / "scores.csv").read_text().replace("organ 1", "spleen"))
    with pytest.raises(InputError, match="label 1 is 'spleen' in b and 'organ 1' in a, and names cannot decide"):
        compared(a, b)
    with pytest.raises(InputError, match="no case is in all runs: a has 'c0', c has 'x'"):
        compared(a, written(tmp_path / "c", {"x": [0.5]}))
