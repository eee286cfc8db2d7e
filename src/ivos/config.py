"""Typed settings of a command, from YAML files and from ``key=value`` behind them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError
from ivos.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence


class Settings(BaseModel):
    """Base of all settings: nothing unknown is taken, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Kind = TypeVar("Kind", bound=Settings)


def load_settings(kind: type[Kind], given: Sequence[str | Path]) -> Kind:
    """Settings from YAML files and single values; what comes later goes before what came earlier.

    Args:
        kind: what they must be.
        given: paths that end in ``.yaml``, and values like ``optimiser.rate=1e-3``.

    Raises:
        InputError: no such file, not YAML, a key that is not known (the nearest known one is named), a wrong value.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    words = [str(word) for word in given]
    try:
        merged = OmegaConf.merge({}, *(_part(word) for word in words))
        return kind.model_validate(OmegaConf.to_container(merged, resolve=True))
    except ValidationError as error:
        files = ", ".join(word for word in words if _is_file(word))
        raise InputError(f"{files or 'settings'}: {_complaint(kind, error)}") from error
    except OmegaConfBaseException as error:
        raise InputError(f"{' '.join(words)}: {' '.join(str(error).split())}") from error


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
        inner = [k for k in (field.annotation, *get_args(field.annotation)) if isinstance(k, type)]
        inner = [k for k in inner if issubclass(k, BaseModel)]
        keys += [key for k in inner for key in known_keys(k, f"{before}{name}.")] or [before + name]
    return keys


def _part(word: str) -> Any:
    """What a file or a single value sets."""
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if not _is_file(word) and "=" not in word:
        raise InputError(f"{word}: neither a settings file (.yaml) nor KEY=VALUE")
    try:
        part = OmegaConf.load(word) if _is_file(word) else OmegaConf.from_dotlist([word])
    except FileNotFoundError as error:
        raise InputError(f"{word}: no such settings file") from error
    except (OmegaConfBaseException, YAMLError, OSError, ValueError) as error:
        raise InputError(f"{word}: not settings in YAML: {' '.join(str(error).split())}") from error
    if not isinstance(part, DictConfig):
        raise InputError(f"{word}: not settings in YAML: a list, not keys and values")
    return part


def _is_file(word: str) -> bool:
    return Path(word).suffix in (".yaml", ".yml") and ("=" not in word or Path(word).exists())


def _complaint(kind: type[BaseModel], error: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    known = known_keys(kind)
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")  # a typo explains what else is missing
    key = _key(first["loc"], known)
    if first["type"] == "extra_forbidden":
        key = ".".join(part for part in (key, str(first["loc"][-1])) if part)
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
        return f"'{key}' is not a setting; did you mean '{near[0]}'?"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    if first["type"] == "missing":
        return f"'{key}' is missing"
    if first["type"] == "union_tag_not_found":
        return f"'{key}.{first['ctx']['discriminator'].strip(chr(39))}' is missing, which says what the others are for"
    alike = [e["msg"] for e in error.errors() if _key(e["loc"], known) == key]
    messages = " or ".join(dict.fromkeys(message[0].lower() + message[1:] for message in alike))
    return f"{key}={first['input']}: {messages}"


def _key(loc: tuple[int | str, ...], known: Sequence[str]) -> str:
    """A place in settings as a user writes it, without the names of the alternatives that were tried."""
    words = {word for key in known for word in key.split(".")}
    return ".".join(str(part) for part in loc if isinstance(part, int) or part in words)
