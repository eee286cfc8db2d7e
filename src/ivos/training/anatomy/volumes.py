"""Training volumes for propagation, by number: images of label maps, parts of real scans, phantoms."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.files import is_system_file, replacing
from ivos.io.read import read, read_labels
from ivos.training.anatomy.label_maps import synthetic_image
from ivos.training.anatomy.real_scans import part_of_scan
from ivos.training.fast.scans import LabelledScan, synthetic
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume, on_grid_of
from ivos.volume.windows import windows_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.training.propagation_settings import AnatomySettings
    from ivos.training.record import Use

_SHARES = {"label map": 0.4, "scan": 0.35, "phantom": 0.25}
_GREY_LEVELS = 2000  # of synthetic intensities, as a scanner's integers


@dataclass(frozen=True)
class Source:
    """Files of one origin: some of a cohort's patients, or a folder of label maps.

    Attributes:
        kind: ``"label map"`` or ``"scan"``.
        name: of the folder.
        files: the label maps or scans.
        labels: for each scan, its labels or None.
    """

    kind: str
    name: str
    files: tuple[Path, ...]
    labels: tuple[Path | None, ...]


def sources_of(settings: AnatomySettings, *, held_out: bool) -> list[Source]:
    """What the settings name, either what is learned from or what is held out for validation.

    Raises:
        InputError: a folder is missing, or nothing is left in one.
    """
    found = []
    for kind, folders in (("label map", settings.label_maps), ("scan", settings.scans)):
        for folder in folders:
            if not folder.is_dir():
                raise InputError(f"{folder}: no such folder of {kind}s")
            images = [path for path in folder.rglob("*.nii*") if not is_system_file(path.relative_to(folder))]
            for place in sorted({path.parent for path in images}):
                if place.name == "labels" and (place.parent / "images").is_dir():
                    continue
                files = tuple(
                    path
                    for path in sorted(images)
                    if path.parent == place
                    and held_out
                    == any(fnmatch(str(path.relative_to(folder.parent)), name) for name in settings.held_out)
                )
                labels = tuple(_labels_beside(path) if kind == "scan" else None for path in files)
                if files:
                    found.append(Source(kind, str(place.relative_to(folder.parent)), files, labels))
    if not found and not held_out:
        raise InputError("anatomy: no NIfTI files in the folders of anatomy.label_maps and anatomy.scans")
    return found


def files_by_use(settings: AnatomySettings | None) -> dict[Use, list[tuple[Path, Path | None]]] | None:
    """The files that the settings name, with labels beside some, by what they are for; None without settings.

    Raises:
        InputError: see :func:`sources_of`.
    """
    if settings is None:
        return None
    uses: tuple[tuple[Use, bool], ...] = (("training", False), ("validation", True))
    return {
        use: [
            pair
            for source in sources_of(settings, held_out=held_out)
            for pair in zip(source.files, source.labels, strict=True)
        ]
        for use, held_out in uses
    }


def _labels_beside(scan: Path) -> Path | None:
    """labels/NAME of images/NAME."""
    path = scan.parent.parent / "labels" / scan.name
    return path if scan.parent.name == "images" and path.exists() else None


class AnatomyVolumes:
    """Volumes of all kinds, drawn by number: the same number gives the same volume.

    Args:
        sources: what there is.
        phantoms: whether phantoms come between them, so that what was learned from them is kept.
    """

    def __init__(self, sources: Sequence[Source], *, phantoms: bool = True) -> None:
        self._by_kind = {
            kind: [source for source in sources if source.kind == kind] for kind in _SHARES if kind != "phantom"
        }
        shares = {
            kind: share
            for kind, share in _SHARES.items()
            if (phantoms if kind == "phantom" else bool(self._by_kind[kind]))
        }
        self._kinds = list(shares)
        self._shares = np.array(list(shares.values())) / sum(shares.values())

    def __call__(self, number: int) -> LabelledScan:
        """The volume of a number."""
        rng = np.random.default_rng((number, 7))
        kind = str(rng.choice(self._kinds, p=self._shares))
        if kind == "phantom":
            return synthetic(number)
        sources = self._by_kind[kind]
        weights = np.sqrt([len(source.files) for source in sources])
        source = sources[int(rng.choice(len(sources), p=weights / weights.sum()))]
        file = int(rng.integers(len(source.files)))
        if kind == "label map":
            return _from_label_map(source.files[file], rng)
        scan, labels = read(source.files[file]), source.labels[file]
        marked = None if labels is None else on_grid_of(read_labels(labels), scan, str(labels))
        return part_of_scan(scan, marked, str(source.files[file]), rng)


def _from_label_map(path: Path, rng: np.random.Generator) -> LabelledScan:
    labels = read_labels(path)
    image, cut, spacing_mm = synthetic_image(np.asarray(labels.array, np.uint8), labels.geometry.spacing_mm, rng)
    array = np.rint(_GREY_LEVELS * image).astype(np.int16)
    scan = Volume.from_array(array, Geometry(array.shape, spacing_mm, (0.0, 0.0, 0.0)))
    return LabelledScan.of(array, cut, windows_for(scan, "mr"), spacing_mm, str(path))


class StoredVolumes:
    """Volumes kept in a folder once they were made, so that making them costs a run once; mirrored at random.

    Args:
        make: gives the volume of a number.
        folder: where they are kept; it may hold those of an earlier run of the same settings.
        count: how many there are; numbers beyond give one of them again, mirrored in another way.
        first: number of the first one.
    """

    def __init__(self, make: AnatomyVolumes, folder: Path, count: int, *, first: int = 0) -> None:
        self._make, self._folder, self._count, self._first = make, folder, count, first
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, number: int) -> LabelledScan:
        """One of the volumes, the same for the same number."""
        rng = np.random.default_rng((number, 8))
        made = self.volume(int(rng.integers(self._count)))
        axes = tuple(axis for axis in (-1, -2) if rng.random() < 0.5)
        images, labels = np.flip(made.images, axes), np.flip(made.labels, axes)
        if rng.random() < 0.5:
            images, labels = images.swapaxes(-1, -2), labels.swapaxes(-1, -2)
        return LabelledScan(np.ascontiguousarray(images), np.ascontiguousarray(labels), made.spacing_mm, made.case)

    def volume(self, place: int) -> LabelledScan:
        """The volume at a place, 0 to count - 1, from its file if it has one."""
        path = self._folder / f"{self._first + place:06}.npz"
        if path.exists():
            with np.load(path) as kept:
                z, y, x = kept["spacing_mm"].tolist()
                return LabelledScan(kept["images"], kept["labels"], (z, y, x), str(kept["case"]))
        made = self._make(self._first + place)
        with replacing(path) as temporary:
            labels = made.labels.astype(np.uint8)
            np.savez_compressed(
                temporary, images=made.images, labels=labels, spacing_mm=made.spacing_mm, case=made.case
            )
        return made
