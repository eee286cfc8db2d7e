"""What the plug-ins of MONAI Label ask for, in their order and in their words, and that they get what they read."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import numpy as np
import pytest
import SimpleITK as sitk

import ivos
from ivos.annotate.server.security import Access
from ivos.annotate.session.networks import Networks
from ivos.propagation.engines.flow import FlowEngine
from ivos.propagation.engines.nearest import NearestEngine
from tests.annotate.desk import NETWORKS, Desk, client_of, line_of
from tests.io.grids import write_dicom
from tests.propagation.scenes import dice, moving_discs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from starlette.testclient import TestClient

    from ivos.annotate.session.auto_segment import AutoSegmenter
    from ivos.propagation.engines.protocol import Engine

SCAN, TRUTH = (volume.array for volume in moving_discs(slices=8, size=40))
BOUNDARY = "----------lImIt_of_THE_fIle_eW_$"


def oriented(array: npt.NDArray[Any], orientation: str) -> sitk.Image:
    """An array in canonical order as an image that is stored otherwise, like RAS or PIR."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin((-20.0, 30.0, 5.0))
    return sitk.DICOMOrient(image, orientation)


@dataclass
class Slicer:
    """What the plug-in does, with voxels as they lie in the scan's file."""

    client: TestClient
    folder: Path

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def next_sample(self) -> Any:
        answer = self.client.post("/activelearning/suggest", json={"client_id": "user-xyz"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def image(self, sample: Any) -> sitk.Image:
        """Downloads the image under its name, whose ending says how it is read."""
        answer = self.client.get(f"/datastore/image?image={quote_plus(sample['id'])}")
        assert answer.status_code == 200, answer.text
        path = self.folder / sample["name"]
        path.write_bytes(answer.content)
        return sitk.ReadImage(str(path))

    def send(self, method: str, path: str, field: str = "", file: Path | None = None, **params: Any) -> Any:
        """Multipart as the plug-in writes it by hand."""
        parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{json.dumps(params)}'.encode()]
        if file is not None:
            kind = "Content-Type: application/octet-stream"
            head = (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{file}"\r\n{kind}\r\n\r\n'
            )
            parts.append(head.encode() + file.read_bytes())
        body = b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n\r\n".encode()])
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.client.request(method, path, content=body, headers=headers)

    def infer(self, model: str, image: str, file: Path | None = None, **params: Any) -> tuple[sitk.Image, Any]:
        """The label volume and the parameters of an answer."""
        asked = {"result_extension": ".nrrd", "result_dtype": "uint8", "client_id": "user-xyz", **params}
        path = f"/infer/{quote_plus(model)}?image={quote_plus(image)}"
        return self.opened(self.send("POST", path, "label", file, **asked))

    def opened(self, answer: Any) -> tuple[sitk.Image, Any]:
        assert answer.status_code == 200, answer.text
        head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
        parts = list(BytesParser(policy=HTTP).parsebytes(head + answer.content).iter_parts())
        by_name = {part.get_param("name", header="content-disposition"): part for part in parts}
        content: dict[Any, Any] = {name: part.get_payload(decode=True) for name, part in by_name.items()}
        path = self.folder / (by_name["image"].get_filename() or "")
        path.write_bytes(content["image"])
        return sitk.ReadImage(str(path)), json.loads(content["params"])

    def scribbled(self, image: str, labels: Path, selected: str, *segments: str, **params: Any) -> sitk.Image:
        info = [{"name": name, "id": number} for number, name in enumerate(segments, 1)]
        params |= {"roi": [], "label_info": info, "selected_label_name": selected}
        return self.infer("propagation", image, labels, **params)[0]

    def labels(self, array: npt.NDArray[Any], like: sitk.Image, name: str = "tmp_x1.nii.gz") -> Path:
        """A label volume as the plug-in saves it."""
        image = sitk.GetImageFromArray(array.astype(np.uint8))
        image.CopyInformation(like)
        sitk.WriteImage(image, str(self.folder / name))
        return self.folder / name

    def save(self, image: str, labels: Path, *segments: str, tag: str = "") -> Any:
        info = [{"name": name, "idx": number} for number, name in enumerate(segments, 1)]
        path = f"/datastore/label?image={quote_plus(image)}" + (f"&tag={tag}" if tag else "")
        return self.send("PUT", path, "label", labels, label_info=info, client_id="user-xyz")

    def page(self, scan: str) -> Desk:
        return Desk(self.client, scan)


@contextmanager
def slicer_of(
    folder: Path,
    *orientations: str,
    engine: type[Engine] = NearestEngine,
    find: AutoSegmenter | None = None,
    access: Access | None = None,
) -> Iterator[Slicer]:
    """A work list of scans that are stored in some orientations."""
    scans = [folder / f"scan_{number}.nii.gz" for number in range(len(orientations))]
    for path, orientation in zip(scans, orientations, strict=True):
        sitk.WriteImage(oriented(SCAN, orientation), str(path))
    networks = Networks(engine, NETWORKS.strokes, find)
    (folder / "slicer").mkdir()
    with client_of(folder / "ivos-work", scans, networks=networks, access=access) as client:
        yield Slicer(client, folder / "slicer")


def on(array: npt.NDArray[Any], *slices: int) -> npt.NDArray[Any]:
    """Some slices of an array."""
    part = np.zeros_like(array)
    part[list(slices)] = array[list(slices)]
    return part


def test_a_person_in_slicer_goes_through_a_work_list(tmp_path: Path) -> None:
    with slicer_of(tmp_path, "RAS", "LPS", engine=FlowEngine) as slicer:
        info = slicer.get("/info/")
        assert "config" not in info
        assert info["labels"] == []
        assert {name: model["type"] for name, model in info["models"].items()} == {
            "propagation": "scribbles",
            "click": "deepgrow",
        }
        assert all(model["description"] and model["labels"] == [] for model in info["models"].values())
        assert list(info["strategies"]) == ["suggest"]
        assert info["trainers"] == info["train_stats"] == {}
        assert slicer.client.get("/train/?check_if_running=true").status_code == 404

        sample = slicer.next_sample()
        assert sample["name"] == "scan_0.nii.gz"
        image = slicer.image(sample)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(oriented(SCAN, "RAS")))
        assert slicer.get("/datastore/?output=all")["objects"][sample["id"]]["labels"] == {}

        truth = in_file(TRUTH == 3, "RAS")
        drawn = slicer.labels(on(truth, 0, 4, 7), image)
        found = slicer.scribbled(sample["id"], drawn, "liver", "liver")
        assert same_grid(found, image)
        mask = sitk.GetArrayFromImage(found)
        assert set(np.unique(mask)) == {0, 1}
        np.testing.assert_array_equal(mask[[0, 4, 7]], truth[[0, 4, 7]])
        assert dice(mask > 0, truth > 0) > 0.85

        shown = slicer.page(sample["id"]).get()
        assert shown["state"] == "in work"
        assert shown["drawn"]["axial"] == {"1": [0, 4, 7]}
        assert shown["structures"][0]["name"] == "liver"

        mended = mask.copy()
        mended[2] = truth[2]
        saved = slicer.save(sample["id"], slicer.labels(mended, image), "liver").json()
        assert saved == {"image": sample["id"], "label": sample["id"]}
        np.testing.assert_array_equal(slicer.page(sample["id"]).voxels() == 1, canonical(mended, image) > 0)
        info = slicer.get("/info/")
        assert info["datastore"]["completed"] == 1
        assert info["datastore"]["total"] == 2
        assert info["labels"] == ["liver"]

        second = slicer.next_sample()
        assert second["name"] == "scan_1.nii.gz"
        image = slicer.image(second)
        assert slicer.save(second["id"], slicer.labels(TRUTH == 3, image), "liver").status_code == 200
        assert slicer.next_sample() == {"message": "nothing is left: all 2 scans are done"}


def test_a_scan_that_cannot_be_read_is_not_offered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with slicer_of(tmp_path, "RAS", "LPS", "RAS") as slicer:
        whole = (tmp_path / "scan_0.nii.gz").read_bytes()
        (tmp_path / "scan_0.nii.gz").write_bytes(whole[:500])
        (tmp_path / "scan_2.nii.gz").unlink()
        for _ in range(2):
            assert slicer.next_sample()["name"] == "scan_1.nii.gz"
        assert len([record for record in caplog.records if "scan_0.nii.gz" in record.message]) == 1  # opened once
        assert len(slicer.get("/datastore/?output=all")["objects"]) == 3
        done = slicer.next_sample()["id"]
        slicer.client.put(f"/api/scans/{done}/state", json={"state": "done"})
        left = slicer.next_sample()
        assert left == {"message": "nothing is left but what cannot be read: scan_0.nii.gz, scan_2.nii.gz"}
        (tmp_path / "scan_0.nii.gz").write_bytes(whole)
        assert slicer.next_sample()["name"] == "scan_0.nii.gz"  # put right


def in_file(array: npt.NDArray[Any], orientation: str) -> npt.NDArray[Any]:
    """A canonical array in the voxel order of a file."""
    stored: npt.NDArray[Any] = sitk.GetArrayFromImage(oriented(array.astype(np.uint8), orientation))
    return stored


def canonical(array: npt.NDArray[Any], like: sitk.Image) -> npt.NDArray[Any]:
    """And back."""
    image = sitk.GetImageFromArray(array.astype(np.uint8))
    image.CopyInformation(like)
    there: npt.NDArray[Any] = sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS"))
    return there


def same_grid(a: sitk.Image, b: sitk.Image) -> bool:
    return a.GetSize() == b.GetSize() and np.allclose(
        [*a.GetOrigin(), *a.GetSpacing(), *a.GetDirection()], [*b.GetOrigin(), *b.GetSpacing(), *b.GetDirection()]
    )


@pytest.fixture
def slicer(tmp_path: Path) -> Iterator[Slicer]:
    with slicer_of(tmp_path, "LPS") as made:
        yield made


@pytest.fixture
def opened(slicer: Slicer) -> tuple[str, sitk.Image]:
    """The id of the scan, and its image."""
    sample = slicer.next_sample()
    return sample["id"], slicer.image(sample)


def test_only_what_differs_from_the_last_answer_counts_as_drawn(slicer: Slicer, opened: tuple[str, sitk.Image]) -> None:
    scan, image = opened
    first = slicer.scribbled(scan, slicer.labels(on(TRUTH == 3, 0, 7), image), "liver", "liver")
    assert slicer.page(scan).get()["drawn"]["axial"] == {"1": [0, 7]}
    mended = sitk.GetArrayFromImage(first)
    assert mended[4].any()
    mended[3], mended[6] = TRUTH[3] == 3, 0  # drawn anew, and said to be absent
    slicer.scribbled(scan, slicer.labels(mended, image), "liver", "liver")
    assert slicer.page(scan).get()["drawn"]["axial"] == {"1": [0, 3, 6, 7]}
    voxels = slicer.page(scan).voxels()
    np.testing.assert_array_equal(voxels[3] == 1, TRUTH[3] == 3)
    assert not voxels[6].any()
    again = slicer.scribbled(scan, slicer.labels(voxels, image), "liver", "liver")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(again), voxels)
    assert slicer.page(scan).get()["drawn"]["axial"] == {"1": [0, 3, 6, 7]}


