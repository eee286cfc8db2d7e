"""The whole job as a person does it: from nothing to a corrected volume, its export, and back another day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

import ivos
from ivos.metrics.overlap import dsc
from ivos.volume.volume import on_grid_of
from tests.annotate.e2e.person import Person
from tests.annotate.e2e.server import Server
from tests.annotate.e2e.strokes import brush_strokes, contour

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from ivos.phantom.case import Phantom
    from ivos.volume.volume import Volume

pytestmark = pytest.mark.browser


def test_a_phantom(server: Server, patient: Phantom, new_tab: Callable[[], Page], tmp_path: Path) -> None:
    the_whole_job(server, patient.labels, ("spleen", 3), ("liver", 1), new_tab, tmp_path)


@pytest.mark.realdata
def test_a_real_scan(real_data: Path, new_tab: Callable[[], Page], tmp_path: Path) -> None:
    path = tmp_path / "ct.nii.gz"
    path.write_bytes((real_data / "ct_3mm_30slices.nii.gz").read_bytes())  # the work folder comes beside it
    truth = ivos.read_labels(real_data / "ct_3mm_30slices_labels.nii.gz")
    with Server(path, tmp_path) as server:
        the_whole_job(
            server, on_grid_of(truth, ivos.read(path), "labels"), ("kidney", 2), ("liver", 5), new_tab, tmp_path
        )


def the_whole_job(
    server: Server,
    truth: Volume,
    brushed: tuple[str, int],
    lassoed: tuple[str, int],
    new_tab: Callable[[], Page],
    folder: Path,
) -> None:
    """Draws two structures, the first with the brush and the second with the lasso, and so on to the end."""
    first, second = truth.array == brushed[1], truth.array == lassoed[1]
    person = Person(new_tab(), server)
    person.opens()

    person.adds(brushed[0])
    here = largest(first)
    person.goes_to(here)
    person.page.get_by_label("Brush size").fill("2")
    person.draws(*brush_strokes(first[here], 2))
    assert dsc(server.labels()[here] == 1, first[here]) > 0.85
    person.sees([here])

    person.adds(lassoed[0])
    there = largest(second)
    person.goes_to(there)
    person.button("Lasso").click()
    person.draws(contour(second[there]))
    assert dsc(server.labels()[there] == 2, second[there]) > 0.9
    person.sees([there])

    drawn = server.labels()
    person.presses("p")
    person.reads("Finished.")
    labels = server.labels()
    np.testing.assert_array_equal((labels == 1)[here], (drawn == 1)[here])
    np.testing.assert_array_equal((labels == 2)[there], (drawn == 2)[there])
    assert dsc(labels == 1, first) > 0.6
    assert dsc(labels == 2, second) > 0.6
    person.sees([here, here + 2, there - 2, there])

    person.button(f"Lock {brushed[0]}").click()
    person.reads(f"{brushed[0]} is locked")
    person.presses("1")
    person.presses_the_mouse_along(contour(first[here]))
    person.lets_go()
    person.reads(f"{brushed[0]} is locked: unlock it")
    np.testing.assert_array_equal(server.labels(), labels)

    person.presses("2", "b")
    corrected = there - 3
    person.goes_to(corrected)
    middle = tuple(np.argwhere(labels[corrected] == 2).mean(axis=0) + 0.5)
    person.button("Eraser").click()
    person.draws([middle, (middle[0], middle[1] + 4)])
    person.reads(f"taken away on slice {corrected}")
    assert server.scan()["corrected"]["axial"] == {"2": [corrected]}
    after = server.labels()
    assert (after != labels)[corrected].any()
    person.sees([corrected])

    person.presses("Control+z")
    person.reads("Undone.")
    np.testing.assert_array_equal(server.labels(), labels)
    person.sees([corrected])
    person.button("Redo").click()
    person.reads("Done again.")
    np.testing.assert_array_equal(server.labels(), after)
    person.sees([corrected])

    exported = exported_as_nifti(person, folder)
    np.testing.assert_array_equal(exported.array, after)
    assert exported.names == {1: brushed[0], 2: lassoed[0]}

    person.page.reload()
    person.reads("is open")
    assert person.slice == corrected
    person.sees_here(after[corrected])

    server.end()
    person.reads("Connection lost. Your work is saved")
    server.start()
    person.reads("Connected again. Nothing is lost.")
    np.testing.assert_array_equal(server.labels(), after)

    later = Person(new_tab(), server)
    later.opens()
    later.sees([here, corrected])
    later.button(f"Unlock {brushed[0]}").click()
    later.button("Undo").click()  # the unlocking, then what was done before the server ended
    later.button("Undo").click()
    later.saved()
    np.testing.assert_array_equal(server.labels(), labels)
    later.sees([corrected])
    later.button("Done").click()
    later.page.get_by_text("✓ Done").wait_for()
    assert server.scan()["state"] == "done"


def largest(mask: np.ndarray) -> int:
    return int(mask.sum(axis=(1, 2)).argmax())


def exported_as_nifti(person: Person, folder: Path) -> Volume:
    person.button("Export").click()
    with person.page.expect_download() as download:
        person.page.get_by_role("link", name="Export as NIfTI").click()
    person.reads("is where your browser keeps downloads")
    assert download.value.suggested_filename.endswith(".nii.gz")
    download.value.save_as(folder / "labels.nii.gz")
    person.button("Export").click()
    person.page.get_by_role("link", name="Export as DICOM SEG").click()
    person.reads("DICOM")
    expect(person.status).to_have_class("status alarm")  # it says why it cannot be had of such a scan
    return ivos.read_labels(folder / "labels.nii.gz")
