"""Settings of a segmentation: keys before 0.2 are read, and recorded in manifests and quality models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivos.config import load_settings
from ivos.errors import InputError
from ivos.segmentation.settings import SegmentationSettings

OLD = ["every=2", "at_most=9", "choice=spread", "references=4", "mirrored=true", "combination=max", "agreement=true"]
NEW = [
    "stride=2", "max_slices=9", "reference_selection=spread", "max_references=4", "tta_mirror=true", "ensemble=max",
    "fuse_with_reference=true",
]  # fmt: skip


def test_old_keys_are_taken() -> None:
    old, new = (load_settings(SegmentationSettings, ["reference=[a]", *words]) for words in (OLD, NEW))
    assert old == new
    assert (new.stride, new.max_slices, new.max_references, new.tta_mirror) == (2, 9, 4, True)
    with pytest.raises(InputError, match="stride=0"):
        load_settings(SegmentationSettings, ["reference=[a]", "every=0"])


def test_what_is_recorded_is_what_was_recorded_before() -> None:
    """Checksums of it are in quality models: they must not change."""
    recorded = SegmentationSettings(reference=(Path("a"),)).as_recorded()
    assert json.dumps(recorded, separators=(",", ":")) == (
        '{"combination":"mean","mirrored":false,"every":3,"at_most":null,"choice":"largest-area","references":8,'
        '"fusion":null,"agreement":false,"largest_component":[],"filled":[],"modality":"auto"}'
    )