def test_scribbles_and_other_segments_lie_above_the_selected_one(
    slicer: Slicer, opened: tuple[str, sitk.Image]
) -> None:
    scan, image = opened
    segments = ("spleen", "liver", "background_scribbles", "foreground_scribbles")
    sent = 2 * on(TRUTH == 3, 0, 7).astype(np.uint8)
    sent[0, :5], sent[7, 30:34, 30:38], sent[7, 38, 3:6] = 1, 4, 3
    slicer.scribbled(scan, slicer.labels(sent, image), "liver", *segments)
    voxels = slicer.page(scan).voxels()
    expected = TRUTH[7] == 3
    expected[30:34, 30:38] = True
    np.testing.assert_array_equal(voxels[7] == 1, expected)
    shown = slicer.page(scan).get()
    assert [structure["name"] for structure in shown["structures"]] == ["liver"]
    sent[0, 8:20, 8:20] = 1  # the spleen over the liver: nothing is said of the liver there
    sent[1:7] = 2 * (voxels[1:7] == 1)
    steps = len(journal(slicer, scan))
    slicer.scribbled(scan, slicer.labels(sent, image), "liver", *segments)
    kinds = [entry["what"]["do"] for entry in journal(slicer, scan)[steps:] if entry["what"]]
    assert set(kinds) <= {"propagate"}
    np.testing.assert_array_equal(slicer.page(scan).voxels()[0] == 1, TRUTH[0] == 3)


