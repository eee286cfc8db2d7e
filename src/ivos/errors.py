"""What a user can put right."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used: one line that says what came, where, and what to do about it.

    The command line prints it as it is and exits with code 2; anything else that is raised is a defect of ours.
    """


def first_line(error: BaseException) -> str:
    """What an error of a library says, as far as its first line; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()


def counted(number: int, noun: str) -> str:
    """A number and what it counts: ``1 slice``, ``2 slices``."""
    return f"{number} {noun}" if number == 1 or noun == "series" else f"{number} {noun}s"
