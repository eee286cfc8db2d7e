"""Label schemes: which id stands for which structure, in which colour; and the way from one scheme to another."""

from __future__ import annotations

import colorsys
import json
import zlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.volume import Volume

Colour = tuple[int, int, int]

BUNDLED = ("flare22", "amos", "btcv", "totalsegmentator")
"""The schemes that come with ivos: FLARE22, AMOS22, BTCV, and TotalSegmentator's ``total`` task, version 2."""

IGNORE = 255
"""The id that ivos gives to voxels of which nothing is said where no structure has it; it never goes without its name.

Such voxels are neither a structure nor background: training and scores pass over them. What makes a label one of these
is its name, :data:`IGNORE_NAME`, and nothing else: a 255 without it is a structure like any other.
"""

IGNORE_NAME = "ignore"

_SYNONYMS = {
    "postcava": "inferior_vena_cava",
    "ivc": "inferior_vena_cava",
    "oesophagus": "esophagus",
    "gall_bladder": "gallbladder",
    "bladder": "urinary_bladder",
    "adrenal_right": "adrenal_gland_right",
    "adrenal_left": "adrenal_gland_left",
    "portal_and_splenic_veins": "portal_vein_and_splenic_vein",
    "portal_vein_and_splenic_veins": "portal_vein_and_splenic_vein",
    "prostate_uterus": "prostate_or_uterus",
}

_COLOURS: dict[str, Colour] = {
    "liver": (214, 110, 82),
    "kidney_right": (236, 200, 75),
    "kidney_left": (247, 226, 120),
    "spleen": (157, 108, 196),
    "pancreas": (240, 164, 96),
    "aorta": (230, 57, 70),
    "inferior_vena_cava": (76, 132, 214),
    "adrenal_gland_right": (64, 196, 168),
    "adrenal_gland_left": (124, 222, 196),
    "gallbladder": (104, 190, 74),
    "esophagus": (206, 140, 222),
    "stomach": (244, 138, 180),
    "duodenum": (88, 196, 228),
    IGNORE_NAME: (128, 128, 128),
}


@dataclass(frozen=True)
class Label:
    """A structure's id in label volumes, its name, and its colour as red, green, blue of 0..255."""

    id: int
    name: str
    colour: Colour


@dataclass(frozen=True)
class LabelScheme:
    """The labels of a data set, by ascending id."""

    name: str
    labels: tuple[Label, ...]

    @property
    def names(self) -> dict[int, str]:
        """Names by id."""
        return {label.id: label.name for label in self.labels}

    def colour(self, label: int) -> Colour:
        """The colour of an id; one that the scheme does not have gets a colour of its own, always the same."""
        found = next((entry.colour for entry in self.labels if entry.id == label), None)
        return found if found is not None else _colour_of(f"label {label}")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: int = Field(ge=1)
    name: str = Field(min_length=1)
    color: tuple[int, int, int] | None = None


_ENTRIES = TypeAdapter(list[_Entry])


@cache
def bundled_scheme(name: str) -> LabelScheme:
    """One of the :data:`BUNDLED` schemes.

    Raises:
        InputError: there is none of that name.
    """
    if name not in BUNDLED:
        raise InputError(f"label scheme '{name}': choose one of {', '.join(BUNDLED)}, or give a JSON file")
    table = json.loads(files("ivos.volume").joinpath(f"schemes/{name}.json").read_text("utf-8"))
    return scheme_from_names({int(label): called for label, called in table.items()}, name)


def scheme_from_names(names: Mapping[int, str], name: str = "labels") -> LabelScheme:
    """A scheme from names by id, as a file may carry them; colours go by the names."""
    return LabelScheme(name, tuple(Label(i, called, _colour_of(called)) for i, called in sorted(names.items())))