def journal(slicer: Slicer, scan: str) -> list[Any]:
    entries: list[Any] = slicer.get(f"/api/scans/{scan}/export?format=journal")["entries"]
    return entries


def test_a_plug_in_takes_nothing_away_that_it_was_not_given(slicer: Slicer, opened: tuple[str, sitk.Image]) -> None:
    scan, image = opened
    page = slicer.page(scan)
    page.act("add", id=1, name="liver")
    page.act("add", id=2, name="spleen")
    page.draw(0, TRUTH[0] == 3)
    page.draw(0, TRUTH[0] == 8, structure=2)
    slicer.scribbled(scan, slicer.labels(on(TRUTH == 3, 7), image), "liver", "liver")  # it has never seen slice 0
    assert page.get()["drawn"]["axial"] == {"1": [0, 7], "2": [0]}
    given = page.voxels() == 1
    page.draw(4, TRUTH[4] == 3)  # on the page, after the plug-in was answered
    mended = given.copy()
    mended[2] = False
    slicer.scribbled(scan, slicer.labels(mended, image), "liver", "liver")
    assert page.get()["drawn"]["axial"] == {"1": [0, 2, 4, 7], "2": [0]}
    np.testing.assert_array_equal(page.voxels()[4] == 1, TRUTH[4] == 3)
    last = page.voxels()
    sent = slicer.labels(np.where(last == 1, 1, 0), image)
    assert slicer.save(scan, sent, "liver", "spleen").status_code == 200  # with a segment that it has never filled
    np.testing.assert_array_equal(page.voxels(), last)
    slicer.infer("click", scan, label="spleen", foreground=[[20, 20, 0]])
    assert slicer.save(scan, sent, "liver", "spleen").status_code == 200  # and one that was emptied there
    assert not (page.voxels() == 2).any()


