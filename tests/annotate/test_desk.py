"""What a person does on the page, through the server's addresses."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

import ivos
from ivos.propagation.engines.nearest import NearestEngine
from tests.annotate.desk import Desk, desk_of, line_of, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.masks import Masks


class Slow(NearestEngine):
    def predict(self, image: Slice, opposite: Masks | None) -> Masks:
        time.sleep(0.1)
        return super().predict(image, opposite)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path) as made:
        made.act("add", name="ball")
        made.act("add", id=8, name="disc", colour="#102030")
        yield made


def test_a_new_scan_as_the_page_sees_it(tmp_path: Path) -> None:
    with desk_of(tmp_path) as desk:
        shown = desk.get()
        assert shown["state"] == "new"
        assert shown["shape"] == list(truth().array.shape)
        assert shown["structures"] == []
        assert shown["version"] == 0
        assert shown["drawn"] == {"axial": {}}
        assert not desk.voxels().any()
        assert "propagate first" in line_of(desk.client.get(f"{desk.scan}/uncertainty"), 404)


def test_drawing_goes_voxel_by_voxel_and_is_told_of(desk: Desk) -> None:
    mask = truth().array[4] == 3
    done = desk.draw(4, mask)
    assert done["changed"] == {"axis": "axial", "first": 4, "last": 4}
    assert done["scan"]["version"] == done["version"]
    expected = np.where(np.arange(len(truth().array))[:, None, None] == 4, mask, 0)
    np.testing.assert_array_equal(desk.voxels(), expected)
    np.testing.assert_array_equal(desk.voxels("/labels?axis=axial&first=4&last=5"), expected[4:6])
    np.testing.assert_array_equal(desk.voxels("/labels?axis=sagittal&first=0&last=63"), expected)
    shown = desk.get()
    assert shown["state"] == "in work"
    assert shown["drawn"]["axial"] == {"1": [4]}
    assert shown["structures"][0]["volume_ml"] == pytest.approx(mask.sum() * 2e-3)
    assert shown["structures"][1] == {"id": 8, "name": "disc", "colour": "#102030", "frozen": False, "volume_ml": 0}


def test_brush_eraser_polygon_strokes_and_box(desk: Desk) -> None:
    square = np.zeros((64, 64), bool)
    square[10:20, 10:20] = True
    desk.draw(2, square, do="brush")
    part = square.copy()
    part[:, 15:] = False
    desk.draw(2, part, do="brush", erase=True)
    np.testing.assert_array_equal(desk.voxels()[2] == 1, square & ~part)
    desk.act("polygon", structure=8, index=2, points=[[30, 30], [30, 39], [39, 39], [39, 30]])
    assert (desk.voxels()[2] == 8).sum() == 100
    desk.act("box", structure=1, index=5, box=[3, 4, 7, 9])
    desk.act("click", structure=1, index=5, positive=[[50, 50]], negative=[])
    desk.act("scribble", structure=1, index=5, positive=[[[20, 20], [20, 30]]], negative=[[[4, 5]]], radius=1)
    found = desk.voxels()[5] == 1
    assert found[50, 50]
    assert found[19:22, 20:31].all()
    assert not found[3:6, 4:7].any()
    assert found[6, 8]


def test_structures_are_added_renamed_locked_and_removed(desk: Desk) -> None:
    desk.act("add", name="third")
    assert [s["id"] for s in desk.get()["structures"]] == [1, 2, 8]
    desk.act("rename", structure=2, name="gallbladder", colour="#ff0000")
    assert desk.get()["structures"][1]["colour"] == "#ff0000"
    everything = np.ones((64, 64), bool)
    desk.draw(3, truth().array[3] == 3)
    desk.act("lock", structure=1)
    desk.draw(3, everything, structure=8)
    np.testing.assert_array_equal(desk.voxels()[3] == 1, truth().array[3] == 3)
    assert "release it first" in desk.refused(400, "remove", structure=1)
    desk.act("unlock", structure=1)
    desk.act("remove", structure=1)
    assert [s["id"] for s in desk.get()["structures"]] == [2, 8]
    assert not (desk.voxels() == 1).any()


def test_undo_and_redo(desk: Desk) -> None:
    mask = truth().array[4] == 3
    desk.draw(4, mask)
    version = desk.get()["version"]
    undone = desk.act("undo")
    assert undone["version"] > version
    assert undone["changed"] == {"axis": "axial", "first": 4, "last": 4}
    assert undone["scan"]["redo"]
    assert not desk.voxels().any()
    desk.act("redo")
    np.testing.assert_array_equal(desk.voxels()[4] == 1, mask)
    assert "nothing to do again" in desk.refused(400, "redo")


def test_propagation_fills_the_scan_as_one_step_and_corrections_are_marked(desk: Desk) -> None:
    labels = truth().array
    for index in (0, 11):
        desk.draw(index, labels[index] == 3)
    before = desk.voxels()
    desk.propagate(first=2, last=9)
    shown = desk.get()
    assert shown["propagated"]["axial"] == {"1": [[2, 9]]}
    assert shown["drawn"]["axial"] == {"1": [0, 11]}
    filled = desk.voxels()
    assert filled[2:10].any(axis=(1, 2)).all()
    assert not filled[1].any()
    assert desk.voxels("/uncertainty").shape == filled.shape
    desk.draw(5, labels[5] == 3)
    assert desk.get()["corrected"]["axial"] == {"1": [5]}
    desk.act("undo")
    assert desk.get()["corrected"]["axial"] == {}
    np.testing.assert_array_equal(desk.voxels(), filled)
    desk.act("undo")
    np.testing.assert_array_equal(desk.voxels(), before)


def test_propagation_in_one_direction_and_what_cannot_be_propagated(desk: Desk) -> None:
    desk.draw(5, truth().array[5] == 3)
    desk.propagate(direction="next", index=5)
    assert desk.get()["propagated"]["axial"] == {"1": [[6, 6]]}
    desk.propagate(direction="backward", index=5)
    assert desk.get()["propagated"]["axial"] == {"1": [[0, 4], [6, 6]]}

    def refused(**asked: object) -> str:
        return line_of(desk.client.post(f"{desk.scan}/propagation", json=asked), 400)

    assert "no next one" in refused(direction="next", index=11)
    assert "say from which slice" in refused(direction="forward")
    assert "not in this session" in refused(structures=[77])
    assert "0 to 11" in refused(first=40)
    assert "nothing runs" in line_of(desk.client.delete(f"{desk.scan}/propagation"), 404)


def test_shapes_between_drawn_slices_and_clearing(desk: Desk) -> None:
    small, large = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    small[20:30, 20:30], large[18:32, 18:32] = True, True
    desk.draw(2, small)
    desk.draw(6, large)
    desk.act("fill_between", structure=1, first=2, last=6)
    areas = (desk.voxels() == 1).sum(axis=(1, 2))
    assert areas[2] == 100
    assert areas[6] == 196
    assert (np.diff(areas[2:7]) >= 0).all()
    assert desk.get()["propagated"]["axial"] == {"1": [[3, 5]]}
    desk.act("clear", structure=1, index=2)
    assert desk.get()["drawn"]["axial"] == {"1": [6]}
    assert not desk.voxels()[2].any()
    assert "draw two" in desk.refused(400, "fill_between", structure=1, first=0, last=5)


def test_labels_from_a_file(desk: Desk, tmp_path: Path) -> None:
    """A structure of another name than the session's is one of its own, whatever its number."""
    ivos.write(tmp_path / "labels.nii.gz", truth().with_array(truth().array, {3: "bright", 8: "grey"}))
    content = (tmp_path / "labels.nii.gz").read_bytes()
    answer = desk.client.post(f"{desk.scan}/labels?drawn=true", files={"file": ("labels.nii.gz", content)})
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(desk.voxels(), np.where(truth().array == 8, 9, truth().array))
    assert {s["id"]: s["name"] for s in desk.get()["structures"]}[9] == "grey"
    assert desk.get()["drawn"]["axial"]["3"] == list(range(12))
    wrong = line_of(desk.client.post(f"{desk.scan}/labels", files={"file": ("l.nii.gz", b"no gzip")}), 400)
    assert wrong.startswith("l.nii.gz: not an image")
    assert list((tmp_path / "ivos-work" / "uploads").iterdir()) == []


