"""The files that the documentation speaks of, small: every page begins in a folder that has those of its own."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import torch

import ivos
from ivos.nets.reference_file import ReferenceInfo, save_reference
from tests.docs.pages import ROOT
from tests.io.dicom.series import referable_series
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.volume.volume import Volume

NAMES = {3: "liver", 8: "spleen"}


def lay_out(page: str, folder: Path) -> None:
    """Make what a page needs; every page has the recipes of the repository."""
    (folder / "configs").symlink_to(ROOT / "configs")
    for make in NEEDS.get(page, ()):
        make(folder)


def scan(folder: Path) -> None:
    image, labels = moving_discs()
    ivos.write(folder / "scan.nii.gz", image)
    ivos.write(folder / "slices.nii.gz", drawn_on(labels, 2, 8))


def large_scan(folder: Path) -> None:
    """With a slice 41 that has a pixel (260, 370)."""
    ivos.write(folder / "scan.nii.gz", moving_discs(slices=44, size=400)[0])


def cohort_list(folder: Path) -> None:
    (folder / "scans.csv").write_text("case,scan\np001,scans/case_0_0000.nii.gz\np002,scans/case_1_0000.nii.gz\n")


def drawn(folder: Path) -> None:
    for number in range(2):
        labels = moving_discs(slices=8, size=32, seed=number)[1]
        ivos.write(folder / "drawn" / f"case_{number}.nii.gz", drawn_on(labels, 2, 6))


def dicom(folder: Path) -> None:
    """A series, and slices drawn on it."""
    _write_series(folder / "dicom", 0)
    labels = ivos.read(folder / "dicom")
    ivos.write(folder / "slices.nii.gz", drawn_on(labels.with_array(moving_discs()[1].array), 2, 8))


def archive(folder: Path) -> None:
    for patient in range(2):
        _write_series(folder / "archive" / f"patient_{patient}" / "study" / "series", patient)


def labels_alone(folder: Path) -> None:
    ivos.write(folder / "labels.nii.gz", moving_discs()[1])
    (folder / "names.json").write_text('{"1": "liver", "2": "spleen"}')


def scans(folder: Path) -> None:
    for number in range(2):
        _write_case(folder / "scans", None, f"case_{number}", number)


def cohort(at: str, labelled: int = 6, unlabelled: int = 2, labels: str = "labels") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for number in range(labelled + unlabelled):
            beside = folder / at / labels if number < labelled else None
            _write_case(folder / at / "images", beside, f"case_{number:02d}", number)

    return make


def prepared(folder: Path) -> None:
    from ivos.training.data.prepare import prepare

    cohort("raw")(folder)
    prepare(folder / "raw", folder / "prepared")


def weights(folder: Path) -> None:
    """Of reference networks that were never trained."""
    info = ReferenceInfo(network="small", structures=tuple(NAMES), names=NAMES, size=32, neighbours=0)
    for seed, name in enumerate(("reference", "reference2")):
        torch.manual_seed(seed)
        (folder / "run").mkdir(exist_ok=True)
        save_reference(info.made(), info, folder / "run" / f"{name}.safetensors")


def predictions(*names: str, scans_in: str, truth: bool = False) -> Callable[[Path], None]:
    """Folders of labels of the same cases, each wrong in its own way."""

    def make(folder: Path) -> None:
        for number in range(6):
            image, labels = moving_discs(seed=number)
            for shift, name in enumerate(names):
                moved = np.roll(labels.array, shift + number % 2, axis=2)
                ivos.write(folder / name / f"case_{number}.nii.gz", labels.with_array(moved))
            ivos.write(folder / scans_in / f"case_{number}_0000.nii.gz", image)
            if truth:
                ivos.write(folder / "truth" / f"case_{number}.nii.gz", labels)

    return make


def published_weights(folder: Path) -> None:
    from ivos.nets.stcn import STCN

    (folder / "weights").mkdir()
    torch.save(STCN().state_dict(), folder / "weights" / "stcn.pth")


def public_data(folder: Path) -> None:
    """As they are downloaded."""
    flare = folder / "FLARE2022" / "Training"
    _cases(flare / "FLARE22_LabeledCase50", "images/FLARE22_Tr_{:04}_0000", "labels/FLARE22_Tr_{:04}")
    _cases(flare / "FLARE22_UnlabeledCase1-1000", "Case_{:05}_0000", None)
    _cases(folder / "FLARE22Train", "images/FLARE22_Tr_{:04}_0000", "labels/FLARE22_Tr_{:04}")
    _cases(folder / "amos22", "imagesTr/amos_{:04}", "labelsTr/amos_{:04}")
    _cases(folder / "RawData" / "Training", "img/img{:04}", "label/label{:04}")
    _cases(folder / "Task09_Spleen", "imagesTr/spleen_{}", "labelsTr/spleen_{}")
    for name in ("amos22", "Task09_Spleen"):
        (folder / name / "dataset.json").write_text(json.dumps({"labels": {"3": "liver", "8": "spleen"}}))
    _totalsegmentator(folder)


NEEDS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "README": (scan, scans, drawn),
    "index": (scan,),
    "annotate": (scan,),
    "python": (scan,),
    "propagate": (scan,),
    "interactive": (large_scan,),
    "files": (labels_alone,),
    "segment": (scan, scans, weights, cohort("val", labelled=10, unlabelled=0)),
    "train_on_your_data": (scans, cohort("raw"), cohort("test", labelled=2, unlabelled=0)),
    "training": (cohort("RAW"),),
    "fine_tune": (scan, cohort("raw")),
    "review": (prepared, predictions("first", "second", "third", scans_in="scans")),
    "evaluate": (predictions("better", "predictions", scans_in="images", truth=True),),
    "run_a_cohort": (scans, weights, cohort_list, drawn, archive),
    "dicom": (dicom, archive, weights),
    "cluster": (scans, weights),
    "export": (weights,),
    "extend": (scan,),
    "weights": (published_weights,),
    "data": (public_data,),
}


def _write_case(images: Path, labels: Path | None, name: str, seed: int) -> None:
    image, true = moving_discs(slices=8, size=32, seed=seed)
    ivos.write(images / f"{name}_0000.nii.gz", image)
    if labels is not None:
        ivos.write(labels / f"{name}.nii.gz", true)


def _write_series(folder: Path, seed: int) -> None:
    referable_series(folder, (moving_discs(seed=seed)[0].array.astype(np.int32) + 1024).astype(np.uint16))
    for path in folder.glob("*.dcm"):  # what the rules for series look at
        data = pydicom.dcmread(path)
        data.SliceThickness, data.ImageType = 2.0, ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.save_as(path)


def _cases(folder: Path, image: str, label: str | None) -> None:
    for number in range(6):
        scan, labels = moving_discs(slices=8, size=32, seed=number)
        ivos.write(folder / f"{image.format(number)}.nii.gz", scan)
        if label is not None:
            ivos.write(folder / f"{label.format(number)}.nii.gz", labels)


def _totalsegmentator(folder: Path) -> None:
    """An archive, to be unpacked: a folder for each case, a file for each structure."""
    raw = folder / "unpacked"
    for number in range(6):
        scan, labels = moving_discs(slices=8, size=32, seed=number)
        ivos.write(raw / f"s{number:04}" / "ct.nii.gz", scan)
        for label, name in NAMES.items():
            mask: Volume = labels.with_array((labels.array == label).astype(np.uint8))
            ivos.write(raw / f"s{number:04}" / "segmentations" / f"{name}.nii.gz", mask)
    with (raw / "meta.csv").open("w", newline="") as file:
        rows = [("image_id", "split"), *((f"s{n:04}", "test" if n == 5 else "train") for n in range(6))]
        csv.writer(file, delimiter=";").writerows(rows)
    with zipfile.ZipFile(folder / "Totalsegmentator_dataset_v201.zip", "w") as archive:
        for path in sorted(raw.rglob("*.*")):
            archive.write(path, path.relative_to(raw))
    shutil.rmtree(raw)
