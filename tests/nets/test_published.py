"""The table of published weights; and files that are recognised, checked, and written under our names."""

from __future__ import annotations

import json
import re
import zlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from ivos.errors import InputError
from ivos.nets.checkpoints import load_fast, load_stcn, load_xmem, read_weights
from ivos.nets.fast import FastNet
from ivos.nets.fusion import FusionNet
from ivos.nets.imagenet import load_resnet
from ivos.nets.published import PUBLISHED, published
from ivos.nets.recognise import RecognisedWeights, recognise
from ivos.nets.reference_file import ReferenceInfo, load_reference, load_weights, save_reference
from ivos.nets.resnet import BasicBlock, Bottleneck, ResNet
from ivos.nets.stcn import STCN
from ivos.nets.transunet import TransUNet
from tests.nets.test_checkpoints import official
from tests.nets.test_transunet import in_tensorflow_order

if TYPE_CHECKING:
    from pathlib import Path

Weights = dict[str, torch.Tensor]


def test_the_table() -> None:
    for column in ("name", "file", "address"):
        assert len({getattr(known, column) for known in PUBLISHED}) == len(PUBLISHED)
    for known in PUBLISHED:
        assert published(known.name) is known
        assert known.address.startswith("https://")
        assert known.sha256 is None or re.fullmatch("[0-9a-f]{8,64}", known.sha256)
        in_name = re.search(r"-([0-9a-f]{8})\.pth$", known.file)
        assert in_name is None or (known.sha256 or "").startswith(in_name[1])
    with pytest.raises(InputError, match="choose one of stcn"):
        published("sctn")


def light(network: nn.Module) -> Weights:
    """Names and shapes of a network's weights, each with one number of its own all over, so that files are small."""
    state = network.half().state_dict()
    return {
        name: torch.tensor(zlib.crc32(name.encode()) % 512, dtype=value.dtype).expand(value.shape)
        for name, value in state.items()
    }


def stored(weights: Any, path: Path) -> Path:
    torch.save(weights, path)
    return path


def imported(path: Path) -> tuple[RecognisedWeights, Path]:
    found, to = recognise(path)[-1], path.with_name("imported.safetensors")
    assert found.save is not None
    assert found.used_by is not None
    found.save(to)
    return found, to


def assert_same(found: nn.Module, expected: Weights) -> None:
    for name, value in expected.items():
        assert torch.equal(found.state_dict()[name], value.to(found.state_dict()[name].dtype)), name


def ivos_names(weights: Weights) -> Weights:
    return {
        re.sub(r"^value_encoder\.resnet\.", "value_encoder.model.", name)
        .replace("key_encoder.", "key_encoder.model.")
        .replace("key_proj.", "key_proj.key_proj."): value
        for name, value in weights.items()
    }


@pytest.mark.parametrize("names", ["official names", "names of IVOS", "our names"])
def test_stcn_under_any_names_loads_as_stcn(tmp_path: Path, names: str) -> None:
    of_ivos = names == "names of IVOS"
    weights = light(STCN(attention=not of_ivos, key_bias=of_ivos))
    given = {"official names": official, "names of IVOS": ivos_names}.get(names, dict)(weights)
    found, path = imported(stored(given, tmp_path / "w.pth"))
    assert found.what == f"STCN under {names}"
    assert_same(load_stcn(path), weights)


def test_stcn_for_one_object(tmp_path: Path) -> None:
    weights, first = light(STCN()), "value_encoder.resnet.conv1.weight"
    weights[first] = weights[first][:, :4]
    loaded = load_stcn(imported(stored(weights, tmp_path / "w.pth"))[1])
    assert not loaded.state_dict()[first][:, 4].any()


def test_the_fast_network_keeps_its_precision(tmp_path: Path) -> None:
    weights = light(FastNet())
    found, path = imported(stored(weights, tmp_path / "w.pth"))
    assert "fast" in found.what
    assert read_weights(path)["presence.weight"].dtype is torch.float16
    assert_same(load_fast(path), weights)


@pytest.mark.parametrize("deep", [True, False])
def test_resnets_lose_the_stage_that_is_not_used(tmp_path: Path, deep: bool) -> None:
    block, depths = (Bottleneck, (3, 4, 6)) if deep else (BasicBlock, (2, 2, 2))
    weights = light(ResNet(block, depths, 3, conv_bias=False))
    rest = {"layer4.0.conv1.weight": torch.zeros(2), "fc.weight": torch.zeros(2)}
    found, path = imported(stored(weights | rest, tmp_path / "w.pth"))
    assert f"ResNet-{50 if deep else 18}" in found.what
    loaded = ResNet(block, depths, 3, conv_bias=False)
    load_resnet(loaded, path)
    assert_same(loaded, weights)


