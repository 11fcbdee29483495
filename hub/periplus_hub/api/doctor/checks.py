"""What a check found, and what all of them mean for a script. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


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
