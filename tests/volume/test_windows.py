"""Intensity windows: what is taken for CT, and scans in which next to nothing differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivos.volume.volume import Volume
from ivos.volume.windows import CT_WINDOWS_HU, channels, describe_windows, looks_like_ct, windows_for, with_modality
from tests.propagation.scenes import volume_of as stated

SHAPE = (6, 40, 40)


def volume_of(array: np.ndarray) -> Volume:
    """A scan whose file does not say what it is."""
    return replace(stated(array), modality=None)


Z, Y, X = np.indices(SHAPE)
BODY = (Y - 20) ** 2 + (X - 20) ** 2 < 17**2
ORGAN = (Y - 20) ** 2 + (X - 14) ** 2 < 30


def ct() -> np.ndarray:
    """Air, fat, an organ, some bone."""
    values = np.where(BODY, -90.0, -1000.0)
    values[ORGAN] = 110
    values[(Y - 30) ** 2 + (X - 20) ** 2 < 9] = 900
    return np.rint(values + np.random.default_rng(0).normal(0, 12, SHAPE))


def mr() -> np.ndarray:
    """Air, muscle, and a bright organ."""
    values = np.where(BODY, 300.0, 0.0)
    values[ORGAN] = 900
    return np.abs(values + np.random.default_rng(1).normal(0, 25, SHAPE))


def test_ct_is_ct_padded_masked_and_in_any_type() -> None:
    for array in (ct(), ct().astype(np.int16), ct() + 0.25, np.pad(ct(), 6, constant_values=-3024), ct()[2:3]):
        assert windows_for(volume_of(array)) == CT_WINDOWS_HU
    assert looks_like_ct(np.where(ct() < -500, -1024, ct()))


@pytest.mark.parametrize("scale", [1, 10, 50, 100, 200, 1000])
@pytest.mark.parametrize("whole", [False, True])
def test_z_scored_mr_is_not_ct(scale: float, whole: bool) -> None:
    scored = scale * (mr() - mr().mean()) / mr().std()
    assert not looks_like_ct(np.rint(scored) if whole else scored)


@pytest.mark.parametrize(
    ("low", "high"), [(-1, 1), (-100, 100), (-500, 500), (-1000, 1000), (-1024, 1024), (-(2**15), 2**15)]
)
def test_mr_that_is_scaled_to_signed_values_is_not_ct(low: float, high: float) -> None:
    share = (mr() - mr().min()) / np.ptp(mr())
    assert not looks_like_ct(low + (high - low) * share)


def test_differences_and_shifted_mr_are_not_ct() -> None:
    assert not looks_like_ct(mr() - np.roll(mr(), 3, 2))
    assert not looks_like_ct(mr() - mr().mean())
    assert not looks_like_ct(mr() - 100)


def test_who_decides_is_told_and_an_option_outranks_the_file() -> None:
    scan = Volume.from_array(mr(), volume_of(mr()).geometry, modality="CT")
    assert describe_windows(scan, "auto") == {"windows": "ct", "windows_by": "file"}
    assert describe_windows(scan, "mr") == {"windows": "mr", "windows_by": "option"}
    assert describe_windows(volume_of(mr()), "auto") == {"windows": "mr", "windows_by": "intensities"}
    assert windows_for(with_modality(scan, "mr")) != CT_WINDOWS_HU
    assert windows_for(with_modality(volume_of(mr()), "ct")) == CT_WINDOWS_HU
    assert with_modality(scan, "auto") is scan


@given(
    value=st.floats(-1e6, 1e6, width=32),
    step=st.floats(0, 1e6, width=32),
    count=st.integers(0, 5),
    places=st.randoms(use_true_random=False),
)
def test_every_scan_is_seen_in_finite_numbers(value: float, step: float, count: int, places: object) -> None:
    array = np.full((3, 8, 8), value, np.float32)
    for _ in range(count):
        array.flat[places.randrange(array.size)] = value + step  # type: ignore[attr-defined]
    for modality in ("ct", "mr"):
        windows = windows_for(volume_of(array), modality)
        seen = channels(array[1], windows)
        assert np.isfinite(seen).all()
        assert 0 <= seen.min() <= seen.max() <= 1


def test_a_scan_that_is_nearly_blank_shows_what_it_has() -> None:
    array = np.zeros((12, 64, 64), np.int16)
    array[3, 4, 5], array[6, 20:22, 20:22] = -1, 900
    seen = channels(array[6], windows_for(volume_of(array)))
    assert seen[0, 20, 20] == 1
    assert seen[0, 0, 0] < 0.1
    two = np.zeros((2, 4, 4), np.float32)
    two[0, 0, 0] = 1e-7
    assert channels(two[0], windows_for(volume_of(two)))[0].max() == 1
    old = ((0.0, 5e-324), (0.0, 5e-324), (0.0, 5e-324))  # as stores of earlier versions hold them
    assert np.isfinite(channels(array[6], old)).all()
