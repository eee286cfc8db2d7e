"""Who is let in, what is let in, and that nothing outside of the work folder is touched."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import SimpleITK as sitk

import ivos
from ivos.annotate.server import uploads
from ivos.annotate.server.security import JSON_LIMIT_BYTES, Access
from ivos.errors import InputError
from tests.annotate.desk import ADDRESS, Desk, client_of, desk_of, line_of, packed
from tests.io.grids import write_dicom
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

TOKEN = "0123456789abcdef"  # noqa: S105 - of a test
SECRET = "what nobody may read"  # noqa: S105


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all tests that are to leave it as it is."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "secret").write_text(SECRET)
    with desk_of(folder) as made:
        made.act("add", name="ball")
        yield made


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server that others than this machine can reach."""
    folder = tmp_path_factory.mktemp("remote")
    ivos.write(folder / "scan.nii.gz", moving_discs()[0])
    access = Access.to("0.0.0.0", TOKEN, "https://annotate.example.org")  # noqa: S104
    with client_of(folder / "work", [folder / "scan.nii.gz"], access=access) as client:
        yield client


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8765", "192.168.0.7", "", "[::1", "a@b:c:d"])
def test_wrong_hosts_are_refused(guarded: Desk, host: str) -> None:
    assert "Host" in line_of(guarded.client.get("/api/scans", headers={"Host": host}), 403)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765"])
def test_hosts_of_this_machine_are_known(guarded: Desk, host: str) -> None:
    assert guarded.client.get("/api/scans", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:8765"])
def test_pages_of_other_sites_are_refused(guarded: Desk, origin: str) -> None:
    action = {"do": "add", "name": "x"}
    answer = guarded.client.post(f"{guarded.scan}/actions", json=action, headers={"Origin": origin})
    assert "another site" in line_of(answer, 403)
    hidden = guarded.client.get("/api/scans", headers={"Sec-Fetch-Site": "cross-site"})
    assert "another site" in line_of(hidden, 403)
    undo = {"do": "undo"}
    assert guarded.client.post(f"{guarded.scan}/actions", json=action, headers={"Origin": ADDRESS}).status_code == 200
    assert guarded.client.post(f"{guarded.scan}/actions", json=undo, headers={"Origin": ADDRESS}).status_code == 200


def test_off_loopback_a_token_is_needed(remote: TestClient) -> None:
    assert "token is needed" in line_of(remote.get("/api/scans"), 401)
    for wrong in ({"Authorization": "Bearer x"}, {"Authorization": TOKEN}, {"Cookie": "ivos_token=x"}):
        assert line_of(remote.get("/api/scans", headers=wrong), 401)
    assert line_of(remote.get("/api/scans", params={"token": TOKEN}), 401)  # it is for the page alone
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert remote.get("/api/scans", headers=right).status_code == 200
    assert line_of(remote.get("/api/scans", headers={**right, "Host": "evil.example"}), 403)
    public = {**right, "Host": "annotate.example.org", "Origin": "https://annotate.example.org"}
    assert remote.get("/api/scans", headers=public).status_code == 200
    assert remote.get("/api/scans", headers={**right, "Host": "10.1.2.3:8765"}).status_code == 200


def test_the_address_with_the_token_leaves_a_cookie(remote: TestClient) -> None:
    assert line_of(remote.get("/", params={"token": "x" * 16}), 401)
    answer = remote.get("/", params={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=Strict", "Secure"):
        assert word in cookie
    assert TOKEN not in answer.text
    assert remote.get("/api/scans", headers={"Cookie": cookie.split(";")[0]}).status_code == 200


def test_a_token_is_made_up_where_one_is_needed() -> None:
    assert Access.to("127.0.0.1", None, None).token is None
    made = [Access.to("0.0.0.0", None, None).token for _ in range(2)]  # noqa: S104
    assert all(token and len(token) > 20 for token in made)
    assert made[0] != made[1]
    assert Access.to("127.0.0.1", None, "https://a.example").token
    with pytest.raises(InputError, match="16 to 200"):
        Access.to("0.0.0.0", "short", None)  # noqa: S104
    with pytest.raises(InputError, match="whole address"):
        Access.to("127.0.0.1", None, "a.example")


def test_answers_keep_the_page_to_itself(guarded: Desk) -> None:
    for path in ("/api/scans", "/nothing"):
        headers = guarded.client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path",
    ["/../secret", "/%2e%2e/secret", "/assets/..%2f..%2f..%2fsecret", "/api/scans/..%2f..%2fsecret", "//etc/passwd"],
)
def test_no_path_leads_out(guarded: Desk, path: str) -> None:
    answer = guarded.client.get(ADDRESS + path)
    assert answer.status_code in (404, 405, 422)
    assert SECRET not in answer.text


@pytest.mark.parametrize("name", ["../../evil.nii.gz", "..\\..\\evil.nii.gz", "/evil.nii.gz", "a\r\nb/evil.nii.gz"])
def test_names_of_uploads_lead_nowhere(desk: Desk, tmp_path: Path, name: str) -> None:
    before = {path for path in tmp_path.rglob("*") if "ivos-work" not in path.parts}
    answer = desk.client.post("/api/scans", files={"file": (name, (tmp_path / "scan.nii.gz").read_bytes())})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["name"].endswith("evil.nii.gz")
    assert not set(made["name"]) & set("/\\\r\n")
    assert {path for path in tmp_path.rglob("*") if "ivos-work" not in path.parts} == before
    export = desk.client.get(f"/api/scans/{made['id']}/export?format=journal")
    assert export.status_code == 200
    assert ".." not in export.headers["content-disposition"]


def uploaded(desk: Desk, name: str, content: bytes, status: int) -> str:
    line = line_of(desk.client.post("/api/scans", files={"file": (name, content)}), status)
    assert len(desk.client.get("/api/scans").json()) == 1
    return line


def nifti(shape: tuple[int, int, int], voxels: bytes = b"") -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *shape, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    header[344:348] = b"n+1\0"
    return bytes(header) + voxels


def zip_of(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_hostile_files_are_refused(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.raw").write_bytes(SECRET.encode() * 1000)
    nrrd = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 10 10 10\nencoding: raw\n{{}}{tmp_path / 'secret.raw'}\n\n"
    for field in ("data file: ", "datafile: ", "Data File:"):
        assert "voxels are in another file" in uploaded(desk, "a.nrrd", nrrd.format(field).encode(), 400)
    assert "8 GiB" in uploaded(desk, "a.nii", nifti((32767, 32767, 32767)), 413)
    assert "8 GiB" in uploaded(desk, "a.nii.gz", gzip.compress(nifti((32767, 32767, 32767))), 413)
    assert "truncated" in uploaded(desk, "a.nii", nifti((100, 100, 100)), 400)
    assert uploaded(desk, "a.nii", nifti((-5, 0, 7)), 400)
    assert "cannot be unpacked" in uploaded(desk, "a.zip", b"PK\3\4 no zip", 400)
    assert "no DICOM image series" in uploaded(desk, "a.zip", zip_of(**{"../../evil": b"x"}), 400)
    monkeypatch.setattr(uploads, "UNPACKED_LIMIT_BYTES", 2**20)
    for name in ("bomb.nii.gz", "bomb.nii"):
        assert "unpacks to more" in uploaded(desk, name, gzip.compress(nifti((2, 2, 2), bytes(2**24))), 413)
    assert "unpacks to more" in uploaded(desk, "bomb.zip", zip_of(a=bytes(2**24)), 413)
    assert list((tmp_path / "ivos-work" / "uploads").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_compressed_dicom_with_absurd_sizes_is_refused(desk: Desk, tmp_path: Path) -> None:
    import pydicom

    for path in write_dicom(tmp_path / "dicom", np.zeros((2, 4, 4), np.uint16)):
        data = pydicom.dcmread(path)
        data.Rows = data.Columns = 65535
        data.save_as(path)
    content = zip_of(**{p.name: p.read_bytes() for p in (tmp_path / "dicom").iterdir()})
    assert "unpacks to more" in uploaded(desk, "a.zip", content, 413)


def test_dicom_zips_and_nrrd_are_taken(desk: Desk, tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 100, (4, 6, 7)).astype(np.uint16)
    members = {path.name: path.read_bytes() for path in write_dicom(tmp_path / "dicom", stored)}
    sitk.WriteImage(sitk.GetImageFromArray(stored), str(tmp_path / "b.nrrd"))
    for name, content in (("a.zip", zip_of(**members)), ("b.nrrd", (tmp_path / "b.nrrd").read_bytes())):
        made = desk.client.post("/api/scans", files={"file": (name, content)}).json()
        assert made["name"] == name
        assert desk.client.get(f"/api/scans/{made['id']}").json()["shape"] == [4, 6, 7]


def test_what_is_no_upload_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/api/scans"
    assert "multipart" in line_of(desk.client.post(path, content=b"x"), 400)
    assert "no file" in line_of(desk.client.post(path, files={"other": ("a.nii", b"x")}), 400)
    both = [("file", ("a.nii", b"x")), ("file", ("b.nii", b"x"))]
    assert "one after the other" in line_of(desk.client.post(path, files=both), 400)
    assert "not a file to upload" in line_of(desk.client.post(path, files={"file": ("a.pkl", b"x")}), 400)
    cut = {"Content-Type": "multipart/form-data; boundary=b"}
    half = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.nii"\r\n\r\nvoxels'
    assert "send it again" in line_of(desk.client.post(path, content=half, headers=cut), 400)
    monkeypatch.setattr("ivos.annotate.server.security.UPLOAD_LIMIT_BYTES", 1000)
    assert "too many" in line_of(desk.client.post(path, files={"file": ("a.nii", bytes(2000))}), 413)

    def endless() -> Iterator[bytes]:
        yield half
        for _ in range(100):
            yield bytes(100)

    assert "too many" in line_of(desk.client.post(path, content=endless(), headers=cut), 413)


MASK = packed(np.ones((2, 3), bool))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"do": "draw"}',
        b'{"do": "eval", "code": "1"}',
        b'{"do": "undo", "more": 1}',
        b'{"do": "remove", "structure": 0}',
        b'{"do": "remove", "structure": 256}',
        b'{"do": "remove", "structure": "1"}',
        b'{"do": "remove", "structure": 1e400}',
        b'{"do": "remove", "structure": NaN}',
        b'{"do": "add", "name": "  "}',
        b'{"do": "add", "name": "a", "colour": "red"}',
    ],
)
def test_malformed_actions_are_refused_in_one_line(guarded: Desk, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert line_of(guarded.client.post(f"{guarded.scan}/actions", content=body, headers=headers), 422)
    assert line_of(guarded.client.post(f"{guarded.scan}/actions", content=b"[" * 100_000, headers=headers), 400)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mask": {**MASK, "top": 63}},
        {"mask": {**MASK, "shape": [20_000, 20_000]}},
        {"mask": {**MASK, "bits": "!!"}},
        {"mask": {**MASK, "bits": "é"}},
        {"mask": {**MASK, "bits": MASK["bits"] * 3}},
        {"index": 12},
        {"structure": 9},
    ],
)
def test_impossible_masks_are_refused(guarded: Desk, wrong: dict[str, Any]) -> None:
    action = {"structure": 1, "index": 0, "mask": MASK, **wrong}
    assert guarded.refused(400, "draw", **action)
    assert not guarded.voxels().any()


def test_bodies_that_are_too_long_are_refused(guarded: Desk) -> None:
    path, kind = f"{guarded.scan}/actions", {"Content-Type": "application/json"}
    long = str(JSON_LIMIT_BYTES + 1)
    assert "too many" in line_of(
        guarded.client.post(path, content=b"{}", headers={**kind, "Content-Length": long}), 413
    )
    assert line_of(guarded.client.post(path, content=b"{}", headers={**kind, "Content-Length": "9" * 5000}), 413)
