"""What a person sees when something breaks off in the middle of the work: nothing that was kept is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

import ivos
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume
from tests.annotate.e2e.person import Person
from tests.annotate.e2e.server import Server
from tests.annotate.e2e.strokes import contour
from tests.cli.runner import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from ivos.phantom.case import Phantom

pytestmark = pytest.mark.browser

LIVER, LONG = 1, 6
SOME_DONE = re.compile(r"slice [1-9]\d* of")


@pytest.fixture
def long_server(patient: Phantom, tmp_path: Path) -> Iterator[Server]:
    """A server on a phantom of so many slices that propagating them takes a while."""
    array = np.repeat(patient.scan.array, LONG, axis=0)
    grid = Geometry(array.shape, patient.scan.geometry.spacing_mm, (0.0, 0.0, 0.0))
    ivos.write(tmp_path / "long.nii.gz", Volume.from_array(array, grid, modality="CT"))
    with Server(tmp_path / "long.nii.gz", tmp_path) as running:
        yield running


def has_drawn_the_liver(person: Person, truth: Volume, *, times: int = 1) -> int:
    """Opens the scan and draws the liver with the lasso where it is largest; the slice's number."""
    liver = truth.array == LIVER
    here = int(liver.sum(axis=(1, 2)).argmax())
    person.opens()
    person.adds("liver")
    person.goes_to(here * times)
    person.button("Lasso").click()
    person.draws(contour(liver[here]))
    return here * times


def test_kill_9_while_drawing(server: Server, patient: Phantom, new_tab: Callable[[], Page]) -> None:
    person = Person(new_tab(), server)
    here = has_drawn_the_liver(person, patient.labels)
    kept = server.labels()
    placed_anew = [(20.0, 20.0), (20.0, 30.0), (30.0, 30.0)]
    person.presses("b")
    person.presses_the_mouse_along(placed_anew)
    server.kill()
    person.lets_go()
    person.reads("Connection lost. Your work is saved")
    expect(person.status.locator(".saved")).to_have_text("Saving…")

    server.start()
    # The stroke that waited may be drawn right after the page is connected, and its line takes the place of the other.
    person.reads(re.compile(r"Connected again\. Nothing is lost\.|drawn on slice"))
    person.saved()
    labels = server.labels()
    np.testing.assert_array_equal(labels[kept > 0], kept[kept > 0])
    assert labels[here, 20, 20:30].all()  # what was drawn while nobody listened
    person.sees_here(labels[here])
    person.button("Undo").click()
    person.sees_here(kept[here])


def test_kill_9_while_propagating(long_server: Server, patient: Phantom, new_tab: Callable[[], Page]) -> None:
    person = Person(new_tab(), long_server)
    here = has_drawn_the_liver(person, patient.labels, times=LONG)
    person.presses("p")
    expect(person.status).to_contain_text(SOME_DONE)
    while not (shown := long_server.labels())[:here].any():
        assert long_server.scan()["job"]
    assert long_server.scan()["job"]["state"] == "running"
    long_server.kill()
    person.reads("Connection lost. Your work is saved")

    long_server.start()
    person.reads("Connected again. The server had ended: what was finished of the propagation is here.")
    labels = long_server.labels()
    np.testing.assert_array_equal(labels[shown > 0], shown[shown > 0])
    assert not labels.any(axis=(1, 2)).all()
    some = np.flatnonzero(labels.any(axis=(1, 2)))
    person.sees([int(some[0]), here])
    person.button("Undo").click()  # what was finished is one step
    person.reads("Undone.")
    assert np.flatnonzero(long_server.labels().any(axis=(1, 2))).tolist() == [here]
    person.presses("p")
    expect(person.status).to_contain_text(SOME_DONE)
    person.button("Stop").click()
    person.reads("Stopped. What was finished stays.")


def test_a_reload_while_propagating(long_server: Server, patient: Phantom, new_tab: Callable[[], Page]) -> None:
    person = Person(new_tab(), long_server)
    has_drawn_the_liver(person, patient.labels, times=LONG)
    person.presses("p")
    expect(person.status).to_contain_text(SOME_DONE)
    person.page.reload()
    expect(person.status).to_contain_text(SOME_DONE)
    person.button("Pause").click()
    person.reads("Paused.")
    person.button("Resume").click()
    person.reads("Finished.")
    labels = long_server.labels()
    assert labels.any(axis=(1, 2)).sum() > 100
    person.sees(np.flatnonzero(labels.any(axis=(1, 2)))[[0, 50, -1]].tolist())


def test_two_tabs_and_a_second_server(
    server: Server, patient: Phantom, new_tab: Callable[[], Page], tmp_path: Path
) -> None:
    one, other = Person(new_tab(), server), Person(new_tab(), server)
    other.opens()
    one.turns_to()
    here = has_drawn_the_liver(one, patient.labels)
    drawn, nothing = server.labels()[here], np.zeros_like(server.labels()[here])
    second = refused("annotate", tmp_path / "abdomen.nii.gz", "--no-browser")
    assert "another ivos annotate works in this work folder" in second

    other.turns_to()
    other.goes_to(here)
    other.sees_here(drawn)
    other.button("Undo").click()
    other.sees_here(nothing)
    one.turns_to()
    one.sees_here(nothing)
    other.turns_to()
    other.button("Redo").click()
    other.sees_here(drawn)
    one.turns_to()
    one.sees_here(drawn)

    one.presses("p")
    other.turns_to()
    other.reads("Finished.")
    assert server.labels()[here - 2].any()
    other.sees([here - 2])
