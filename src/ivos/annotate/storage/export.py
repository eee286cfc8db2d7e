"""Labels and the journal as files."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

from ivos.annotate.storage.worklist import plain_stem
from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.io.dicom.seg_write import write_dicom_seg
from ivos.io.provenance import Manner, Provenance
from ivos.io.write import write_volume

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.annotate.messages import ExportFormat
    from ivos.annotate.storage.store import KeptScan, Store
    from ivos.volume.volume import Volume

_ENDINGS: dict[ExportFormat, str] = {
    "nifti": "_labels.nii.gz",
    "nrrd": "_labels.seg.nrrd",
    "dicom-seg": "_labels.dcm",
    "png": "_labels_png.zip",
    "journal": "_journal.json",
}


def file_name(scan: KeptScan, kind: ExportFormat) -> str:
    """What an exported file is called."""
    return plain_stem(scan.name) + _ENDINGS[kind]


def write_labels(
    path: Path,
    kind: ExportFormat,
    labels: Volume,
    source: Path,
    series: str | None = None,
    stack: int | None = None,
) -> None:
    """Write labels into a file.

    Args:
        path: of the file.
        kind: any format but the journal.
        labels: on the scan's grid, with names.
        source: file or folder of the scan.
        series: as for :func:`ivos.io.dicom.seg_write.write_dicom_seg`.
        stack: likewise.

    Raises:
        InputError: DICOM is asked for and the scan is none, or nothing is labelled.
    """
    match kind:
        case "dicom-seg":
            if not source.is_dir() and suffix_of(source) != ".zip":
                raise InputError("DICOM Segmentation needs a scan that came as DICOM; take nifti or nrrd for this one")
            by_hand = Provenance(Manner.semiautomatic, "ivos annotate")
            write_dicom_seg(path, labels, source, series=series, stack=stack, provenance=by_hand)
        case "png":
            _write_png(path, labels)
        case _:
            write_volume(path, labels)


def write_journal(path: Path, store: Store, scan: KeptScan) -> None:
    """Write what was done, by whom and when, as JSON."""
    entries = [
        {
            "number": entry.number,
            "kind": entry.kind,
            "what": json.loads(entry.what) if entry.what else None,
            "who": entry.who,
            "at": entry.at,
        }
        for entry in store.requests(scan.id)
    ]
    content = {"scan": scan.name, "state": scan.state, "changed": scan.changed, "entries": entries}
    path.write_text(json.dumps(content, indent=1), "utf-8")


def _write_png(path: Path, labels: Volume) -> None:
    """A picture for each axial slice whose grey values are label ids, and what they mean."""
    from PIL import Image

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "labels.json", json.dumps({str(k): name for k, name in sorted(labels.names.items())}, indent=1)
        )
        for index, plane in enumerate(labels.array):
            with archive.open(f"axial_{index:04d}.png", "w") as file:
                Image.fromarray(plane).save(file, "PNG")
