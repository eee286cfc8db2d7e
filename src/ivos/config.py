"""Typed settings of a command, from a YAML file and from ``key=value`` behind it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError
from ivos.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Settings(BaseModel):
    """Base of all settings: nothing unknown is taken, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Kind = TypeVar("Kind", bound=Settings)


def load_settings(kind: type[Kind], path: Path, changes: Sequence[str] = ()) -> Kind:
    """Settings from a YAML file, with some of them changed.

    Args:
        kind: what they must be.
        path: the file.
        changes: like ``optimiser.rate=1e-3``; they go before the file's.

    Raises:
        InputError: no such file, not YAML, a key that is not known (the nearest known one is named), a wrong value.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        from_file = OmegaConf.load(path)
        changed = OmegaConf.merge(from_file, OmegaConf.from_dotlist(list(changes)))
        content: Any = OmegaConf.to_container(changed, resolve=True)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such settings file") from error
    except (OmegaConfBaseException, YAMLError, OSError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not settings in YAML: {' '.join(str(error).split())}") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_complaint(kind, error)}") from error


def save_settings(settings: Settings, path: Path) -> None:
    """Write settings so that :func:`load_settings` reads the same ones.

    Raises:
        InputError: the folder cannot be written to.
    """
    from omegaconf import OmegaConf

    with replacing(path) as temporary:
        temporary.write_text(OmegaConf.to_yaml(OmegaConf.create(settings.model_dump(mode="json"))), encoding="utf-8")


def known_keys(kind: type[BaseModel], before: str = "") -> list[str]:
    """All keys of settings, those of settings within them with dots."""
    keys = []
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += known_keys(inner, f"{before}{name}.")
        else:
            keys.append(before + name)
    return keys


def _complaint(kind: type[BaseModel], error: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, known_keys(kind), n=1, cutoff=0.0)
        return f"'{key}' is not a setting; did you mean '{near[0]}'?"
    if first["type"] == "missing":
        return f"'{key}' is missing"
    return f"{key}={first['input']}: {first['msg'][0].lower()}{first['msg'][1:]}"
