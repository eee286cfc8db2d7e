"""How right propagation is on cohorts with expert labels.

python -m benchmarks.panel PLACE... [--engine NAME ...] [--protocol one-slice --protocol every:10]
    [--fast-checkpoint FILE ...] [--take-every 1] [--per-structure] [--json FILE] [--pictures FOLDER [--worst 4]]

PLACE is a folder with images/ and labels/ (FOLDER:20 takes every 20th case), or SCAN=LABELS.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.engines import Contender, contenders
from benchmarks.panel.cohorts import Cohort, cohorts_of
from benchmarks.panel.pictures import save_worst
from benchmarks.panel.protocol import CaseScore, Protocol, score_case
from benchmarks.panel.tables import cohort_table, distance_table, structure_table, summary
from ivos.errors import InputError
from ivos.files import replacing

Found = dict[tuple[str, str, str], list[CaseScore]]


def main(
    places: Annotated[list[str], typer.Argument(metavar="PLACE...", help="FOLDER[:EVERY] or SCAN=LABELS.")],
    engine: Annotated[list[str] | None, typer.Option(help="Engines; fast by default.")] = None,
    protocol: Annotated[list[str] | None, typer.Option(help="one-slice, or every:N.")] = None,
    fast_checkpoint: Annotated[
        list[Path] | None, typer.Option(exists=True, help="Other weights of fast, beside the bundled ones.")
    ] = None,
    take_every: Annotated[int, typer.Option(min=1, help="Take every n-th case of folders.")] = 1,
    per_structure: Annotated[bool, typer.Option("--per-structure", help="A row for every structure.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="All counts as JSON.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for pictures of the last engine's failures.")] = None,
    worst: Annotated[int, typer.Option(min=1, help="How many structures to picture.")] = 4,
) -> None:
    """Propagate, compare with the expert, print tables."""
    try:
        cohorts = cohorts_of(places, take_every)
        protocols = {text: Protocol.parse(text) for text in protocol or ["one-slice"]}
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
    engines: dict[str, Contender] = {c.name: c for c in contenders(engine or ["fast"], None, None)}
    engines |= {f"fast {path.parent.name}": Contender("fast", path) for path in fast_checkpoint or []}
    found: Found = {}
    for name, wanted in protocols.items():
        for cohort in cohorts:
            for label, contender in engines.items():
                found[cohort.name, name, label] = _scored(cohort, wanted, contender)
    print(cohort_table(found))
    print(f"\n{distance_table(found)}")
    if per_structure:
        print(f"\n{structure_table(found)}")
    if json_file is not None:
        with replacing(json_file) as path:
            path.write_text(json.dumps(_rows(found), indent=1), encoding="utf-8")
    if pictures is not None:
        last = list(engines.values())[-1], list(protocols.values())[-1]
        for picture in save_worst(pictures, cohorts, *last, worst):
            print(picture)


def _scored(cohort: Cohort, protocol: Protocol, contender: Contender) -> list[CaseScore]:
    engine = contender.load()
    return [score_case(case, protocol, engine) for case in cohort.cases]


def _rows(found: Found) -> list[dict[str, object]]:
    return [
        {
            "cohort": cohort,
            "protocol": protocol,
            "engine": engine,
            **summary(cases),
            "cases": [asdict(case) for case in cases],
        }
        for (cohort, protocol, engine), cases in found.items()
    ]


if __name__ == "__main__":
    typer.run(main)
