"""TransUNet: what was published, other sizes, and where pretrained weights come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from ivos.errors import InputError
from ivos.nets.imagenet import load_imagenet
from ivos.nets.transunet import TransUNet
from tests.nets.weights import published


@pytest.mark.parity
def test_parity(parity_folder: Path) -> None:
    network = TransUNet(14, size=128)
    network.load_state_dict(published(parity_folder / "transunet_pe_state_dict_128.json"), strict=True)
    image = np.random.Generator(np.random.PCG64(3)).random((2, 3, 128, 128)).astype(np.float32)
    with torch.inference_mode():
        logits = network.eval()(torch.from_numpy(image), torch.tensor([0.25, 0.75])).numpy()
    expected = np.load(parity_folder / "transunet_pe_forward.npz")["logits"].astype(np.float32)
    assert np.abs(logits - expected).max() < 1e-2


def test_sizes_other_than_its_own_and_without_position() -> None:
    torch.manual_seed(0)
    network = TransUNet(3, size=64, position=False).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 96, 48)).shape == (1, 3, 96, 48)
    with pytest.raises(ValueError, match="positions"):
        TransUNet(3, size=64)(torch.rand(1, 3, 64, 64))


def in_tensorflow_order(network: TransUNet, grid: int) -> dict[str, np.ndarray]:
    """The published file's arrays, from a network whose weights are known."""
    arrays: dict[str, np.ndarray] = {"cls": np.zeros((1, 1, 768)), "head/bias": np.zeros(21843)}
    for name, value in network.transformer.state_dict().items():
        array = value.numpy()
        if name == "embeddings.position_embeddings":
            places = np.concatenate([np.full((1, 1, 768), 9.0), np.repeat(array[:, :1], grid * grid, 1)], 1)
            arrays["Transformer/posembed_input/pos_embedding"] = places
            continue
        kind, parts = ("bias" if name.endswith("bias") else "kernel"), name.split(".")
        if "norm" in name or ".gn" in name:
            kind = "bias" if name.endswith("bias") else "scale"
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        if "hybrid_model.root" in name:
            arrays[f"{parts[3]}_root/{kind}"] = array
        elif "hybrid_model.body" in name:
            layer = {"downsample": "conv_proj"}.get(parts[5], parts[5])
            arrays[f"{parts[3]}/{parts[4]}/{layer}/{kind}"] = array
        elif "patch_embeddings" in name:
            arrays[f"embedding/{kind}"] = array
        elif "encoder_norm" in name:
            arrays[f"Transformer/encoder_norm/{kind}"] = array
        else:
            block = f"Transformer/encoderblock_{parts[2]}"
            if parts[3] == "attn":
                heads = {"bias": (768,) if parts[4] == "out" else (12, 64)}.get(kind)
                shape = heads or ((12, 64, 768) if parts[4] == "out" else (768, 12, 64))
                arrays[f"{block}/MultiHeadDotProductAttention_1/{parts[4]}/{kind}"] = array.T.reshape(shape)
            elif parts[3] == "ffn":
                arrays[f"{block}/MlpBlock_3/Dense_{int(parts[4][-1]) - 1}/{kind}"] = array.T
            else:
                arrays[f"{block}/LayerNorm_{0 if parts[3] == 'attention_norm' else 2}/{kind}"] = array
    return arrays


def test_imagenet_weights_load_into_a_grid_of_another_size(tmp_path: Path) -> None:
    torch.manual_seed(1)
    source, target = TransUNet(3, size=64), TransUNet(5, size=96)
    with torch.no_grad():
        source.transformer.embeddings.position_embeddings.normal_()
    np.savez(tmp_path / "R50+ViT-B_16.npz", **cast("Any", in_tensorflow_order(source, 14)))
    load_imagenet(target, tmp_path / "R50+ViT-B_16.npz")
    loaded = target.transformer.state_dict()
    for name, value in source.transformer.state_dict().items():
        expected = value[:, :1].expand(-1, 36, -1) if name.endswith("position_embeddings") else value
        torch.testing.assert_close(loaded[name], expected)
    with torch.no_grad():
        source.transformer.encoder.encoder_norm.weight[0] = float("nan")
    np.savez(tmp_path / "spoilt.npz", **cast("Any", in_tensorflow_order(source, 14)))
    with pytest.raises(InputError, match=r"spoilt\.npz: 1 of \d+ weights are not finite"):
        load_imagenet(target, tmp_path / "spoilt.npz")


def test_other_files_are_refused(tmp_path: Path) -> None:
    network = TransUNet(3, size=64)
    with pytest.raises(InputError, match="no such weights"):
        load_imagenet(network, tmp_path / "nothing.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(InputError, match="truncated"):
        load_imagenet(network, tmp_path / "broken.npz")
    np.savez(tmp_path / "other.npz", **cast("Any", {"conv_root/kernel": np.zeros((7, 7, 3, 32))}))
    with pytest.raises(InputError, match="not the weights of R50-ViT-B/16"):
        load_imagenet(network, tmp_path / "other.npz")
