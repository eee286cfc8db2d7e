"""Whatever is sent to MONAI Label's addresses: one line and never a 500, and no file outside of the work folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.annotate.desk import ADDRESS, Desk, desk_of, line_of
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

SECRET = "what nobody may read"  # noqa: S105
TRUTH = moving_discs()[1].array


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all, that every test leaves without labels."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret.nii.gz").write_text(SECRET)
    with desk_of(folder) as made:
        yield made
        assert not made.voxels().any()
        assert made.get()["drawn"]["axial"] == {}
        assert list((folder / "ivos-work" / "uploads").iterdir()) == []
        assert {path.name for path in folder.iterdir()} == {"secret.nii.gz", "scan.nii.gz", "ivos-work"}


def scan_of(desk: Desk) -> str:
    return desk.scan.rsplit("/", 1)[1]


def content(folder: Path, array: npt.NDArray[Any], name: str = "l.nii.gz", spacing: float = 1.0) -> bytes:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((spacing, spacing, 2.0))
    sitk.WriteImage(image, str(folder / name))
    return (folder / name).read_bytes()


def params(text: str) -> dict[str, Any]:
    """A form without a file."""
    return {"params": (None, text)}


def sent(desk: Desk, method: str, path: str, field: str, name: str, body: bytes, **said: Any) -> Any:
    return desk.client.request(method, path, files={field: (name, body)}, data={"params": json.dumps(said)})


HOSTILE = [
    "../secret",
    "..%2fsecret",
    "/etc/passwd",
    "secret",
    "%00",
    "a" * 900,
    "..\\secret",
    "ivos.sqlite3",
    "\x1b[2J",
]


@pytest.mark.parametrize("image", HOSTILE)
def test_no_id_leads_out(desk: Desk, tmp_path: Path, image: str) -> None:
    label = content(tmp_path, TRUTH)
    client, query = desk.client, {"image": image, "label": image}
    answers = [
        client.get("/datastore/image", params=query),
        client.get("/datastore/label", params=query),
        client.get(f"{ADDRESS}/session/{quote(image)}"),
        client.post("/infer/click", params=query, files=params('{"label": "a", "foreground": [[0, 0, 0]]}')),
        client.put("/datastore/label", params=query, files={"label": ("l.nii.gz", label)}),
    ]
    for answer in answers:
        assert answer.status_code in (404, 422)
        assert SECRET not in answer.text
        assert "\x1b" not in answer.text


@pytest.mark.parametrize("image", ["../../evil", "/etc/evil", "..\\evil", "\x1b[2J", "a" * 900])
def test_uploads_under_hostile_names_stay_inside(desk_of_its_own: Desk, tmp_path: Path, image: str) -> None:
    desk, client = desk_of_its_own, desk_of_its_own.client
    before = {path for path in tmp_path.rglob("*") if "ivos-work" not in path.parts}
    body = content(tmp_path / "ivos-work", np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    answer = client.put("/datastore/", params={"image": image}, files={"file": ("../../evil.nii.gz", body)})
    assert answer.status_code == 200, answer.text
    assert {path for path in tmp_path.rglob("*") if "ivos-work" not in path.parts} == before
    assert client.get("/datastore/image", params={"image": image}).content == body
    (name,) = [entry["name"] for entry in client.get("/api/scans").json() if entry["id"] not in desk.scan]
    assert not set(name) & set("/\\\x1b")


@pytest.fixture
def desk_of_its_own(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path) as made:
        yield made


def test_scans_that_cannot_be_read_are_not_taken(desk: Desk) -> None:
    for path, field in (("/datastore/?image=a", "file"), ("/session/", "files")):
        for name, body in (
            ("a.nii.gz", b"no gzip"),
            ("a.nii", b""),
            ("a.pkl", b"x"),
            ("a", b"x"),
            ("a.zip", b"PK\3\4"),
        ):
            assert line_of(desk.client.put(path, files={field: (name, body)}), 400)
        assert "no file" in line_of(desk.client.put(path, files={"other": ("a.nii", b"x")}), 400)
    both = [("file", ("a.nii", b"x")), ("file", ("b.nii", b"x"))]
    assert line_of(desk.client.put("/datastore/?image=a", files=both), 400)
    assert len(desk.client.get("/api/scans").json()) == 1


def test_label_volumes_that_do_not_fit_are_refused(desk: Desk, tmp_path: Path) -> None:
    info = [{"name": "liver", "id": 1}]
    wrong = {
        "its size is": content(tmp_path, TRUTH[:5]),
        "spacing differs": content(tmp_path, TRUTH, spacing=1.5),
        "whole numbers": content(tmp_path, TRUTH * np.float32(0.5)),
        "0 or more": content(tmp_path, -TRUTH.astype(np.int16)),
        "two-dimensional": content(tmp_path, TRUTH[:1]),
        "not an image": b"no gzip",
        "cannot be unpacked": content(tmp_path, TRUTH)[:-9],
    }
    for line, body in wrong.items():
        for method, path in (
            ("POST", f"/infer/propagation?image={scan_of(desk)}"),
            ("PUT", f"/datastore/label?image={scan_of(desk)}"),
        ):
            refused = sent(desk, method, path, "label", "../l.nii.gz", body, label_info=info)
            assert line in line_of(refused, 400)
            assert str(tmp_path.parent) not in refused.text


def test_requests_that_say_too_little_are_refused(desk: Desk, tmp_path: Path) -> None:
    path, body = f"/infer/propagation?image={scan_of(desk)}", content(tmp_path, TRUTH)
    assert "label_info" in line_of(sent(desk, "POST", path, "label", "l.nii.gz", body), 400)
    other = [{"name": "a", "id": 1}, {"name": "b", "id": 2}]
    assert "holds labels [3, 8]" in line_of(sent(desk, "POST", path, "label", "l.nii.gz", body, label_info=other), 400)
    two = [{"name": "a", "id": 3}, {"name": "b", "id": 8}]
    assert "say which of 2" in line_of(sent(desk, "POST", path, "label", "l.nii.gz", body, label_info=two), 400)
    assert "no file" in line_of(desk.client.post(path, files=params("{}")), 400)
    assert "multipart" in line_of(desk.client.post(path), 400)
    assert line_of(desk.client.put("/datastore/?image=.", files={"file": ("a.nii", b"x")}), 400)
    assert "there is none" in line_of(desk.client.post(f"/infer/magic?image={scan_of(desk)}", files=params("{}")), 404)
    assert line_of(desk.client.post("/infer/click", files=params("{}")), 404)
    click = f"/infer/click?image={scan_of(desk)}"
    assert "a point" in line_of(desk.client.post(click, files=params('{"label": "a"}')), 400)
    assert line_of(desk.client.post(f"{path}&output=magic"), 422)
    assert "take 'suggest'" in line_of(desk.client.post("/activelearning/random", json={}), 404)
    assert "nothing is labelled" in line_of(desk.client.get(f"/datastore/label?label={scan_of(desk)}"), 404)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"foreground": [[0, 0]]}',
        '{"foreground": [[-1, 0, 0]]}',
        '{"foreground": [[1e400, 0, 0]]}',
        '{"foreground": [[NaN, 0, 0]]}',
        '{"label": ""}',
        '{"label_info": [{"name": "a", "idx": 0}]}',
        '{"result_extension": "/../../evil.nii"}',
        '{"result_extension": ".py"}',
        '{"result_dtype": "object"}',
        '{"axis": "up"}',
    ],
)
def test_malformed_parameters_are_refused(desk: Desk, text: str) -> None:
    for path in (f"/infer/click?image={scan_of(desk)}", f"/infer/propagation?image={scan_of(desk)}"):
        assert line_of(desk.client.post(path, files=params(text)), 400).startswith("params")


MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="label"; filename="l.nii.gz"\r\n\r\nvoxels'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--c--",
        PART,
        PART + b"\r\n--b",
        PART.replace(b'name="label"; ', b"") + b"\r\n--b--\r\n",
        PART.replace(b"\r\n", b"\n"),
        b"--b\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\nz\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="params"\r\n\r\n' + b"x" * 2**21 + b"\r\n--b--\r\n",
    ],
)
def test_damaged_multipart_is_refused(desk: Desk, body: bytes) -> None:
    for method, path in (
        ("POST", f"/infer/propagation?image={scan_of(desk)}"),
        ("PUT", f"/datastore/label?image={scan_of(desk)}"),
        ("PUT", "/datastore/?image=a"),
        ("PUT", "/session/"),
    ):
        answer = desk.client.request(method, path, content=body, headers=MULTIPART)
        assert line_of(answer, 413 if len(body) > 2**20 else 400), answer.text


@settings(max_examples=60, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
@given(
    cut=st.integers(0, 300),
    junk=st.binary(max_size=40),
    kind=st.sampled_from(["multipart/form-data; boundary=b", "multipart/form-data", "application/json", "text/x", ""]),
)
def test_no_body_is_a_defect(desk: Desk, cut: int, junk: bytes, kind: str) -> None:
    whole = PART + b"\r\n" + PART.replace(b'label"; filename="l.nii.gz"', b'params"') + b"\r\n--b--\r\n"
    body = whole[:cut] + junk + whole[cut + len(junk) :]
    path = f"/infer/propagation?image={scan_of(desk)}"
    assert line_of(desk.client.post(path, content=body, headers={"Content-Type": kind}), 400)


def test_other_sites_are_kept_out_here_too(desk: Desk) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        for path in ("/info/", "/datastore/", "/auth/", "/train/"):
            assert line_of(desk.client.get(path, headers=headers), 403)
