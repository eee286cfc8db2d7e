"""What comes out: files that others read, with the voxels that were drawn."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import generate_uid

import ivos
from tests.annotate.desk import Desk, client_of, desk_of, line_of, truth
from tests.io.dicom.series import CORONAL, STORED, referable_series
from tests.io.dicom.test_seg import read_back

if TYPE_CHECKING:
    from pathlib import Path


def drawn(desk: Desk) -> None:
    for structure, name in ((3, "liver"), (8, "spleen")):
        desk.act("add", id=structure, name=name)
        for index in (2, 5):
            desk.draw(index, truth().array[index] == structure, structure)


def exported(desk: Desk, kind: str) -> tuple[str, bytes]:
    answer = desk.client.get(f"{desk.scan}/export?format={kind}")
    assert answer.status_code == 200, answer.text
    return answer.headers["content-disposition"].split('"')[1], answer.content


@pytest.mark.parametrize(("kind", "name"), [("nifti", "scan_labels.nii.gz"), ("nrrd", "scan_labels.seg.nrrd")])
def test_volumes_with_names(tmp_path: Path, kind: str, name: str) -> None:
    with desk_of(tmp_path) as desk:
        drawn(desk)
        called, content = exported(desk, kind)
        assert called == name
        (tmp_path / name).write_bytes(content)
        labels = ivos.read_labels(tmp_path / name)
        np.testing.assert_array_equal(labels.array, desk.voxels())
        assert labels.names == {3: "liver", 8: "spleen"}
        assert list((tmp_path / "ivos-work" / "tmp").iterdir()) == []


def test_pictures_and_the_journal(tmp_path: Path) -> None:
    with desk_of(tmp_path) as desk:
        drawn(desk)
        with zipfile.ZipFile(io.BytesIO(exported(desk, "png")[1])) as archive:
            pictures = [np.asarray(Image.open(archive.open(n))) for n in sorted(archive.namelist()) if "axial" in n]
            assert json.loads(archive.read("labels.json")) == {"3": "liver", "8": "spleen"}
        np.testing.assert_array_equal(np.stack(pictures), desk.voxels())
        journal = json.loads(exported(desk, "journal")[1])
        assert [entry["what"]["do"] for entry in journal["entries"]] == ["add", "draw", "draw", "add", "draw", "draw"]
        assert all(entry["who"] and entry["at"].startswith("20") for entry in journal["entries"])
        assert "scan that came as DICOM" in line_of(desk.client.get(f"{desk.scan}/export?format=dicom-seg"), 400)
        assert line_of(desk.client.get(f"{desk.scan}/export?format=pickle"), 422)


def test_dicom_segmentation_of_a_dicom_scan(tmp_path: Path) -> None:
    referable_series(tmp_path / "series")
    with client_of(tmp_path / "work", [tmp_path / "series"]) as client:
        desk = Desk(client, client.get("/api/scans").json()[0]["id"])
        assert "nothing is labelled" in line_of(client.get(f"{desk.scan}/export?format=dicom-seg"), 400)
        desk.act("add", id=5, name="liver")
        mask: Any = np.zeros(STORED.shape[1:], bool)
        mask[1:4, 2:5] = True
        desk.draw(3, mask, 5)
        content = exported(desk, "dicom-seg")[1]
        (tmp_path / "seg.dcm").write_bytes(content)
        labels = ivos.read(tmp_path / "series")
        np.testing.assert_array_equal(read_back(tmp_path / "seg.dcm", labels), desk.voxels() == 5)
        assert hd.seg.segread(str(tmp_path / "seg.dcm")).segment_numbers == [1]
        assert pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence[0].SegmentLabel == "liver"


def test_the_series_that_is_asked_for_is_opened_and_referred_to(tmp_path: Path) -> None:
    first, second = generate_uid(), generate_uid()
    for uid, folder in ((first, "a"), (second, "b")):
        referable_series(tmp_path / "scan" / folder, series=uid)
    with client_of(tmp_path / "work", [tmp_path / "scan"]) as client:
        (entry,) = client.get("/api/scans").json()
        assert "--series" in line_of(client.get(f"/api/scans/{entry['id']}"), 400)
    with client_of(tmp_path / "work", [tmp_path / "scan"], series=second[-12:]) as client:
        desk = Desk(client, entry["id"])
        desk.act("add", id=1, name="liver")
        desk.draw(0, np.ones((6, 7), bool))
        (tmp_path / "seg.dcm").write_bytes(exported(desk, "dicom-seg")[1])
    assert pydicom.dcmread(tmp_path / "seg.dcm").ReferencedSeriesSequence[0].SeriesInstanceUID == second


def test_the_stack_that_is_asked_for_is_opened_and_referred_to(tmp_path: Path) -> None:
    for folder, how in (("a", {}), ("b", CORONAL)):
        referable_series(tmp_path / "scan" / folder, series="1.2.345", **how)
    with client_of(tmp_path / "work", [tmp_path / "scan"]) as client:
        (entry,) = client.get("/api/scans").json()
        assert "--stack: 1 (axial, 5 slices" in line_of(client.get(f"/api/scans/{entry['id']}"), 400)
    with client_of(tmp_path / "work", [tmp_path / "scan"], stack=2) as client:
        desk = Desk(client, entry["id"])
        desk.act("add", id=1, name="liver")
        desk.draw(0, np.ones((5, 7), bool))
        (tmp_path / "seg.dcm").write_bytes(exported(desk, "dicom-seg")[1])
    coronal = {str(pydicom.dcmread(path).SOPInstanceUID) for path in (tmp_path / "scan" / "b").iterdir()}
    (series,) = pydicom.dcmread(tmp_path / "seg.dcm").ReferencedSeriesSequence
    assert {str(item.ReferencedSOPInstanceUID) for item in series.ReferencedInstanceSequence} <= coronal
