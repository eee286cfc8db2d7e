"""What killed workers leave: files that were being written."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_STILL_S = 60.0


def remove_stale_temporaries(folder: Path) -> None:
    """Remove the temporary folders of :func:`ivos.files.replacing` in which nothing was written for a minute."""
    for leftover in folder.rglob(".ivos-*"):
        try:
            changed_s = max(path.stat().st_mtime for path in (leftover, *leftover.rglob("*")))
        except FileNotFoundError:  # it was at work still, and has ended
            continue
        if time.time() - changed_s > _STILL_S:
            shutil.rmtree(leftover, ignore_errors=True)