def load_scheme(path: Path) -> LabelScheme:
    """The user's own scheme from JSON.

    Args:
        path: ``{"1": "liver", ...}``, ``{"liver": 1, ...}``, either of them under ``"labels"`` (as in nnU-Net's
            ``dataset.json``), or ``{"labels": [{"id": 1, "name": "liver", "color": [200, 100, 80]}, ...]}``; id 0
            is the background and may be named.

    Raises:
        InputError: not there, not JSON, or not of that kind.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        content = content.get("labels", content) if isinstance(content, dict) else content
        entries = _ENTRIES.validate_python(_as_entries(content))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: not a label scheme: {where}: {first['msg'].lower()}") from error
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: not a label scheme: write it like {{"1": "liver", "2": "spleen"}}') from error
    if len({entry.id for entry in entries}) < len(entries):
        raise InputError(f"{path}: the same id is named twice")
    labels = [Label(e.id, e.name, e.color or _colour_of(e.name)) for e in sorted(entries, key=lambda e: e.id)]
    return LabelScheme(path.stem, tuple(labels))


def structures_in(array: npt.NDArray[Any], names: Mapping[int, str] | None = None) -> list[int]:
    """Ids of the structures in a label array of any shape, ascending: neither background nor what is named "ignore".

    Args:
        array: label ids.
        names: of them; without any, all ids above 0 are structures.
    """
    ignored = ignored_ids(names or {})
    return [int(label) for label in np.unique(array) if label > 0 and int(label) not in ignored]


def ignored_ids(names: Mapping[int, str]) -> frozenset[int]:
    """The label ids that are named "ignore"."""
    return frozenset(label for label, name in names.items() if canonical_name(name) == IGNORE_NAME)


def ignored_in(labels: Volume) -> npt.NDArray[np.bool_]:
    """The voxels (Z, Y, X) of which labels say that nothing is said of them."""
    mask: npt.NDArray[np.bool_] = np.isin(labels.array, list(ignored_ids(labels.names)))
    return mask


def with_ignore(labels: Volume, names: Mapping[int, str]) -> Volume:
    """Labels with what is named "ignore" elsewhere named so; their own names go before it.

    Args:
        labels: label ids, with the names that their file has for them.
        names: ids to names from elsewhere, a data set's for example.
    """
    more = {label: IGNORE_NAME for label in ignored_ids(names) if label not in labels.names}
    return labels.with_array(labels.array, {**labels.names, **more}) if more else labels


def ignoring(labels: Volume, label: int | None) -> Volume:
    """Labels of which a person says that one of them is "ignore", whatever their file calls it."""
    return labels if label is None else labels.with_array(labels.array, {**labels.names, label: IGNORE_NAME})


def without_ignored(labels: Volume) -> Volume:
    """Labels that are background where nothing is said, with the names of structures alone."""
    ignored = ignored_ids(labels.names)
    if not ignored:
        return labels
    names = {label: name for label, name in labels.names.items() if label not in ignored}
    return labels.with_array(np.where(ignored_in(labels), labels.array.dtype.type(0), labels.array), names)


def ignore_id(structures: Iterable[int]) -> int:
    """An id for "ignore" beside some structures: :data:`IGNORE`, or where that is one of them the next above all."""
    taken = set(structures)
    return max(taken) + 1 if IGNORE in taken else IGNORE


def mapping(source: LabelScheme, target: LabelScheme) -> dict[int, int]:
    """Ids of the source to ids of the target for the same structure, under whichever of its usual names.

    A structure that the target does not have is left out.
    """
    wanted = {canonical_name(label.name): label.id for label in target.labels}
    pairs = {label.id: wanted.get(canonical_name(label.name)) for label in source.labels}
    return {old: new for old, new in pairs.items() if new is not None}


def apply_mapping(array: npt.NDArray[Any], ids: Mapping[int, int]) -> npt.NDArray[Any]:
    """Label ids replaced by others; ids that the mapping does not have become 0, background.

    Args:
        array: whole numbers of any shape.
        ids: old ids to new ones.

    Returns:
        The smallest unsigned type that holds the new ids.

    Raises:
        InputError: the array is not of whole numbers.
    """
    if array.dtype.kind not in "bui":
        raise InputError(f"label ids of type {array.dtype}; give whole numbers, as ivos.read_labels does")
    present, where = np.unique(array, return_inverse=True)
    dtype = np.min_scalar_type(max(ids.values(), default=0))
    replaced: npt.NDArray[Any] = np.array([ids.get(int(old), 0) for old in present], dtype)[where]
    return replaced.reshape(array.shape)


def canonical_name(name: str) -> str:
    """One spelling for a structure: ``Right Kidney`` and ``kidney-right`` are both ``kidney_right``."""
    words = "".join(c if c.isalnum() else " " for c in name.lower()).split()
    if words and words[0] in ("left", "right"):
        words = [*words[1:], words[0]]
    plain = "_".join(words)
    return _SYNONYMS.get(plain, plain)


def _as_entries(content: Any) -> Any:
    """Any of the accepted forms as a list of entries."""
    if not isinstance(content, dict):
        return content
    if content and all(isinstance(value, int) for value in content.values()):
        content = {value: key for key, value in content.items()}
    return [{"id": int(key), "name": value} for key, value in content.items() if int(key) != 0]


def _colour_of(name: str) -> Colour:
    """A structure's colour, the same in all schemes."""
    plain = canonical_name(name)
    if plain in _COLOURS:
        return _COLOURS[plain]
    number = zlib.crc32(plain.encode())
    hue, saturation, value = number % 360 / 360, 0.5 + (number >> 9) % 40 / 100, 0.8 + (number >> 15) % 20 / 100
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue
