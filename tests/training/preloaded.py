"""What trainings import, for :func:`tests.cli.runner.preload`."""

from __future__ import annotations

from importlib import import_module

for name in ("fast", "fusion", "reference", "refine", "stcn", "strokes"):
    import_module(f"ivos.training.{name}.train")
