"""`ivos video` as a user runs it: what the video shows, that it plays, what is refused."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import ivos as package
from ivos.errors import InputError
from ivos.report.video import Column, Video, check_video, uncertainty_of, write_video
from ivos.types import Axis
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.report.pictures import Picture

SCAN, LABELS = moving_discs()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / name / "a.nii.gz" for name in ("labels", "other", "doubt")}
    paths["scan"] = tmp_path / "scan" / "a_0000.nii.gz"
    package.write(paths["scan"], SCAN)
    package.write(paths["labels"], LABELS.with_array(LABELS.array, {3: "ball", 8: "disc"}))
    package.write(paths["other"], LABELS.with_array(np.where(LABELS.array == 3, LABELS.array, np.uint8(0))))
    package.write(paths["doubt"], LABELS.with_array((LABELS.array > 0).astype(np.uint8) * 200))
    return paths


def coloured(picture: Picture) -> int:
    """Pixels that are not grey."""
    return int((np.ptp(picture.astype(int), axis=-1) > 24).sum())


def test_columns_show_the_same_slice_and_what_belongs_to_them() -> None:
    doubt = LABELS.with_array((LABELS.array == 3).astype(np.uint8) * 200)
    columns = [Column("scan"), Column("a", LABELS), Column("none", LABELS.with_array(LABELS.array * 0))]
    frame = Video(SCAN, [*columns, Column("doubt", uncertainty=doubt)], Axis.AXIAL, 200).frame(6)
    scan, labels, none, uncertain = (frame[30:230, left : left + 200] for left in range(0, 816, 204))
    assert coloured(scan) == coloured(none) == 0
    assert coloured(labels) > coloured(uncertain) > 0
    np.testing.assert_array_equal(scan, none)
    outside = np.ptp(labels.astype(int), axis=-1) < 5
    assert np.abs(labels[outside].astype(int) - scan[outside]).max() < 30  # the same window, the same crop


def test_proportions_are_the_patients_and_the_head_is_up() -> None:
    marked = np.full(SCAN.array.shape, -40, np.int16)
    marked[-1] = 240  # the slice nearest to the head
    video = Video(SCAN.with_array(marked), [Column("scan")], Axis.CORONAL, 320)
    frame = video.frame(20)
    height, _ = frame.shape[:2]
    assert abs((height - 26) / 320 - 12 * 2 / 64) < 0.02  # 12 slices of 2 mm over 64 pixels of 1 mm
    assert frame[32, 150].mean() > 200 > 120 > frame[-6, 150].mean()


def test_the_labelled_part_is_shown_and_else_all() -> None:
    array = np.zeros((40, 8, 8), np.uint8)
    array[20:23] = 1
    grid = Volume.from_array(array, Geometry((40, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    assert Video(grid, [Column("a", grid)], Axis.AXIAL, 64).indices == list(range(17, 26))
    assert Video(grid, [Column("scan")], Axis.AXIAL, 64).indices == list(range(40))


def test_an_mp4_plays(files: dict[str, Path], tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    video = tmp_path / "video.mp4"
    shown = ("--labels", files["labels"], "--labels", files["other"], "--truth", files["labels"])
    done = ivos("video", files["scan"], "-o", video, *shown, "--uncertainty", files["doubt"])
    assert done.returncode == 0, done
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    content = video.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays before it is all there
    assert len(frames) == 12
    assert frames[0].shape[1] < 3 * 460  # five columns in two rows
    moved = [np.abs(frame.astype(int) - frames[0]).mean() for frame in frames]
    assert moved[-1] > moved[1] > 0


def test_an_mp4_has_even_sides_whatever_the_scan_has(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    scan = Volume.from_array(
        np.full((3, 61, 64), 200, np.int16), Geometry((3, 61, 64), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    )
    write_video(tmp_path / "video.MP4", scan, [Column("scan")], axis=Axis.AXIAL)
    with av.open(str(tmp_path / "video.MP4")) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(448, 454)] * 3  # of 427 and the title's 26


def test_a_folder_of_scans_gives_a_film_each(files: dict[str, Path], tmp_path: Path) -> None:
    package.write(files["scan"].with_name("b.nii.gz"), SCAN)
    (files["labels"].parent / "b.nii.gz").write_bytes(files["labels"].read_bytes()[:200])
    done = ivos("video", tmp_path / "scan", "-o", tmp_path / "videos", "--labels", tmp_path / "labels")
    assert done.returncode == 1, done
    assert done.stderr.splitlines()[-1] == "1 of 2 done; 1 failed: b"
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["a.gif"]
    with Image.open(tmp_path / "videos" / "a.gif") as video:
        assert video.n_frames == 12  # type: ignore[attr-defined]
        assert video.size[0] == 2 * 320 + 4


def test_a_long_gif_is_thinned_out(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-100, 200, (200, 4, 4)).astype(np.int16)
    grid = Geometry((200, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    told: list[tuple[int, int]] = []
    scan = Volume.from_array(array, grid)
    write_video(tmp_path / "a.gif", scan, [Column("scan")], axis=Axis.AXIAL, progress=lambda *n: told.append(n))
    assert told[-1] == (67, 67)


def test_what_cannot_be_filmed_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    video = tmp_path / "video.gif"
    assert "a video is a .gif or .mp4 file" in refused("video", files["scan"], "-o", tmp_path / "video.avi")
    package.write(
        tmp_path / "small.nii.gz",
        Volume.from_array(LABELS.array[:6], Geometry((6, 64, 64), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))),
    )
    assert "grid" in refused("video", files["scan"], "-o", video, "--labels", tmp_path / "small.nii.gz")
    assert "uncertainty is 0 to 255" in refused("video", files["scan"], "-o", video, "--uncertainty", files["scan"])
    assert "is a folder" in refused("video", files["scan"], "-o", video, "--truth", tmp_path / "labels")
    package.write(tmp_path / "scan" / "b.nii.gz", SCAN)
    told = refused("video", tmp_path / "scan", "-o", tmp_path / "videos", "--truth", tmp_path / "labels")
    assert "nothing of 1 of 2 scans: b" in told
    assert not video.exists()


def test_uncertainty_as_whole_numbers_or_fractions() -> None:
    half = SCAN.with_array(np.full(SCAN.array.shape, 0.5, np.float32))
    assert (uncertainty_of(half, "u").array == 128).all()
    with pytest.raises(InputError, match=r"u: voxels of 1.5 to 1.5; uncertainty is 0 to 255"):
        uncertainty_of(half.with_array(half.array * 3), "u")


def test_mp4_without_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'ivos\[video\]'"):
        check_video(tmp_path / "video.mp4")
    check_video(tmp_path / "video.gif")
