"""What a check found, and what all of them mean for a script. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_SHOWN: Final = 5


class State(StrEnum):
    """Of one check. What could not be asked is unknown, which is never well."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One line."""

    name: str
    state: State
    found: str
    remedy: str = ""


def unknown(name: str, why: str, remedy: str) -> Check:
    """It could not be asked."""
    return Check(name, State.UNKNOWN, why, remedy)


def exit_code(checks: Iterable[Check]) -> int:
    """0: all is well; 2: something is wrong; 1: somebody should look, or not all could be asked."""
    states = {each.state for each in checks}
    if State.FAILED in states:
        return 2
    return int(states != {State.OK})


def some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
