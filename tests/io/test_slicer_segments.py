"""Segmentations of 3D Slicer: cropped ones are put where their origin says, layers become labels."""

from __future__ import annotations

import gzip
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.io.label_names import label_names
from ivos.io.pairs import read_pair
from ivos.metrics.evaluation import evaluate
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume, on_grid_of
from tests.io.dicom.headers import nrrd_header, saved, segment_keys, with_keys

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

SCAN = Volume.from_array(np.zeros((6, 8, 10), np.int16), Geometry((6, 8, 10), (2.5, 0.8, 0.7), (-5.0, 3.0, 2.0)))
LIVER = segment_keys(("liver", 0, 1))


def whole() -> npt.NDArray[np.uint8]:
    """Labels of the whole scan: a box on slices 2 and 3."""
    labels = np.zeros((6, 8, 10), np.uint8)
    labels[2:4, 3:6, 5:9] = 1
    return labels


def segmentation(
    path: Path,
    voxels: npt.NDArray[Any],
    keys: dict[str, str],
    *,
    corner: tuple[float, float, float] = (0, 0, 0),
    axes: tuple[int, int, int] = (1, 1, 1),
    step_mm: float = 0.7,
) -> Path:
    """A file with voxels (z, y, x), or (layer, z, y, x), whose first one is at an index (z, y, x) of the scan."""
    z, y, x = SCAN.geometry.points_mm([corner])[0][::-1]
    steps = [f"({step_mm * axes[0]},0,0)", f"(0,{0.8 * axes[1]},0)", f"(0,0,{2.5 * axes[2]})"]
    layered = voxels.ndim == 4
    header = nrrd_header(
        type="uchar",
        endian=None,
        encoding="gzip",
        dimension=str(voxels.ndim),
        sizes=" ".join(str(n) for n in ([voxels.shape[0]] if layered else []) + list(voxels.shape[::-1][:3])),
        kinds="list domain domain domain" if layered else "domain domain domain",
        space_directions=" ".join((["none"] if layered else []) + steps),
        space_origin=f"({x},{y},{z})",
    )
    stored = np.moveaxis(voxels, 0, -1) if layered else voxels  # the layer runs fastest
    return saved(path, with_keys(header, keys) + gzip.compress(np.ascontiguousarray(stored, np.uint8).tobytes()))


def placed(path: Path) -> npt.NDArray[Any]:
    """Its labels on the scan's grid, which is the same with and without the scan while reading."""
    late = on_grid_of(ivos.read_labels(path), SCAN, str(path))
    early = on_grid_of(ivos.read_labels(path, scan=SCAN), SCAN, str(path))
    np.testing.assert_array_equal(late.array, early.array)
    assert late.geometry == SCAN.geometry
    return late.array


@pytest.mark.parametrize("box", [(2, 4, 3, 6, 5, 9), (1, 6, 0, 8, 4, 10), (2, 4, 0, 8, 0, 10), (0, 6, 0, 8, 0, 10)])
def test_cropped_is_placed_by_its_origin(tmp_path: Path, box: tuple[int, ...]) -> None:
    a, b, c, d, e, f = box
    path = segmentation(tmp_path / "a.seg.nrrd", whole()[a:b, c:d, e:f], LIVER, corner=(a, c, e))
    np.testing.assert_array_equal(placed(path), whole())


def test_cropped_to_one_slice(tmp_path: Path) -> None:
    labels = whole()
    labels[3] = 0
    path = segmentation(tmp_path / "a.seg.nrrd", labels[2:3, 3:6, 5:9], LIVER, corner=(2, 3, 5))
    np.testing.assert_array_equal(placed(path), labels)
    last = np.zeros_like(labels)
    last[5, 7, 9] = 1
    path = segmentation(tmp_path / "b.seg.nrrd", last[5:, 7:, 9:], LIVER, corner=(5, 7, 9))
    np.testing.assert_array_equal(placed(path), last)


def test_cropped_in_another_axis_direction(tmp_path: Path) -> None:
    turned = whole()[2:4, 3:6, 5:9][::-1, :, ::-1]
    path = segmentation(tmp_path / "a.seg.nrrd", turned, LIVER, corner=(3, 3, 8), axes=(-1, 1, -1))
    np.testing.assert_array_equal(placed(path), whole())


