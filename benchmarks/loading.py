"""Whether training waits for data: slices read at random from files of several forms, and steps that read the store.

python -m benchmarks.loading [--folder DIR] [--scans 4] [--slices 60] [--size 512] [--side 128 --side 256]

Every form gives the same: a slice's three windows and its labels. All files are in the page cache, having been read
just before: what is timed is unpacking and copying, not a disk, which would slow the larger forms down the most. A
whole scan is read as ivos reads it, with its checks; the other forms have none.

A step is forward, backward and AdamW of the small network, without clipping and the running average, which would only
make it longer. It is timed with the data loader of training and on a batch that is kept in memory: a worker may leave
nothing to wait for and yet make steps longer, where it takes a core from them.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import SimpleITK as sitk
import torch
import typer
from torch.utils.data import DataLoader

from benchmarks.measure import markdown
from ivos.device import has_bfloat16, pick_device
from ivos.io.read import read
from ivos.io.write import write_volume
from ivos.nets.reference import reference_network
from ivos.phantom import abdomen
from ivos.training.data.prepare import load_manifest, prepare
from ivos.training.data.store import StoredScan
from ivos.training.reference.losses import LossSettings, SupervisedLoss
from ivos.training.reference.methods import Supervised
from ivos.training.reference.slices import LabelledSlices, collate
from ivos.training.streaming import InfiniteSampler
from ivos.volume.windows import CT_WINDOWS_HU, channels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt

    from ivos.training.reference.methods import Batch
    from ivos.types import Array

    Slice = tuple[npt.NDArray[np.float32], npt.NDArray[np.int16] | None]

_FIRST_SEED = 6000
_COMPARED = 10  # slices that all forms must give alike before any is timed
_BATCH, _WARM_UP_STEPS = 8, 5


class Form(NamedTuple):
    """Files of one kind, a list for each scan, and how a slice is read from such a list."""

    name: str
    scans: list[list[Path]]
    slice: Callable[[list[Path], int], Slice]


def main(
    folder: Annotated[Path | None, typer.Option(help="Where the scans are kept.")] = None,
    scans: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 4,
    slices: Annotated[int, typer.Option(min=8, help="Slices of each.")] = 60,
    size: Annotated[int, typer.Option(min=64, help="Rows and columns.")] = 512,
    seconds: Annotated[float, typer.Option(min=0, help="How long every form is read.")] = 10.0,
    side: Annotated[list[int] | None, typer.Option(help="Side of training slices, repeated for several.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps that are timed.")] = 100,
) -> None:
    """Read slices from every form of file, then train with and without reading."""
    with tempfile.TemporaryDirectory() as temporary:
        place = (folder or Path(temporary)) / f"{scans}_{slices}_{size}"
        cases = [_write_files(place, number, slices, size) for number in range(scans)]
        prepare(place / "nii.gz", place / "store")
        stored = [place / "store" / case.file for case in load_manifest(place / "store").cases]
        forms = _forms(cases, stored)
        drawn = [(int(n), int(z)) for n, z in np.random.default_rng(0).integers((scans, slices), size=(10_000, 2))]
        _compare(forms, drawn[:_COMPARED])
        rows = [_form_row(form, drawn, seconds) for form in forms]
        print(markdown([f"{scans} x {slices} x {size} x {size}", "slices/s", "ms/slice", "MB", "files"], rows))
        rows = [row for each in side or (128, 256) for row in _step_rows(stored, each, steps)]
        print()
        print(markdown([f"steps of {_BATCH} slices", "ms/step", "waiting, ms", "waiting", "longer than kept"], rows))


def _write_files(place: Path, number: int, slices: int, size: int) -> dict[str, list[Path]]:
    """A phantom's files by suffix, NIfTI in the layout of nnU-Net; those that are there stay as they are."""
    name = f"phantom_{number:02d}"
    files = {".npy": [place / "npy" / f"{name}_{z:04d}.npy" for z in range(slices)]}
    for suffix in (".nii", ".nii.gz"):  # in folders of their own: ITK may take one for the other
        nnunet = place / suffix[1:]
        files[suffix] = [nnunet / "imagesTr" / f"{name}_0000{suffix}", nnunet / "labelsTr" / f"{name}{suffix}"]
    if not all(path.exists() for path in itertools.chain(*files.values())):
        phantom = abdomen(_FIRST_SEED + number, shape=(slices, size, size))
        for suffix in (".nii", ".nii.gz"):
            write_volume(files[suffix][0], phantom.scan)
            write_volume(files[suffix][1], phantom.labels)
        (place / "npy").mkdir(exist_ok=True)
        for path, image, labels in zip(files[".npy"], phantom.scan.array, phantom.labels.array, strict=True):
            np.save(path, np.stack([image, labels.astype(np.int16)]))
    return files


