"""Decorrelated jitter: each wait is drawn between the base and three times the last one.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (`sleep = min(cap, uniform(base, 3 * sleep))`).
There is no limit on elapsed time: a spoke that gives up loses data.
"""

import random
from typing import Final

RETRY_AFTER_CAP_S: Final = 300.0
_SPREAD: Final = 0.5


class Backoff:
    """The waits of one sender; `reset` after a success."""

    def __init__(self, rng: random.Random, *, base_s: float = 1.0, cap_s: float = 60.0) -> None:
        self._rng = rng
        self._base_s = base_s
        self._cap_s = cap_s
        self._last_s = base_s

    def reset(self) -> None:
        """Start again from the base."""
        self._last_s = self._base_s

    def next_s(self, retry_after_s: float | None = None) -> float:
        """Seconds to wait now. A Retry-After wins: capped at five minutes, then spread by half either way.

        One below the base is none: who asks to be asked again at once, and again, is asked as seldom as who is away.
        """
        if retry_after_s is not None and retry_after_s >= self._base_s:
            return spread(min(retry_after_s, RETRY_AFTER_CAP_S), self._rng)
        self._last_s = min(self._cap_s, self._rng.uniform(self._base_s, self._last_s * 3))
        return self._last_s


def spread(seconds: float, rng: random.Random) -> float:
    """`seconds` moved by up to half of itself either way, so a fleet does not return at once."""
    return seconds * rng.uniform(1 - _SPREAD, 1 + _SPREAD)