def test_slices_to_draw_next(desk: Desk) -> None:
    assert desk.get("/suggestions") == []
    desk.draw(0, truth().array[0] == 3)
    desk.propagate()
    best = desk.get("/suggestions")
    assert {"index", "structure", "why", "gain"} == set(best[0])
    assert best[0]["structure"] == 1


def test_state_and_image(desk: Desk, tmp_path: Path) -> None:
    assert desk.client.put(f"{desk.scan}/state", json={"state": "done"}).json()["state"] == "done"
    assert desk.client.get("/api/scans").json()[0]["state"] == "done"
    image = desk.client.get(f"{desk.scan}/image.nii.gz")
    (tmp_path / "image.nii.gz").write_bytes(image.content)
    seen = ivos.read(tmp_path / "image.nii.gz")
    np.testing.assert_array_equal(seen.array, ivos.read(tmp_path / "scan.nii.gz").array)
    assert seen.array.dtype == np.int16


def test_names_and_locks_leave_a_propagation_running_and_a_drawing_says_that_it_ends_it(tmp_path: Path) -> None:
    mask = truth().array[0] == 3
    with desk_of(tmp_path, engine=Slow) as desk:
        desk.act("add", name="ball")
        desk.act("add", name="disc")
        desk.draw(0, mask)
        assert desk.client.post(f"{desk.scan}/propagation", json={}).status_code == 202
        time.sleep(0.4)  # some slices are finished, and written as a part of the step
        assert desk.client.put(f"{desk.scan}/propagation", json={"paused": True}).json()["state"] == "paused"
        for do, more in (("rename", {"structure": 1, "name": "liver"}), ("add", {"name": "third"}), ("undo", {})):
            done = desk.act(do, **more)
            assert (done["ended"], done["scan"]["job"]["state"]) == (None, "paused"), do
        desk.act("lock", structure=2)
        assert "nothing to do again" in desk.refused(400, "redo")
        assert desk.client.put(f"{desk.scan}/propagation", json={"paused": False}).json()["state"] == "running"
        done = desk.draw(9, mask, structure=1)
        assert re.fullmatch(
            r"The propagation has ended after [0-9] of 13 steps: liver was drawn on axial slice 9\.", done["ended"]
        )
        assert done["scan"]["job"] is None
        shown = desk.get()
        labels = desk.voxels()
        assert [s["name"] for s in shown["structures"]] == ["liver", "disc"]
        journal = [e for e in desk.get("/export?format=journal")["entries"] if e["what"] is not None]
        asked = [entry["what"]["do"] for entry in journal]
        assert asked[:3] == ["add", "add", "draw"]
        assert sorted(asked[3:]) == sorted(["propagate", "rename", "add", "undo", "lock", "draw"])
        assert asked[-1] == "draw"
        kinds = [entry["kind"] for entry in desk.get("/export?format=journal")["entries"]]
        assert kinds[3:] == ["part", "beside", "beside", "beside undo", "beside", *kinds[8:]]
        assert kinds[-2:] == ["end", "step"]
    with desk_of(tmp_path) as desk:  # as the disk has it
        assert desk.get()["structures"] == shown["structures"]
        np.testing.assert_array_equal(desk.voxels(), labels)
        desk.act("undo")  # the drawing
        desk.act("undo")  # the propagation
        assert np.flatnonzero(desk.voxels().any(axis=(1, 2))).tolist() == [0]
        assert [s["name"] for s in desk.get()["structures"]] == ["liver", "disc"]
        desk.act("undo")  # the lock
        desk.act("undo")  # the name
        assert [(s["name"], s["frozen"]) for s in desk.get()["structures"]] == [("ball", False), ("disc", False)]