def test_segments_that_were_added_after_scribbling_are_told_apart(
    slicer: Slicer, opened: tuple[str, sitk.Image]
) -> None:
    scan, image = opened
    path = f"/datastore/label?image={scan}"

    def saved(array: npt.NDArray[Any], **numbers: int) -> Any:
        info = [{"name": name, "idx": number} for name, number in numbers.items()]
        return slicer.send("PUT", path, "label", slicer.labels(array, image), label_info=info)

    both = np.where(TRUTH == 3, 1, np.where(TRUTH == 8, 2, 0))
    assert saved(both, liver=1, spleen=4).status_code == 200  # 2 and 3 were layers of scribbles
    np.testing.assert_array_equal(slicer.page(scan).voxels(), both)
    assert "which label is which" in line_of(saved(3 * (both == 1), liver=1, spleen=3, kidney=4), 400)
    assert "holds labels [7]" in line_of(saved(7 * (both == 1), liver=1, spleen=4), 400)
    np.testing.assert_array_equal(slicer.page(scan).voxels(), both)
    ivos.write(
        slicer.folder / "s.nrrd", ivos.read(slicer.folder / "scan_0.nii.gz").with_array(both, {1: "spleen", 2: "liver"})
    )
    named = slicer.send("PUT", path, "label", slicer.folder / "s.nrrd", label_info=[{"name": "liver", "idx": 1}])
    assert named.status_code == 200
    np.testing.assert_array_equal(slicer.page(scan).voxels(), np.where(both > 0, 3 - both, 0))


def test_the_axis_of_drawn_slices_is_an_option(slicer: Slicer, opened: tuple[str, sitk.Image]) -> None:
    scan, image = opened
    assert slicer.get("/info/")["models"]["propagation"]["config"] == {"axis": ["axial", "coronal", "sagittal"]}
    drawn = np.zeros_like(TRUTH, bool)
    drawn[:, :, 12] = TRUTH[:, :, 12] == 3
    slicer.scribbled(scan, slicer.labels(drawn, image), "liver", "liver", axis="sagittal")
    assert slicer.page(scan).get()["drawn"]["sagittal"] == {"1": [12]}


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "RAS"])
def test_points_are_voxels_of_the_file(tmp_path: Path, orientation: str) -> None:
    with slicer_of(tmp_path, orientation) as slicer:
        sample = slicer.next_sample()
        image = slicer.image(sample)
        inside = [[5, 6, 3], [4, 6, 3]]
        found, said = slicer.infer("click", sample["id"], label="spleen", foreground=inside, background=[[0, 0, 3]])
        assert same_grid(found, image)
        assert said["label_names"] == {"spleen": 1}
        mask = sitk.GetArrayFromImage(found)
        for i, j, k in inside:
            assert mask[k, j, i]
        np.testing.assert_allclose(np.argwhere(mask).mean(axis=0)[::-1], np.mean(inside, axis=0))  # a small disc each
        np.testing.assert_array_equal(slicer.page(sample["id"]).voxels(), canonical(mask, image))
        axis = {"LPS": "axial", "PIR": "sagittal", "RAS": "axial"}[orientation]
        assert len(slicer.page(sample["id"]).get()["drawn"][axis]["1"]) == 1
        outside = slicer.send("POST", f"/infer/click?image={sample['id']}", label="spleen", foreground=[[99, 0, 0]])
        assert "outside of the scan" in line_of(outside, 400)


