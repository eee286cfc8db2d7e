"""DICOM series with all that a study's other objects refer to, and a patient."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.uid import generate_uid

import ivos
from tests.io.grids import write_dicom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.volume import Volume

STORED = np.random.default_rng(1).integers(0, 3000, (5, 6, 7)).astype(np.uint16)
CORONAL: dict[str, Any] = {"orientation": (1, 0, 0, 0, 0, -1), "step_mm": (0.0, 2.0, 0.0)}
OBLIQUE: dict[str, Any] = {"orientation": (0.8, 0.6, 0, -0.6, 0.8, 0), "step_mm": (0.0, 0.0, -2.0)}
PATIENT = {
    "PatientID": "MRN0815",
    "PatientName": "Telltale^Theodora",
    "PatientBirthDate": "19561224",
    "AccessionNumber": "ACC4711",
    "ReferringPhysicianName": "Houseman^Gregor",
    "StudyDate": "20240229",
    "PatientComments": "Butcher of Bakerstreet",
}


def referable_series(folder: Path, stored: npt.NDArray[np.uint16] = STORED, **how: Any) -> None:
    """A series with study, frame of reference and patient."""
    study, frame = generate_uid(), generate_uid()
    for path in write_dicom(folder, stored, **how):
        data = pydicom.dcmread(path)
        data.StudyInstanceUID, data.FrameOfReferenceUID = study, frame
        for keyword, value in PATIENT.items():
            setattr(data, keyword, value)
        data.save_as(path)


def labelled(folder: Path, names: dict[int, str]) -> Volume:
    """Labels at random on the grid of a series."""
    scan = ivos.read(folder)
    array = np.random.default_rng(2).choice([0, *names], scan.array.shape).astype(np.uint8)
    return scan.with_array(array, names)


def edited(paths: list[Path], edit: Callable[[pydicom.Dataset, int], object]) -> list[Path]:
    """The files of a series, each changed as ``edit`` changes its data set; it gets the slice's number too."""
    for number, path in enumerate(paths):
        data = pydicom.dcmread(path)
        edit(data, number)
        data.save_as(path)
    return paths


def without_preamble(path: Path, *, file_header: bool = False, explicit: bool = False) -> None:
    """Take the preamble off a file, and the file header, unless it is to stay."""
    data = pydicom.dcmread(path)
    if file_header:
        path.write_bytes(path.read_bytes()[132:])
        return
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, pydicom.Dataset(data), implicit_vr=not explicit, little_endian=True)
    path.write_bytes(buffer.getvalue())
