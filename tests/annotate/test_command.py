"""`ivos annotate`, as a user runs it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import numpy as np
import pytest

import ivos
from ivos.annotate.storage.worklist import scans_in, work_folder_for
from ivos.errors import InputError
from tests.annotate.slow_server import FORKS, run_command
from tests.cli.runner import refused
from tests.io.grids import write_dicom
from tests.processes import HANG_S, waited
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

STORED = np.zeros((3, 4, 5), np.uint16)


def printed(path: Path, process: ForkServerProcess) -> str:
    """What the command has printed, once it has printed a whole line."""
    waited(lambda: path.exists() and "\n" in path.read_text(), process)
    return path.read_text()


def test_it_says_where_it_is_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    for name in ("a", "b"):
        ivos.write(tmp_path / f"{name}.nii.gz", moving_discs()[0])
    words = ["annotate", str(tmp_path), "--no-browser", "--port", "0", "--token", "0123456789abcdef"]
    process = FORKS.Process(target=run_command, args=(tmp_path / "out", words))
    process.start()
    try:
        found = re.match(
            r"2 scans at (http://127\.0\.0\.1:\d+/)\?token=0123456789abcdef ", printed(tmp_path / "out", process)
        )
        assert found
        login = {"Authorization": "Bearer 0123456789abcdef"}
        with httpx2.Client(base_url=found[1], headers=login, timeout=HANG_S) as client:
            assert [scan["name"] for scan in client.get("/api/scans").json()] == ["a.nii.gz", "b.nii.gz"]
            assert process.pid is not None
            os.kill(process.pid, signal.SIGINT)
            process.join(HANG_S)
    finally:
        process.kill()
        process.join()
    assert process.exitcode == 0
    assert (tmp_path / "out").read_text().endswith("Stopped. Your work is saved.\n")
    assert (tmp_path / "ivos-work").is_dir()


def test_what_cannot_be_opened_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "scan.nii.gz").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert "no such file" in refused("annotate", tmp_path / "no.nii.gz")
    assert "no scans in it" in refused("annotate", tmp_path / "empty")
    assert "16 to 200" in refused("annotate", tmp_path / "scan.nii.gz", "--token", "short")
    assert "no such checkpoint" in refused("annotate", tmp_path / "scan.nii.gz", "--reference", tmp_path / "no")


def test_scans_of_files_and_folders(tmp_path: Path) -> None:
    write_dicom(tmp_path / "study" / "one", STORED)
    write_dicom(tmp_path / "study" / "two", STORED)
    one, two = tmp_path / "study" / "one", tmp_path / "study" / "two"
    assert scans_in(one, None) == [one]
    assert work_folder_for(one) == tmp_path / "study" / "ivos-work"
    assert scans_in(tmp_path / "study", None) == [one, two]
    assert work_folder_for(tmp_path / "study") == tmp_path / "study" / "ivos-work"
    for name in ("b.nrrd", "a.nii.gz", "readme.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in scans_in(tmp_path, None)] == ["a.nii.gz", "b.nrrd"]
    assert work_folder_for(tmp_path / "a.nii.gz") == work_folder_for(tmp_path) == tmp_path / "ivos-work"
    with pytest.raises(InputError, match="not a scan"):
        scans_in(tmp_path / "readme.txt", None)