def test_memory_is_stated_and_let_go(desk: Desk) -> None:
    memory = desk.client.put(f"{desk.scan}/memory", json={"budget_bytes": 1_000_000}).json()
    assert memory["budget_bytes"] == 1_000_000
    held = psutil.Process().memory_info().rss  # of the process, in which the server runs here
    assert 0.8 * held < memory["used_bytes"] < 1.25 * held
    desk.client.get(f"{desk.scan}/image.nii.gz")
    assert desk.client.delete(f"{desk.scan}/memory").status_code == 200
    assert desk.client.get(f"{desk.scan}/image.nii.gz").status_code == 200


def test_organs_are_found_by_networks_that_were_given(tmp_path: Path) -> None:
    def find(scan: object, progress: object) -> object:  # noqa: ARG001
        assert callable(progress)
        progress(3, 12)
        return truth().with_array(truth().array, {3: "liver", 8: "spleen"})

    with desk_of(tmp_path, find=find) as desk:  # type: ignore[arg-type]
        assert desk.get()["reference"]
        assert desk.client.post(f"{desk.scan}/find").status_code == 202
        for _ in range(100):
            if desk.wait()["structures"]:
                break
        assert [s["name"] for s in desk.get()["structures"]] == ["liver", "spleen"]
        np.testing.assert_array_equal(desk.voxels(), truth().array)
        desk.act("undo")
        assert not desk.voxels().any()


def test_without_such_networks_nothing_is_found(desk: Desk) -> None:
    assert "--reference" in line_of(desk.client.post(f"{desk.scan}/find"), 409)
