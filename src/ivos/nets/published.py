"""Published weights that ivos knows: what they are, where their authors keep them, what takes them.

Addresses are those that the authors' own repositories name. Licences are those of the repositories, as hardly anyone
names one for weights. What could not be verified is None. Sources:

    STCN: README.md and download_model.py of hkchengrex/STCN; the licence: its issue 4.
    XMem: docs/INFERENCE.md and LICENSE of hkchengrex/XMem, release v1.0.
    Scribble-to-mask and fusion: download_model.py of hkchengrex/MiVOS, branches main and MiVOS-STCN.
    ResNets: torchvision.models, whose documentation says that weights may have terms of their own, from ImageNet; the
        names of the files hold the first eight digits of the checksums, many projects report all of them.
    R50-ViT-B/16: the bucket that README.md of google-research/vision_transformer names; its LICENSE.
    IVOS: tools/scripts/download_weights.sh of kaylode/ivos.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivos.errors import InputError

_INTO_STCN = "ivos propagate --engine stcn --checkpoint FILE, ivos train propagation network.name=stcn init=FILE"
_INTO_REFERENCE = "ivos segment --reference FILE, ivos train reference init=[FILE]"
_INTO_STROKES = "ivos annotate --strokes FILE"
_INTO_FUSION = "in Python: ivos.propagation.corrections.difference_aware.DifferenceAware(load_fusion(FILE))"
_INTO_STCN_ENCODERS = "ivos train propagation network.name=stcn network.imagenet=[RESNET50,RESNET18]"


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that others publish.

    Attributes:
        name: to ask for them by.
        what: they are.
        file: their name in a folder or on a mirror.
        address: of the file.
        page: of its authors.
        licence: of the authors' repository, None where it is not known.
        sha256: of the file, or its first digits; None where it is not known.
        used_by: the commands that take the file.
    """

    name: str
    what: str
    file: str
    address: str
    page: str
    licence: str | None
    sha256: str | None
    used_by: str


def _on_drive(file: str) -> str:
    """The address behind Google Drive's page that asks whether a large file is really wanted."""
    return f"https://drive.usercontent.google.com/download?id={file}&export=download&confirm=t"


PUBLISHED = (
    PublishedWeights(
        name="stcn",
        what="STCN, the official weights (s012): still images, BL30K, YouTubeVOS and DAVIS",
        file="stcn.pth",
        address=_on_drive("1mRrE0uCI2ktdWlUgapJI_KmgeIiF2eOm"),
        page="https://github.com/hkchengrex/STCN",
        licence="GPL-3.0 (its author's word of 2021)",
        sha256=None,
        used_by=_INTO_STCN,
    ),
    PublishedWeights(
        name="ivos-stcn",
        what="STCN of IVOS, on FLARE22: an archive; unpack it, then ivos weights import the file in it",
        file="stcn.zip",
        address=_on_drive("1G6HyltLY7ReznIAHc2OtcIenr699frmP"),
        page="https://github.com/kaylode/ivos",
        licence=None,
        sha256=None,
        used_by=_INTO_STCN,
    ),
    PublishedWeights(
        name="ivos-cps",
        what="reference networks of IVOS, on FLARE22: an archive; unpack it, then ivos weights import the file in it",
        file="cps.zip",
        address=_on_drive("1M9sLUbKlw2k-TTDljG-zB5OuwAjHWAFH"),
        page="https://github.com/kaylode/ivos",
        licence=None,
        sha256=None,
        used_by=_INTO_REFERENCE,
    ),
    PublishedWeights(
        name="resnet50",
        what="ResNet-50 of torchvision on ImageNet (IMAGENET1K_V1)",
        file="resnet50-0676ba61.pth",
        address="https://download.pytorch.org/models/resnet50-0676ba61.pth",
        page="https://pytorch.org/vision/stable/models.html",
        licence=None,
        sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        used_by=_INTO_STCN_ENCODERS,
    ),
    PublishedWeights(
        name="resnet18",
        what="ResNet-18 of torchvision on ImageNet (IMAGENET1K_V1)",
        file="resnet18-f37072fd.pth",
        address="https://download.pytorch.org/models/resnet18-f37072fd.pth",
        page="https://pytorch.org/vision/stable/models.html",
        licence=None,
        sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        used_by=_INTO_STCN_ENCODERS,
    ),
    PublishedWeights(
        name="r50-vit-b16",
        what="R50-ViT-B/16 of Google on ImageNet-21k, for the encoder of TransUNet",
        file="R50+ViT-B_16.npz",
        address="https://storage.googleapis.com/vit_models/imagenet21k/R50%2BViT-B_16.npz",
        page="https://github.com/google-research/vision_transformer",
        licence="Apache-2.0",
        sha256=None,
        used_by="ivos train reference networks=[transunet] imagenet=FILE",
    ),
    PublishedWeights(
        name="xmem",
        what="XMem, the official weights",
        file="XMem.pth",
        address="https://github.com/hkchengrex/XMem/releases/download/v1.0/XMem.pth",
        page="https://github.com/hkchengrex/XMem",
        licence="MIT",
        sha256=None,
        used_by="ivos propagate --engine xmem --checkpoint FILE",
    ),
    PublishedWeights(
        name="s2m",
        what="scribble-to-mask of MiVOS",
        file="s2m.pth",
        address=_on_drive("1HKwklVey3P2jmmdmrACFlkXtcvNxbKMM"),
        page="https://github.com/hkchengrex/MiVOS",
        licence=None,
        sha256=None,
        used_by=_INTO_STROKES,
    ),
    PublishedWeights(
        name="fusion",
        what="fusion of MiVOS, trained beside its own propagation",
        file="fusion.pth",
        address=_on_drive("1Lc1lI5-ix4WsCRdipACXgvS3G-o0lMoz"),
        page="https://github.com/hkchengrex/MiVOS",
        licence=None,
        sha256=None,
        used_by=_INTO_FUSION,
    ),
    PublishedWeights(
        name="fusion-stcn",
        what="fusion of MiVOS, trained beside STCN",
        file="fusion_stcn.pth",
        address=_on_drive("1MAbWHrOjlze9vPQdW-HxMnvjPpaZlfLv"),
        page="https://github.com/hkchengrex/MiVOS/tree/MiVOS-STCN",
        licence=None,
        sha256=None,
        used_by=_INTO_FUSION,
    ),
)


def published(name: str) -> PublishedWeights:
    """The weights of that name.

    Raises:
        InputError: no known ones.
    """
    for weights in PUBLISHED:
        if weights.name == name:
            return weights
    raise InputError(f"'{name}': not known; choose one of {', '.join(weights.name for weights in PUBLISHED)}")