def test_organs_are_found_where_there_are_networks(tmp_path: Path) -> None:
    def find(scan: object, progress: object) -> object:  # noqa: ARG001
        labels = moving_discs(slices=8, size=40)[1]
        return ivos.read(tmp_path / "scan_0.nii.gz").with_array(labels.array, {3: "liver", 5: "none", 8: "spleen"})

    with slicer_of(tmp_path, "RAS", find=find) as slicer:  # type: ignore[arg-type]
        assert slicer.get("/info/")["models"]["organs"]["type"] == "segmentation"
        found, said = slicer.infer("organs", slicer.next_sample()["id"])
        np.testing.assert_array_equal(sitk.GetArrayFromImage(found), in_file(TRUTH, "RAS"))
        assert said["label_names"] == {"liver": 3, "spleen": 8}


def test_without_networks_or_where_they_find_nothing_it_is_said(
    tmp_path: Path, slicer: Slicer, opened: tuple[str, sitk.Image]
) -> None:
    assert "--reference" in line_of(slicer.send("POST", f"/infer/organs?image={opened[0]}"), 409)
    (tmp_path / "b").mkdir()

    def find(scan: object, progress: object) -> object:  # noqa: ARG001
        raise ValueError("broken")

    with slicer_of(tmp_path / "b", "LPS", find=find) as other:  # type: ignore[arg-type]
        sample = other.next_sample()
        assert "the page" in line_of(other.send("POST", f"/infer/organs?image={sample['id']}"), 409)


def test_what_was_done_on_the_page_is_seen_in_slicer(slicer: Slicer, opened: tuple[str, sitk.Image]) -> None:
    scan, image = opened
    page = slicer.page(scan)
    page.act("add", id=4, name="liver")
    page.act("add", id=2, name="empty")
    page.act("add", id=9, name="spleen")
    for index in (0, 7):
        page.draw(index, TRUTH[index] == 3, structure=4)
        page.draw(index, TRUTH[index] == 8, structure=9)
    page.propagate()
    assert slicer.get("/info")["labels"] == ["empty", "liver", "spleen"]
    sample = slicer.next_sample()
    assert {"slice", "label", "why"} == set(sample["suggestions"][0])
    label = slicer.get("/datastore/?output=all")["objects"][scan]["labels"]["original"]
    assert label["info"]["params"]["label_names"] == {"liver": 4, "spleen": 9}
    answer = slicer.client.get(f"/datastore/label?label={scan}&tag=original")
    assert answer.headers["content-disposition"] == f'attachment; filename="{scan}.nii.gz"'
    (slicer.folder / "l.nii.gz").write_bytes(answer.content)
    found = sitk.ReadImage(str(slicer.folder / "l.nii.gz"))
    assert same_grid(found, image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), page.voxels())


def test_a_saved_label_holds_for_the_segments_that_it_names(slicer: Slicer, opened: tuple[str, sitk.Image]) -> None:
    scan, image = opened
    page = slicer.page(scan)
    for number, name in ((5, "liver"), (6, "spleen")):
        page.act("add", id=number, name=name)
    corner = np.zeros(TRUTH.shape[1:], bool)
    corner[:6, :6] = True
    page.draw(1, corner, structure=6)
    page.draw(2, corner, structure=5)
    page.draw(3, corner, structure=5)
    sent = np.where(TRUTH == 3, 2, np.where(TRUTH == 8, 1, 0))
    sent[3] = 0  # where the liver was
    assert slicer.save(scan, slicer.labels(sent, image), "kidney", "liver", tag="original").status_code == 200
    expected = np.where(sent == 2, 5, np.where(sent == 1, 1, 0))
    expected[1][corner] = 6
    np.testing.assert_array_equal(page.voxels(), expected)
    assert page.get()["state"] == "in work"
    page.act("lock", structure=5)
    changed = slicer.labels(np.where(sent == 2, 0, sent), image)
    assert "'liver' is locked" in line_of(slicer.save(scan, changed, "kidney", "liver"), 409)
    np.testing.assert_array_equal(page.voxels(), expected)
    assert slicer.save(scan, slicer.labels(sent, image), "kidney", "liver", tag="final").status_code == 200
    assert page.get()["state"] == "done"


