"""The report of a run: one page that needs no network, a picture and a film."""

from __future__ import annotations

from ivos.report.scan import write_report

__all__ = ["write_report"]