def _forms(cases: list[dict[str, list[Path]]], stored: list[Path]) -> list[Form]:
    packed, plain, arrays = ([case[suffix] for case in cases] for suffix in (".nii.gz", ".nii", ".npy"))
    opened = {path: StoredScan(path) for path in stored}
    return [
        Form(".nii.gz, whole scan read", packed, lambda paths, z: _as_slice(*(read(path).array[z] for path in paths))),
        Form(".nii, whole scan read", plain, lambda paths, z: _as_slice(*(read(path).array[z] for path in paths))),
        Form(".nii, slice read by ITK", plain, lambda paths, z: _as_slice(*(_region(path, z) for path in paths))),
        Form(".npy for every slice", arrays, lambda paths, z: _as_slice(*np.load(paths[z]))),
        Form("store", [[path] for path in stored], lambda paths, z: opened[paths[0]].slice(z)),
    ]


def _region(path: Path, z: int) -> Array:
    """A slice of an uncompressed NIfTI, without reading the others."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    reader.SetExtractIndex([0, 0, z])
    reader.SetExtractSize([*reader.GetSize()[:2], 0])
    array: Array = sitk.GetArrayFromImage(reader.Execute())
    return array


def _as_slice(image: Array, labels: Array) -> Slice:
    return channels(image, CT_WINDOWS_HU), labels.astype(np.int16)


def _compare(forms: list[Form], drawn: list[tuple[int, int]]) -> None:
    for n, z in drawn:
        expected = forms[-1].slice(forms[-1].scans[n], z)
        for form in forms[:-1]:
            for a, b in zip(form.slice(form.scans[n], z), expected, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=form.name, strict=True)


def _form_row(form: Form, drawn: list[tuple[int, int]], seconds: float) -> list[str]:
    sizes_bytes = [len(path.read_bytes()) for path in itertools.chain(*form.scans)]
    started, count, passed = time.perf_counter(), 0, 0.0
    while count == 0 or passed < seconds:
        n, z = drawn[count % len(drawn)]
        form.slice(form.scans[n], z)
        count, passed = count + 1, time.perf_counter() - started
    per_slice = [f"{count / passed:.1f}", f"{1000 * passed / count:.2f}"]
    return [form.name, *per_slice, f"{sum(sizes_bytes) / 1e6:.1f}", str(len(sizes_bytes))]


def _step_rows(stored: list[Path], side: int, steps: int) -> list[list[str]]:
    structures = sorted({label for path in stored for label in StoredScan(path).info.volumes_ml or {}})
    dataset = LabelledSlices(stored, structures, size=side, neighbours=0, seed=0)
    loaders = [
        DataLoader(dataset, _BATCH, sampler=InfiniteSampler(0, 1), num_workers=n, collate_fn=collate) for n in (0, 1)
    ]
    sources: dict[str, Iterable[Batch]] = {"batch kept": itertools.repeat(next(iter(loaders[0])))}
    sources |= {f"loader, workers: {n}": loader for n, loader in enumerate(loaders)}
    rows, kept_ms = [], 0.0
    for name, source in sources.items():
        step_ms, waiting_ms = _time_steps(iter(source), len(structures) + 1, side, steps)
        kept_ms = kept_ms or step_ms
        shares = [f"{waiting_ms / step_ms:.1%}", f"{step_ms / kept_ms - 1:+.1%}"]
        rows.append([f"{side} x {side}, {name}", f"{step_ms:.1f}", f"{waiting_ms:.2f}", *shares])
    return rows


def _time_steps(batches: Iterator[Batch], classes: int, side: int, steps: int) -> tuple[float, float]:
    """Milliseconds of a step, and those of them in which it waits for its batch."""
    torch.manual_seed(0)
    device = pick_device()
    network = reference_network("small", classes=classes, channels=3, size=side)
    method = Supervised(network.to(device), SupervisedLoss(LossSettings()))
    optimiser = torch.optim.AdamW(network.parameters())
    started = waiting = 0.0
    for number in range(-_WARM_UP_STEPS, steps):
        if number == 0:
            started, waiting = time.perf_counter(), 0.0
        asked = time.perf_counter()
        batch = next(batches)
        waiting += time.perf_counter() - asked
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            loss = method.loss({key: part.to(device) for key, part in batch.items()}, None, 0.0)["supervised"]
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        loss.item()  # waits for a GPU to be done
    return 1000 * (time.perf_counter() - started) / steps, 1000 * waiting / steps


if __name__ == "__main__":
    typer.run(main)
