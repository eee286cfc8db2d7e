"""Which stack of which DICOM series is read, and what its images' numbers say of slices that may be missing."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.io.dicom.stacks import LISTED, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.io.dicom.header import SliceHeader
    from ivos.io.dicom.stacks import Series, Stack

logger = logging.getLogger(__name__)

_FIRST_NUMBER = 2  # with which series may begin, beside 0 and 1, without a remark


class ChoiceNeededError(InputError):
    """There are several stacks or series, and which one is wanted is for the user to say."""


def choose_stack(found: Sequence[Series], series: str | None, stack: int | None, named: Path) -> tuple[Series, Stack]:
    """The stack that is asked for; by default the one of most slices.

    Args:
        found: all series, those of most slices first.
        series: the last characters of the SeriesInstanceUID.
        stack: its number among the stacks of the series, from 1.
        named: what to call the folder in messages.

    Raises:
        InputError: no such series or stack, two of the same length to choose from, or the stack is no volume.
    """
    if not found:
        raise InputError(f"{named}: no DICOM image series found; give the folder that holds the slices")
    asked = [s for s in found if series is None or s.uid.endswith(series)]
    if not asked:
        raise InputError(f"{named}: no series ends in '{series}'; there are {_series_listed(found)}")
    first = asked[0]
    if len(asked) > 1:
        if len(first.longest.slices) == len(asked[1].longest.slices):
            raise ChoiceNeededError(
                f"{named}: several series of one length; choose one with --series: {_series_listed(asked)}"
            )
        logger.warning("%s: several series; taking the longest. Choose with --series: %s", named, _series_listed(asked))
    chosen = _longest(first, named) if stack is None else _numbered(first, stack, named)
    if chosen.fault is not None:
        raise InputError(f"{named}: {chosen.fault}")
    return first, chosen


def numbering(series: Series, slices: Sequence[SliceHeader]) -> str:
    """What InstanceNumbers say of slices that may be missing; nothing if they say nothing.

    Args:
        series: of the slices; the numbers of its other stacks are not missing.
        slices: of one stack.
    """
    numbers = sorted({header.number for header in slices if header.number is not None})
    present = {header.number for group in series.groups for header in group.slices if header.number is not None}
    if not numbers:
        return ""
    inside = sum(numbers[0] <= number <= numbers[-1] for number in present)
    count = numbers[-1] - numbers[0] + 1 - inside
    parts = []
    if count:
        missing = list(islice((n for n in range(numbers[0], numbers[-1]) if n not in present), LISTED))
        named = ", ".join(map(str, missing)) + (f" and {count - LISTED} more" if count > LISTED else "")
        parts.append(f"between InstanceNumber {numbers[0]} and {numbers[-1]} there is no {named}")
    if min(present) > _FIRST_NUMBER:
        parts.append(f"InstanceNumbers begin at {min(present)}")
    return "; ".join([*parts, "look whether slices are missing"]) if parts else ""


def _numbered(series: Series, stack: int, named: Path) -> Stack:
    if not 1 <= stack <= len(series.stacks):
        raise InputError(f"{named}: there is no stack {stack} in the series; there are {series.listed()}")
    return series.stacks[stack - 1]


def _longest(series: Series, named: Path) -> Stack:
    longest = series.longest
    count = len(longest.slices)
    if len(series.stacks) > 1:
        if sum(len(group.slices) == count for group in series.groups) > 1:
            raise ChoiceNeededError(
                f"{named}: several stacks of one length in the series; choose one with --stack: {series.listed()}"
            )
        if longest.fault is not None and longest not in series.stacks:
            # Stacks that nothing but a gap tells apart may be one stack with a slice missing
            apart = all(stack.apart for stack in series.stacks if stack.slices[0] in longest.slices)
            raise (ChoiceNeededError if apart else InputError)(
                f"{named}: {longest.fault}; as several stacks they can be read: choose one with --stack: "
                f"{series.listed()}"
            )
        logger.warning(
            "%s: several stacks in the series; taking the longest. Choose with --stack: %s", named, series.listed()
        )
    return longest


def _series_listed(found: Sequence[Series]) -> str:
    return shortened([series.describe() for series in found])