def test_one_name_has_one_id_in_all_scans(tmp_path: Path) -> None:
    with slicer_of(tmp_path, "LPS", "RAS") as slicer:
        first = slicer.next_sample()
        for number, name in ((7, "spleen"), (3, "liver")):
            slicer.page(first["id"]).act("add", id=number, name=name)
        image = slicer.image(first)
        assert slicer.save(first["id"], slicer.labels(TRUTH == 3, image), "spleen").status_code == 200
        second = slicer.next_sample()
        image = slicer.image(second)
        sent = slicer.labels(in_file(np.where(TRUTH == 3, 1, np.where(TRUTH == 8, 2, 0)), "RAS"), image)
        assert slicer.save(second["id"], sent, "liver", "kidney").status_code == 200
        shown = slicer.page(second["id"]).get()["structures"]
        assert {structure["name"]: structure["id"] for structure in shown} == {"liver": 3, "kidney": 1}


def uploaded(slicer: Slicer, path: str, field: str, image: sitk.Image, name: str = "tmp_q.nii.gz") -> Any:
    sitk.WriteImage(image, str(slicer.folder / name))
    with (slicer.folder / name).open("rb") as file:
        return slicer.client.put(path, files={field: (name, file)}, data={"client_id": "user-xyz"})


def test_a_scan_opened_in_slicer_gets_a_session_and_then_a_name(slicer: Slicer) -> None:
    image = oriented(np.flip(SCAN, 0).copy(), "RAI")
    session = uploaded(slicer, "/session/", "files", image).json()["session_id"]
    assert slicer.get(f"/session/{session}")["session_id"] == session
    truth = in_file(np.flip(TRUTH == 3, 0), "RAI")
    drawn = slicer.labels(on(truth, 0, 7), image)
    info = [{"name": "liver", "id": 1}]
    asked = {"label_info": info, "selected_label_name": "liver", "result_extension": ".nrrd"}
    path = f"/infer/propagation?image=Volume&session_id={session}"
    found, _ = slicer.opened(slicer.send("POST", path, "label", drawn, **asked))
    assert same_grid(found, image)
    assert uploaded(slicer, "/datastore/?image=My+Volume%3A+1", "file", image).json() == {"image": "My Volume: 1"}
    assert slicer.save("My Volume: 1", slicer.labels(sitk.GetArrayFromImage(found), image), "liver").status_code == 200
    entries = {entry["id"]: entry for entry in slicer.get("/api/scans")}
    assert len(entries) == 2
    assert entries[session]["state"] == "done"
    assert entries[session]["name"] == "My Volume_ 1.nii.gz"
    assert uploaded(slicer, "/datastore/?image=My+Volume%3A+1", "file", image).status_code == 200
    assert uploaded(slicer, "/session/", "files", image).json()["session_id"] == session
    moved = sitk.Image(image)
    moved.SetOrigin((0.0, 0.0, 0.0))
    for other in (oriented(SCAN, "LPS"), moved):
        refused = uploaded(slicer, "/datastore/?image=My+Volume%3A+1", "file", other)
        assert "another scan is called so" in line_of(refused, 409)
    assert len(slicer.get("/api/scans")) == 2
    assert slicer.client.delete(f"/session/{session}").status_code == 200
    assert slicer.get(f"/api/scans/{session}")["drawn"]["axial"]
    assert len(list((slicer.folder.parent / "ivos-work" / "uploads").iterdir())) == 1


def test_an_uploaded_image_is_asked_for_by_the_name_it_came_with(slicer: Slicer) -> None:
    image = oriented(np.flip(SCAN, 1).copy(), "PIR")
    assert uploaded(slicer, "/datastore/?image=CT_1", "file", image, "x.nrrd").json() == {"image": "CT_1"}
    found, _ = slicer.infer("click", "CT_1", label="liver", foreground=[[1, 2, 3]])
    assert same_grid(found, image)
    stored = slicer.image({"id": "CT_1", "name": "CT_1.nii.gz"})  # NRRD goes out as NIfTI
    assert same_grid(stored, image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(stored), sitk.GetArrayFromImage(image))


