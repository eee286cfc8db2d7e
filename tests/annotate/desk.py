"""A server over a tiny scan, asked through its addresses, and what its answers mean."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.testclient import TestClient

import ivos
from ivos.annotate.server.app import create_app
from ivos.annotate.server.security import Access
from ivos.annotate.server.service import Service
from ivos.annotate.session.networks import Networks
from ivos.propagation.engines.nearest import NearestEngine
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from ivos.annotate.session.auto_segment import AutoSegmenter
    from ivos.prompts.prompts import Strokes
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import BoolArray, FloatArray
    from ivos.volume.volume import Volume

ADDRESS = "http://127.0.0.1:8765"


def positive_strokes(image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:  # noqa: ARG001
    """A mask of strokes that is what is drawn as positive, and the box, beside what is there."""
    answer = mask | strokes.positive
    if strokes.box is not None:
        top, left, bottom, right = strokes.box
        answer[top:bottom, left:right] = True
    answer &= ~strokes.negative
    return answer.astype(np.float32)


NETWORKS = Networks(engine=NearestEngine, strokes=positive_strokes)


class Desk:
    """What a tab does with one scan."""

    def __init__(self, client: TestClient, scan: str) -> None:
        self.client, self.scan = client, f"/api/scans/{scan}"

    def get(self, path: str = "") -> Any:
        answer = self.client.get(self.scan + path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def act(self, do: str, **more: Any) -> Any:
        answer = self.client.post(f"{self.scan}/actions", json={"do": do, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, status: int, do: str, **more: Any) -> str:
        answer = self.client.post(f"{self.scan}/actions", json={"do": do, **more})
        return line_of(answer, status)

    def draw(self, index: int, mask: npt.NDArray[np.bool_], structure: int = 1, do: str = "draw", **more: Any) -> Any:
        return self.act(do, structure=structure, index=index, mask=packed(mask), **more)

    def voxels(self, path: str = "/labels") -> npt.NDArray[np.uint8]:
        answer = self.client.get(self.scan + path)
        assert answer.status_code == 200, answer.text
        shape = tuple(int(n) for n in answer.headers["x-ivos-shape"].split(","))
        assert answer.headers["x-ivos-dtype"] == "uint8"
        return np.frombuffer(answer.content, np.uint8).reshape(shape)

    def propagate(self, **asked: Any) -> None:
        """Propagate, and wait for its end."""
        answer = self.client.post(f"{self.scan}/propagation", json=asked)
        assert answer.status_code == 202, answer.text
        self.wait()

    def wait(self) -> Any:
        for _ in range(2000):
            shown = self.get()
            if shown["job"] is None:
                return shown
        raise AssertionError("it never ends")


@contextmanager
def client_of(
    work: Path,
    scans: list[Path],
    *,
    access: Access | None = None,
    networks: Networks = NETWORKS,
    series: str | None = None,
    stack: int | None = None,
) -> Iterator[TestClient]:
    app = create_app(Service(work, scans, networks, series, stack), access or Access.to("127.0.0.1", None, None))
    with TestClient(app, base_url=ADDRESS) as client:
        yield client


@contextmanager
def desk_of(
    folder: Path, *, find: AutoSegmenter | None = None, engine: Callable[[], Engine] = NearestEngine
) -> Iterator[Desk]:
    """A desk on the moving discs."""
    scan = folder / "scan.nii.gz"
    if not scan.exists():
        ivos.write(scan, moving_discs()[0])
    networks = Networks(engine, NETWORKS.strokes, find)
    with client_of(folder / "ivos-work", [scan], networks=networks) as client:
        (entry,) = client.get("/api/scans").json()
        yield Desk(client, entry["id"])


def packed(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """A mask as it goes over the wire."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return {"top": 0, "left": 0, "shape": [0, 0], "bits": ""}
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    bits = base64.b64encode(np.packbits(box).tobytes()).decode()
    return {"top": int(rows[0]), "left": int(columns[0]), "shape": list(box.shape), "bits": bits}


def line_of(answer: Any, status: int) -> str:
    """The one line with which something is refused."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    line: str = answer.json()["detail"]
    assert line
    assert "\n" not in line
    return line


def truth() -> Volume:
    return moving_discs()[1]
