"""The structures that a reference network learns: those of the cohort, or those in the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.training.data.patients import list_names
from ivos.training.data.store import StoredScan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.training.data.cases import ChosenCases
    from ivos.training.reference.settings import DataSettings


def structures_to_learn(cases: ChosenCases, data: DataSettings) -> tuple[int, ...]:
    """Label ids of what the network is to tell apart.

    Args:
        cases: of the training.
        data: its settings.

    Raises:
        InputError: a structure is in no training case; the message names the cases that have it, and the ways out.
    """
    learned = set().union(*(structures_of(path) for path in cases.training))
    of_cohort = learned.union(*(structures_of(path) for path in (*cases.validating, *cases.unlabelled, *cases.testing)))
    wanted = data.structures or tuple(sorted(of_cohort))
    missing = [label for label in wanted if label not in learned]
    if missing:
        raise InputError(f"{data.scans}: {_describe_missing(missing, wanted, cases)}")
    return wanted


def structures_of(path: Path) -> set[int]:
    """Ids of the structures of a stored scan."""
    return set(StoredScan(path).info.volumes_ml or {})


def _describe_missing(missing: Sequence[int], wanted: Sequence[int], cases: ChosenCases) -> str:
    """What is missing, who has it, and what can be done."""
    found, ways = [], []
    labelled = [path for path in cases.unlabelled if StoredScan(path).info.labelled]
    enough = 0
    for label in missing:
        validating, left, testing = (
            [path for path in paths if label in structures_of(path)]
            for paths in (cases.validating, labelled, cases.testing)
        )
        name = f" ({cases.names[label]})" if label in cases.names else ""
        having = [
            f"{list_names([StoredScan(path).info.case for path in paths])} ({why})"
            for paths, why in ((validating, "validation"), (left, "not used by data.labelled"), (testing, "test"))
            if paths
        ]
        found.append(f"label {label}{name}, which {', '.join(having) or 'no other case'} has")
        if validating:
            ways.append("let another fold validate (data.fold, null for none)")
        if left:
            enough = max(enough, len(cases.training) + labelled.index(left[0]) + 1)
        if testing:
            ways.append("draw the split again (ivos prepare --resplit --seed N)")
    if enough:
        ways.append(f"train on more labelled cases (data.labelled={enough})")
    rest = ",".join(str(label) for label in wanted if label not in missing)
    ways = [*dict.fromkeys(ways), "label it in more cases"]
    ways += [f"leave it out (data.structures=[{rest}])"] if rest else []
    return f"no training case has {'; '.join(found)}. Options: {', '.join(ways)}"
