"""How often a pair talks, and so for how long it may be silent. Pure."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Final

from periplus_hub.flows.model import DAY_S, HOUR_S

_STEADY_H: Final = 2
"""Longest time between two active hours of what talks all the time."""
_LEAST_STEADY: Final = 24
"""Hours of something steady before it is known to be."""
_LEAST: Final = 5
_A_WEEK_S: Final = 8 * DAY_S
"""What has pauses must have been seen for longer than a week, so that weekends are among them."""


def longest_pause_h(hours: Sequence[int]) -> int | None:
    """The longest time between two of the active hours, ascending; None where these are too few to be a rhythm."""
    pauses = [later - earlier for earlier, later in pairwise(hours)]
    if not pauses:
        return None
    longest = max(pauses) // HOUR_S
    if longest <= _STEADY_H:
        return longest if len(hours) >= _LEAST_STEADY else None
    return longest if len(hours) >= _LEAST and hours[-1] - hours[0] >= _A_WEEK_S else None


def may_be_silent_h(longest_h: int) -> int:
    """Half as long again as it ever was."""
    return (3 * longest_h + 1) // 2


def silent_h(last_hour: int, told: Collection[int]) -> int:
    """How many hours were told whole since: hours of which nothing is known do not count as silent."""
    return sum(hour > last_hour for hour in told)
