"""Views of a structure, and the light in which it stands out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivos.propagation.patch import Patch
from ivos.propagation.roi import View, light_on, view_of


def disc(x: float, y: float, radius: float, shape: tuple[int, int] = (120, 140)) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside: np.ndarray = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
    return inside.astype(np.float32)


@given(x=st.floats(30, 110), y=st.floats(30, 90), radius=st.floats(4, 24))
def test_what_is_cut_and_pasted_back_is_the_same(x: float, y: float, radius: float) -> None:
    mask = disc(x, y, radius)
    view = view_of([Patch.of(mask)], 96)
    assert view is not None
    pasted = view.paste(view.cut(mask, 96), (120, 140))
    assert pasted is not None
    back = pasted.dense((120, 140)) > 0.5
    assert 2 * (back & (mask > 0.5)).sum() / (back.sum() + mask.sum()) > 0.93


@given(x=st.floats(30, 110), y=st.floats(30, 90), radius=st.floats(6, 24))
def test_a_view_centres_a_structure_at_a_steady_size(x: float, y: float, radius: float) -> None:
    view = view_of([Patch.of(disc(x, y, radius))], 96)
    assert view is not None
    seen = np.argwhere(view.cut(disc(x, y, radius), 96) > 0.5)
    np.testing.assert_allclose(seen.mean(axis=0), 47.5, atol=3)
    assert 0.3 * 96 < np.ptp(seen[:, 0]) < 0.5 * 96


def test_magnification_stays_until_the_structure_outgrows_the_view() -> None:
    before = view_of([Patch.of(disc(60, 60, 10))], 96)
    assert before is not None
    slightly, much = (view_of([Patch.of(disc(60, 60, r))], 96, before) for r in (12, 40))
    assert slightly is not None
    assert much is not None
    assert slightly.zoom == before.zoom
    assert much.zoom < before.zoom


def test_nothing_to_look_at() -> None:
    assert view_of([None, Patch.of(np.zeros((20, 30), np.float32))], 96) is None


def test_beyond_the_slice_there_is_nothing() -> None:
    assert View(0, 0, 1.0).cut(np.ones((50, 50), np.float32), 96)[:40, :40].max() == 0


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_light_falls_on_the_window_in_which_a_structure_stands_out(channel: int) -> None:
    rng = np.random.default_rng(0)
    mask = disc(60, 60, 15)
    image = rng.normal(0.5, 0.03, (3, 120, 140)).astype(np.float32)
    image[channel] += 0.2 * mask
    drawn = Patch.of(mask)
    view = view_of([drawn], 96)
    assert view is not None
    assert drawn is not None
    light = light_on(image, drawn, view, 96)
    assert light.channel == channel
    likelihood = light.likelihood(light.stretched(view.cut(image[channel], 96)))
    inside = view.cut(mask, 96) > 0.5
    assert likelihood[inside].mean() > 0.3 > -0.3 > likelihood[~inside].mean()


def test_intensity_scale_and_offset_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    mask = disc(60, 60, 15)
    image = (rng.normal(0.4, 0.05, (1, 120, 140)) + 0.2 * mask).astype(np.float32)
    drawn = Patch.of(mask)
    view = view_of([drawn], 96)
    assert view is not None
    assert drawn is not None
    first, second = (light_on(i, drawn, view, 96) for i in (image, 0.5 * image + 0.2))
    a, b = (light.stretched(view.cut(i[0], 96)) for light, i in ((first, image), (second, 0.5 * image + 0.2)))
    np.testing.assert_allclose(a[20:-20, 20:-20], b[20:-20, 20:-20], atol=1e-4)
