"""`ivos train fusion`: corrections are simulated, made once, and learned from; a run goes on where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.errors import InputError
from ivos.nets.checkpoints import load_fusion
from ivos.nets.fusion import OURS
from ivos.phantom import Phantom
from ivos.propagation.corrections.correct import new_replaces_old
from ivos.propagation.engines.nearest import NearestEngine
from ivos.training.fusion.data import FusionData, load_samples
from ivos.training.fusion.samples import Samples, read_samples, record_samples
from ivos.training.fusion.sessions import Session
from ivos.training.fusion.settings import FusionSettings
from ivos.training.fusion.train import train_fusion
from tests.cli.runner import ivos
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 1_000_000  # number of the first session of seed 0


def session(seed: int) -> Session:
    """A session on discs that move while their masks do not."""
    begun = Session.start(Phantom(*moving_discs(slices=16)), np.random.default_rng(seed), NearestEngine())
    assert begun is not None
    return begun


def test_corrections_go_to_the_worst_slice_and_help() -> None:
    work = session(3)
    before = work.dsc()
    for _ in range(2):
        place = work.worst()
        assert place not in work.annotations.slices
        work.correct(place, NearestEngine(), new_replaces_old)
        assert place in work.annotations.slices
    assert np.mean(work.dsc()) > np.mean(before)


def test_what_is_recorded_is_what_there_was_to_decide() -> None:
    first, second = (record_samples(session(1), np.random.default_rng(0), NearestEngine()) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.planes, second.planes)
    old, new, true = (first.planes[:, plane] > 127 for plane in (3, 4, 7))
    assert (old != new).any(axis=(1, 2)).all()
    assert true.any(axis=(1, 2)).mean() > 0.5
    np.testing.assert_allclose(first.shares.sum(axis=1), 1, atol=1e-6)


def fake(path: Path, seed: int) -> None:
    """Samples in which the new mask is true."""
    rng = np.random.default_rng(seed)
    planes = rng.integers(0, 256, (6, 8, 96, 96)).astype(np.uint8)
    planes[:, 3:] = 255 * (planes[:, 3:] > 127)
    planes[:, 7] = planes[:, 4]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, planes=planes, shares=np.full((6, 2), 0.5, np.float32))


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_a_run_stopped_and_taken_up_again(tmp_path: Path) -> None:
    for number in (0, FIRST):
        fake(tmp_path / "samples" / f"{number:08d}.npz", number)
    done = ivos("train", "fusion", "-o", tmp_path, "scans=1", "batch=4", "validate_every=2", "steps=2")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "fusion.safetensors") in done.stdout
    again = FusionSettings(scans=1, batch=4, validate_every=2, steps=4)
    train_fusion(again, tmp_path)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 4
    assert load_fusion(tmp_path / "fusion.safetensors").fold == OURS
    with pytest.raises(InputError, match="holds a run with scans=1, not 2"):
        train_fusion(again.model_copy(update={"scans": 2}), tmp_path)


def test_damaged_samples_are_named(tmp_path: Path) -> None:
    path = tmp_path / f"{FIRST:08d}.npz"
    fake(path, 0)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=f"{FIRST}.npz: damaged samples; delete the file"):
        load_samples(tmp_path, range(FIRST, FIRST + 1), NearestEngine())


def test_scans_in_which_nothing_is_decided(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / f"{FIRST:08d}.npz")
    assert read_samples(tmp_path / f"{FIRST:08d}.npz") is None
    with pytest.raises(InputError, match="no usable training samples from 1 scan; increase scans"):
        load_samples(tmp_path, range(FIRST, FIRST + 1), NearestEngine())


def test_samples_are_turned_but_never_torn_apart() -> None:
    planes = np.zeros((1, 8, 8, 8), np.uint8)
    planes[0, :, 1, 2] = 255
    plain, turned = (FusionData([Samples(planes, np.ones((1, 2), np.float32))], seed) for seed in (None, 0))
    torch.testing.assert_close(plain[0][0], torch.from_numpy(planes[0]).float() / 255)
    places = set()
    for number in range(30):
        seen, _ = turned[number]
        torch.testing.assert_close(seen, turned[number][0])
        (place,) = torch.nonzero(seen[7]).tolist()
        assert torch.nonzero(seen[3:]).tolist() == [[k, *place] for k in range(5)]
        places.add(tuple(place))
    assert len(places) == 8  # every turn and mirror image of an off-centre point