def test_dicom_goes_out_as_nifti_on_its_own_grid(tmp_path: Path) -> None:
    write_dicom(tmp_path / "dicom", SCAN.astype(np.int16) + 1024, slope=1)
    with client_of(tmp_path / "work", [tmp_path / "dicom"], networks=NETWORKS) as client:
        slicer = Slicer(client, tmp_path)
        sample = slicer.next_sample()
        assert sample["name"] == "dicom.nii.gz"
        image = slicer.image(sample)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), SCAN)
        found = slicer.scribbled(sample["id"], slicer.labels(on(TRUTH == 3, 0, 7), image), "liver", "liver")
        assert same_grid(found, image)


def test_ohif_sends_bare_voxels_and_takes_bare_files(tmp_path: Path) -> None:
    with slicer_of(tmp_path, "RAS") as slicer:
        scan = slicer.next_sample()["id"]
        truth = in_file(TRUTH == 3, "RAS")
        bare = slicer.folder / "label.bin"
        bare.write_bytes(on(truth, 0, 7).astype("<u2").tobytes())
        asked = {"label_info": [{"name": "liver", "idx": 1}], "result_extension": ".nrrd"}
        path, wanted = f"/infer/propagation?image={scan}", {"result_dtype": "uint16", "result_compress": False}
        answer = slicer.send("POST", f"{path}&output=image", "label", bare, **asked, **wanted)
        assert answer.status_code == 200, answer.text
        head, voxels = answer.content.split(b"\n\n", 1)
        assert b"encoding: raw" in head
        mask = np.frombuffer(voxels, "<u2").reshape(truth.shape)
        np.testing.assert_array_equal(mask[[0, 7]], truth[[0, 7]])
        said = slicer.send("POST", f"{path}&output=json", "label", bare, **asked)
        assert said.json() == {"label_names": {"liver": 1}}
        bare.write_bytes(b"123")
        assert "3 bytes" in line_of(slicer.send("POST", path, "label", bare, **asked), 400)


def test_a_plug_in_logs_in_with_the_token(tmp_path: Path) -> None:
    token = "0123456789abcdef"  # noqa: S105 - of a test
    with slicer_of(tmp_path, "LPS", access=Access.to("127.0.0.1", token, None)) as slicer:
        assert line_of(slicer.client.get("/info/"), 401)
        assert slicer.get("/auth/") == {"enabled": True}
        for wrong in ({"username": "x", "password": "wrong"}, {"username": token}, {str(n): "x" for n in range(99)}):
            assert line_of(slicer.client.post("/auth/token", data=wrong), 401)
        assert line_of(slicer.client.post("/auth/token", data={"password": "x" * 5000}), 413)
        assert line_of(slicer.client.get("/auth/token/valid"), 401)
        right = slicer.client.post("/auth/token", data={"username": "x", "password": token, "grant_type": "password"})
        assert right.json() == {"access_token": token, "token_type": "bearer"}
        assert right.headers["cache-control"] == "no-store"
        slicer.client.headers["Authorization"] = f"{right.json()['token_type']} {right.json()['access_token']}"
        assert slicer.get("/auth/token/valid") == {"valid": True}
        assert slicer.get("/info/")["name"] == "ivos"


def test_images_and_labels_may_be_as_long_as_uploads(slicer: Slicer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivos.annotate.server.security.JSON_LIMIT_BYTES", 100)
    image = oriented(np.flip(SCAN, 0).copy(), "RAI")
    assert uploaded(slicer, "/session/", "files", image).status_code == 200
    assert uploaded(slicer, "/datastore/?image=CT_1", "file", image).status_code == 200
    assert slicer.save("CT_1", slicer.labels(in_file(TRUTH == 3, "RAI"), image), "liver").status_code == 200
    slicer.infer("click", "CT_1", label="liver", foreground=[[1, 2, 3]])
    monkeypatch.setattr("ivos.annotate.server.security.UPLOAD_LIMIT_BYTES", 100)
    assert "too many" in line_of(uploaded(slicer, "/datastore/?image=CT_2", "file", image), 413)


def test_without_a_token_nobody_logs_in(slicer: Slicer) -> None:
    assert slicer.get("/auth/") == {"enabled": False}
