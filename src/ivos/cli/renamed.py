"""Commands and options by the names that they had before 0.2: understood for one more version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.cli.output import print_error

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {"calibrate": "fit-quality", "film": "video", "loop": "self-train", "measure": "profile"}

_COHORT = {"--again": "--overwrite", "--deliver": "--upload-to"}
OPTIONS = {
    "propagate": {**_COHORT, "--complete": "--fully-annotated"},
    "suggest": {"--complete": "--fully-annotated"},
    "segment": {
        **_COHORT,
        "--agreement": "--fuse-with-reference",
        "--at-most": "--max-slices",
        "--choose": "--reference-selection",
        "--combine": "--ensemble",
        "--every": "--stride",
        "--evidence": "--quality-features",
        "--measure": "--profile",
        "--mirror": "--tta-mirror",
        "--references": "--max-references",
        "--trust": "--quality-model",
    },
}
"""By command, its options: old name, new name."""


def replace_old_names(words: Sequence[str]) -> list[str]:
    """The words of a command line with new names for old ones; what was replaced is said on stderr.

    Args:
        words: what follows ``ivos``.
    """
    if not words:
        return []
    command = COMMANDS.get(words[0], words[0])
    replaced = {} if command == words[0] else {words[0]: command}
    options = OPTIONS.get(command, {})
    end = words.index("--") if "--" in words else len(words)
    found = [command]
    for word in words[1:end]:
        name, equals, value = word.partition("=")
        if name in options:
            replaced[name] = options[name]
        found.append(f"{options.get(name, name)}{equals}{value}")
    if replaced:
        names = ", ".join(f"{old} is now {new}" for old, new in replaced.items())
        print_error(f"ivos: renamed: {names}; the old names will be removed in the next version")
    return [*found, *words[end:]]