def test_another_resnet_is_refused(tmp_path: Path) -> None:
    path = stored(light(ResNet(BasicBlock, (3, 4, 6), 3, conv_bias=False)), tmp_path / "resnet34.pth")
    with pytest.raises(InputError, match=r"unknown \(layer1\.2"):
        recognise(path)


def test_transunet_of_ivos_becomes_a_reference_network(tmp_path: Path) -> None:
    weights = light(TransUNet(14, size=64))
    found, path = imported(stored({"model": weights}, tmp_path / "w.pth"))
    assert "TransUNet of IVOS, 13 structures at 64 pixels" in found.what
    network, info = load_reference(path)
    assert (info.network, info.size, info.neighbours) == ("transunet", 64, 0)
    assert (info.structures, info.names[1], info.names[13]) == (tuple(range(1, 14)), "liver", "kidney_left")
    assert_same(network, {f"network.{name}": value for name, value in weights.items()})
    load_weights(network, path)  # as `ivos train reference init=` does


def test_the_pair_of_ivos_gives_two_networks(tmp_path: Path) -> None:
    pytest.importorskip("segmentation_models_pytorch")
    info = ReferenceInfo(network="deeplab", structures=(1, 2), names={}, size=512, neighbours=0)
    weights = light(info.made())
    second = {name.removeprefix("model."): value for name, value in weights.items()}
    second["encoder._conv_head.weight"] = torch.zeros(2)
    path = stored({"model1": light(FusionNet()), "model2": second}, tmp_path / "w.pth")  # TransUNet takes seconds
    first, found = recognise(path)
    assert (first.part, found.part) == ("model1", "model2")
    assert first.what == "fusion of MiVOS"
    assert found.save is not None
    found.save(tmp_path / "deeplab.safetensors")
    network, what_for = load_reference(tmp_path / "deeplab.safetensors")
    assert what_for == info
    assert_same(network, weights)


def test_our_own_reference_network_keeps_what_it_is_for(tmp_path: Path) -> None:
    info = ReferenceInfo(network="small", structures=(1, 6), names={1: "liver"}, size=96, neighbours=1)
    network = info.made()
    save_reference(network, info, tmp_path / "w.safetensors")
    loaded, what_for = load_reference(imported(tmp_path / "w.safetensors")[1])
    assert what_for == info
    assert_same(loaded, network.state_dict())


def test_the_published_vision_transformer_is_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "R50+ViT-B_16.npz"
    np.savez(path, **cast("Any", in_tensorflow_order(TransUNet(2, size=64).half(), 14)))
    (found,) = recognise(path)
    assert found.save is None
    assert "imagenet=FILE" in (found.used_by or "")


@pytest.mark.parity
def test_the_published_xmem_is_imported_under_our_names_as_it_is(parity_folder: Path, tmp_path: Path) -> None:
    shapes = json.loads((parity_folder / "xmem_state_dict.json").read_text())
    own_first = torch.arange(1600).roll(1024)[None, :, None, None]  # our number of each of the official input channels
    given = {name: torch.zeros((), dtype=torch.float16).expand(shape) for name, shape in shapes.items()}
    joining = "decoder.fuser.block1.conv1.weight"
    given[joining] = own_first.half().expand(shapes[joining])
    found, path = imported(stored(given, tmp_path / "w.pth"))
    assert found.what == "XMem under official names"
    assert found.used_by == "ivos propagate --engine xmem --checkpoint FILE"
    (again,) = recognise(path)
    assert again.what == "XMem under our names"
    assert torch.equal(load_xmem(path).state_dict()[joining][0, :, 0, 0], torch.arange(1600).half().float())


def test_half_a_network_is_refused(tmp_path: Path) -> None:
    for name, network, missing in (
        ("STCN", STCN(), "decoder.compress.conv1.weight"),
        ("FastNet", FastNet(), "key.weight"),
    ):
        weights = light(network)
        del weights[missing]
        with pytest.raises(InputError, match=f"not the weights of {name}: 1 missing"):
            recognise(stored(weights, tmp_path / "w.pth"))


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not of a network that ivos knows: it begins with weight"):
        recognise(stored(nn.Linear(2, 3).state_dict(), tmp_path / "w.pth"))
    for name, words in (
        ("a.pth", "no such"),
        ("a.npz", "no such"),
        ("a.zip", "unpack it"),
        ("a.safetensors", "no such"),
    ):
        with pytest.raises(InputError, match=words):
            recognise(tmp_path / name)
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a whole safetensors file"):
        recognise(tmp_path / "a.safetensors")
