"""Whether a measure is off what is usual for it: the median of its own hours and a robust spread. Pure, and exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

LEAST_HOURS: Final = 24
_SPREADS_PERMILLE: Final = 5_189
"""3.5 times 1.4826: so many median deviations are 3.5 standard deviations where values are spread normally."""


class Verdict(Enum):
    """`NEAR` is neither: what was off is not over yet, and what was not is not off."""

    USUAL = "usual"
    NEAR = "near"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is usual. `spread` is the median of how far the values are from their median."""

    median: int
    spread: int
    hours: int

    def limit(self, floor: int) -> int:
        """What is above is off: by the spread, and by `floor` at least."""
        return self.median + max(self.spread * _SPREADS_PERMILLE // 1_000, floor)

    def verdict(self, value: int, floor: int) -> Verdict:
        """Only more than usual can be off."""
        limit = self.limit(floor)
        if value > limit:
            return Verdict.OFF
        return Verdict.NEAR if 2 * (value - self.median) > limit - self.median else Verdict.USUAL


def baseline(values: Sequence[int]) -> Baseline | None:
    """Of one value an hour; None where they are too few."""
    if len(values) < LEAST_HOURS:
        return None
    middle = _median(values)
    return Baseline(median=middle, spread=_median([abs(each - middle) for each in values]), hours=len(values))


def _median(values: Sequence[int]) -> int:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2
