"""nnU-Net's ``dataset.json``: what a data set calls its labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError
from ivos.volume.labels import IGNORE_NAME, ignored_ids

if TYPE_CHECKING:
    from pathlib import Path

DATASET_JSON = "dataset.json"


def dataset_names(path: Path) -> dict[int, str]:
    """Label names of nnU-Net's ``dataset.json``, in the direction of its first and of its second version.

    Where some labels are regions, of several ids each, no id has a name but that of the label "ignore".

    Args:
        path: the file.

    Returns:
        Names by id, without the background's; an empty dictionary where there is no such file.

    Raises:
        InputError: it is something else.
    """
    return _names(_content(path), path) if path.is_file() else {}


def ignored_beside(path: Path) -> dict[int, str]:
    """The label that a ``dataset.json`` in a label file's folder, or in the one above it, names "ignore".

    nnU-Net has the file above ``labelsTr``, and copies it into a folder of predictions.

    Args:
        path: a label file.

    Returns:
        Its id and name; an empty dictionary where nothing says so.

    Raises:
        InputError: there is a damaged one.
    """
    place = dataset_json_of(path)
    content = {} if place is None else _content(place)
    names = _names(content, place or path) if isinstance(content, dict) else {}  # a list of cases may be called so
    return dict.fromkeys(ignored_ids(names), IGNORE_NAME)


def dataset_json_of(path: Path) -> Path | None:
    """The ``dataset.json`` of a label file: in its folder, or else in the one above it."""
    folder = path.absolute().parent
    return next((p for p in (folder / DATASET_JSON, folder.parent / DATASET_JSON) if p.is_file()), None)


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the dataset.json of nnU-Net: {error}") from error


def _names(content: Any, path: Path) -> dict[int, str]:
    try:
        table = content.get("labels", {})
        pairs = [(k, v) if str(k).isdigit() else (v, k) for k, v in table.items()]
        single = {int(label): str(name) for label, name in pairs if not isinstance(label, list) and int(label) > 0}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not the dataset.json of nnU-Net: {error}") from error
    regions = any(isinstance(label, list) for label, _ in pairs)
    return dict.fromkeys(ignored_ids(single), IGNORE_NAME) if regions else single
