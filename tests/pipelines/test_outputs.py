"""Label files of a cohort's cases: what is refused before the work, what is not fetched twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ivos
from ivos.errors import InputError
from ivos.io.labels import LabelFormat
from ivos.io.provenance import Provenance
from ivos.pipelines.outputs import LabelFiles
from ivos.pipelines.propagate import PropagateJob
from ivos.pipelines.protocol import Case
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_scan_at_an_address_is_not_fetched_again_for_labels_that_do_not_refer_to_it(tmp_path: Path) -> None:
    _, labels = moving_discs(slices=4)
    files, case = LabelFiles(), Case("a", {"scan": "memory://gone/scan.nii.gz"})
    files.write(files.path(tmp_path, case), labels, case, Provenance())
    assert (ivos.read_labels(tmp_path / "a.nii.gz").array == labels.array).all()


def test_a_series_at_an_address_may_get_dicom_labels(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    LabelFiles().check_file(tmp_path / "a.dcm", "s3://bucket/series")
    with pytest.raises(InputError, match="came as DICOM"):
        LabelFiles().check_file(tmp_path / "a.dcm", "scan.nii.gz")


def test_what_dicom_labels_could_not_refer_to_is_refused_when_it_is_read(tmp_path: Path) -> None:
    scan, labels = moving_discs(slices=4)
    ivos.write(tmp_path / "scan.nii.gz", scan)
    ivos.write(tmp_path / "drawn.nii.gz", labels)
    inputs = {"scan": f"file://{tmp_path}/scan.nii.gz", "annotations": str(tmp_path / "drawn.nii.gz")}
    worker = PropagateJob("nearest", labels=LabelFiles(LabelFormat.rtstruct)).open()
    with pytest.raises(InputError, match="without FrameOfReferenceUID; write NIfTI instead"):
        worker.read(Case("a", inputs))