def test_margins_beyond_the_scan_are_left_out_where_nothing_is_labelled(tmp_path: Path) -> None:
    wide = np.pad(whole(), ((1, 2), (3, 0), (0, 4)))
    np.testing.assert_array_equal(
        placed(segmentation(tmp_path / "a.seg.nrrd", wide, LIVER, corner=(-1, -3, 0))), whole()
    )
    wide[0, 0, 0] = 1
    with pytest.raises(InputError, match="1 labelled voxels lie beyond the scan"):
        placed(segmentation(tmp_path / "b.seg.nrrd", wide, LIVER, corner=(-1, -3, 0)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"corner": (2, 3.4, 5)}, "corners are up to 0.32 mm apart"),
        ({"step_mm": 0.9}, "spacing differs by up to 0.2 mm"),
    ],
)
def test_voxels_between_those_of_the_scan_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    place = {"corner": (2, 3, 5), **changes}
    path = segmentation(tmp_path / "a.seg.nrrd", whole()[2:4, 3:6, 5:9], LIVER, **place)
    with pytest.raises(InputError, match=f"not on the scan's grid: .*{words}"):
        placed(path)


def test_a_smaller_file_that_is_no_segmentation_is_not_placed(tmp_path: Path) -> None:
    path = segmentation(tmp_path / "a.nrrd", whole()[2:4, 3:6, 5:9], {}, corner=(2, 3, 5))
    with pytest.raises(InputError, match="its size is 4 x 3 x 2"):
        placed(path)


def test_two_cropped_segmentations_are_compared_on_one_grid(tmp_path: Path) -> None:
    first = segmentation(tmp_path / "a.seg.nrrd", whole()[2:4, 3:6, 5:9], LIVER, corner=(2, 3, 5))
    second = segmentation(tmp_path / "b.seg.nrrd", whole()[1:5, 2:6, 6:10], LIVER, corner=(1, 2, 6))
    full = segmentation(tmp_path / "c.nrrd", whole(), {})
    for one, other in ((first, second), (first, full), (full, second)):
        a, b = read_pair(one, other)
        assert a.geometry == b.geometry
        assert np.count_nonzero(a.mask(1)) == 24
        assert np.count_nonzero(a.mask(1) & b.mask(1)) == (24 if second not in (one, other) else 18)


