"""How right propagation, and masks of prompts, are on cohorts with expert labels.

python -m benchmarks.panel PLACE... [--protocol one-slice] [--protocol every:10] [--protocol prompts]
    [--engine NAME ...] [--fast-checkpoint FILE ...] [--peer NAME=PYTHON ...]
    [--segmenter NAME ...] [--prompt-checkpoint FILE] [--prompt-structures 40]
    [--take-every 1] [--per-structure] [--json FILE [--resume]] [--reliability FILE] [--pictures FOLDER [--worst 4]]

PLACE is a folder with images/ and labels/ (FOLDER:20 takes every 20th case), SCAN=LABELS, or phantoms:3.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.panel.cohorts import Cohort, cohorts_of
from benchmarks.panel.prompts import PROMPTS, SEGMENTERS
from benchmarks.panel.record import Record
from benchmarks.panel.reliability import reliability_plot
from benchmarks.panel.tables import (
    cohort_table,
    distance_table,
    prompt_structure_table,
    prompt_table,
    structure_table,
)
from benchmarks.panel.tasks import LabelTask, PromptTask, label_tasks, prompt_tasks
from ivos.errors import InputError
from ivos.files import replacing

if TYPE_CHECKING:
    from benchmarks.cases import Case
    from benchmarks.panel.record import Score
    from benchmarks.panel.tables import Key

Tasks = list[LabelTask | PromptTask]


def main(
    places: Annotated[list[str], typer.Argument(metavar="PLACE...", help="FOLDER[:EVERY], SCAN=LABELS, phantoms:N.")],
    protocol: Annotated[list[str] | None, typer.Option(help="one-slice, every:N or prompts.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Engines; fast by default.")] = None,
    fast_checkpoint: Annotated[
        list[Path] | None, typer.Option(exists=True, help="Other weights of fast, beside the bundled ones.")
    ] = None,
    peer: Annotated[list[str] | None, typer.Option(help="Another tool, NAME=PYTHON: see benchmarks.peers.")] = None,
    segmenter: Annotated[
        list[str] | None, typer.Option(help=f"What makes masks of prompts; by default {', '.join(SEGMENTERS)}.")
    ] = None,
    prompt_checkpoint: Annotated[
        Path | None, typer.Option(exists=True, help="Of the prompts' network, or of MiVOS, not the bundled one.")
    ] = None,
    prompt_structures: Annotated[int, typer.Option(min=1, help="Structures a scan that are prompted, at most.")] = 40,
    take_every: Annotated[int, typer.Option(min=1, help="Take every n-th case of folders.")] = 1,
    per_structure: Annotated[bool, typer.Option("--per-structure", help="A row for every structure.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="All counts as JSON, after every scan.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what the JSON file holds, score what is missing.")
    ] = False,
    reliability: Annotated[Path | None, typer.Option(help="An SVG file: probabilities against accuracy.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for pictures of the worst of the last one.")] = None,
    worst: Annotated[int, typer.Option(min=1, help="How many structures to picture.")] = 4,
) -> None:
    """Propagate or prompt, compare with the expert, print tables."""
    try:
        protocols = list(dict.fromkeys(protocol or ["one-slice"]))
        engines = engine or ([] if peer else ["fast"])
        tasks: Tasks = [
            *label_tasks([p for p in protocols if p != PROMPTS], engines, fast_checkpoint or [], peer or []),
            *(
                prompt_tasks(segmenter or SEGMENTERS, prompt_checkpoint, prompt_structures)
                if PROMPTS in protocols
                else []
            ),
        ]
        cohorts, record = cohorts_of(places, take_every), Record(json_file, resume=resume)
        keys = _score(cohorts, tasks, record)
    except InputError as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from error
    labels, prompts = record.labels(keys), record.prompts(keys)
    tables = [cohort_table(labels), distance_table(labels)] if labels else []
    tables += [prompt_table(prompts)] if prompts else []
    if per_structure:
        tables += [table for table in (structure_table(labels), prompt_structure_table(prompts)) if table]
    print("\n\n".join(tables))
    if reliability is not None:
        with replacing(reliability) as path:
            path.write_text(reliability_plot(labels), encoding="utf-8")
    if pictures is not None:
        _picture(pictures, cohorts, tasks[-1], record, worst)


def _score(cohorts: list[Cohort], tasks: Tasks, record: Record) -> list[Key]:
    """Score what is not scored yet; the keys of everything, tasks of a protocol beside each other."""
    keys: list[Key] = []
    for protocol in dict.fromkeys(task.protocol for task in tasks):
        for cohort in cohorts:
            for task in (task for task in tasks if task.protocol == protocol):
                keys.append((cohort.name, protocol, task.name))
                record.begin(keys[-1], task.version)
                for case in cohort.cases:
                    if not record.has(keys[-1], case.name):
                        record.add(keys[-1], task.score(case))
    return keys


def _picture(folder: Path, cohorts: list[Cohort], task: LabelTask | PromptTask, record: Record, worst: int) -> None:
    scored: list[tuple[Case, Score]] = []
    for cohort in cohorts:
        key = cohort.name, task.protocol, task.name
        cases = {case.name: case for case in cohort.cases}
        scored += [(cases[score.case], score) for score in record.scores(key) if score.case in cases]
    for picture in task.picture(folder, scored, worst):
        print(picture)


if __name__ == "__main__":
    typer.run(main)