def layers(*segments: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.stack(segments).astype(np.uint8)


TOP, BOTTOM = np.zeros((6, 8, 10), bool), np.zeros((6, 8, 10), bool)
TOP[:3, 2:5], BOTTOM[3:, 4:7] = True, True
BOTH = segment_keys(("liver", 0, 1), ("spleen", 1, 1))


def test_layers_that_do_not_overlap_are_labels(tmp_path: Path) -> None:
    path = segmentation(tmp_path / "a.seg.nrrd", layers(TOP, BOTTOM), BOTH)
    labels = ivos.read_labels(path)
    np.testing.assert_array_equal(labels.array, TOP + 2 * BOTTOM.astype(int))
    assert labels.names == label_names(path) == {1: "liver", 2: "spleen"}
    with pytest.raises(InputError, match=r"2 layers.*labels, and no scan"):
        ivos.read(path)


def test_layers_keep_values_that_differ(tmp_path: Path) -> None:
    voxels = layers(TOP, BOTTOM) * np.array([7, 3], np.uint8)[:, None, None, None]
    keys = segment_keys(("liver", 0, 7), ("spleen", 1, 3))
    labels = ivos.read_labels(segmentation(tmp_path / "a.seg.nrrd", voxels, keys))
    np.testing.assert_array_equal(labels.array, 7 * TOP + 3 * BOTTOM)
    assert labels.names == {3: "spleen", 7: "liver"}


def test_several_segments_in_one_layer_of_two(tmp_path: Path) -> None:
    low = np.zeros_like(TOP)
    low[5, 0] = True
    voxels = layers(TOP, BOTTOM)
    voxels[0][low] = 2
    keys = segment_keys(("liver", 0, 1), ("spleen", 1, 1), ("aorta", 0, 2))
    labels = ivos.read_labels(segmentation(tmp_path / "a.seg.nrrd", voxels, keys))
    np.testing.assert_array_equal(labels.array, TOP + 2 * BOTTOM + 3 * low)
    assert labels.names == {1: "liver", 2: "spleen", 3: "aorta"}


def test_layers_that_overlap_are_refused_by_that_name_or_chosen_from(tmp_path: Path) -> None:
    inner = TOP.copy()
    inner[:, 3:] = False
    path = segmentation(tmp_path / "a.seg.nrrd", layers(TOP, inner), segment_keys(("liver", 0, 1), ("tumour", 1, 1)))
    with pytest.raises(InputError, match=r"'liver' \(1\) and 'tumour' \(2\) overlap"):
        ivos.read_labels(path)
    np.testing.assert_array_equal(ivos.read_labels(path, structures=[1]).array, TOP)
    np.testing.assert_array_equal(ivos.read_labels(path, structures=[2]).array, 2 * inner)
    np.testing.assert_array_equal(ivos.read_labels(path, names={5: "Tumour"}).array, 5 * inner)


def test_layers_that_overlap_are_compared_structure_by_structure(tmp_path: Path) -> None:
    inner = TOP.copy()
    inner[:, 3:] = False
    keys = segment_keys(("liver", 0, 1), ("tumour", 1, 1))
    path = segmentation(tmp_path / "a.seg.nrrd", layers(TOP, inner), keys)
    cropped = segmentation(tmp_path / "b.seg.nrrd", layers(TOP, inner)[:, :3], keys)
    for one, other in ((path, cropped), (cropped, path), (cropped, cropped)):
        a, b = read_pair(one, other)
        assert a.names == b.names == {1: "liver", 2: "tumour"}
        scores = evaluate(a, b)
        assert [score.dsc for score in scores] == [1, 1]
    assert [np.count_nonzero(a.mask(label)) for label in (1, 2)] == [TOP.sum(), inner.sum()]


def test_one_layer_with_its_own_axis(tmp_path: Path) -> None:
    path = segmentation(tmp_path / "a.seg.nrrd", layers(TOP), LIVER)
    np.testing.assert_array_equal(ivos.read_labels(path).array, TOP)
    assert ivos.read_labels(path).names == {1: "liver"}


def test_cropped_layers(tmp_path: Path) -> None:
    voxels = layers(TOP, BOTTOM)[:, :, 2:7]
    path = segmentation(tmp_path / "a.seg.nrrd", voxels, BOTH, corner=(0, 2, 0))
    np.testing.assert_array_equal(placed(path), TOP + 2 * BOTTOM.astype(int))


def test_early_files_that_say_neither_layer_nor_value(tmp_path: Path) -> None:
    keys = {key: value for key, value in BOTH.items() if not key.endswith(("_Layer", "_LabelValue"))}
    labels = ivos.read_labels(segmentation(tmp_path / "a.seg.nrrd", layers(TOP, BOTTOM), keys))
    np.testing.assert_array_equal(labels.array, TOP + 2 * BOTTOM.astype(int))


def test_a_layer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = segmentation(tmp_path / "a.seg.nrrd", layers(TOP, BOTTOM), segment_keys(("liver", 0, 1), ("spleen", 4, 1)))
    with pytest.raises(InputError, match="'spleen' is to be in layer 4"):
        ivos.read_labels(path)


def test_voxels_of_no_segment_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    voxels = layers(TOP, BOTTOM)
    voxels[1, 0, 0, 0] = 9
    with caplog.at_level(logging.WARNING, "ivos"):
        labels = ivos.read_labels(segmentation(tmp_path / "a.seg.nrrd", voxels, BOTH))
    assert "voxels of value 9 in layer 1 belong to no segment" in caplog.text
    np.testing.assert_array_equal(labels.array, TOP + 2 * BOTTOM.astype(int))


def test_names_with_anything_in_them(tmp_path: Path) -> None:
    name = "foie gauche: l'été [1] := x"
    path = segmentation(tmp_path / "a.seg.nrrd", whole(), segment_keys((name, 0, 1)))
    assert label_names(path) == {1: name}
