"""Numbers that jitter, in bands, so that a finding says the same as long as its fault is the same. Pure."""

from collections.abc import Iterable


def power_of_two(value: int) -> int:
    """The greatest that is not more."""
    return 1 << (value.bit_length() - 1) if value else 0


def percent_at_least(part: int, whole: int, bands: Iterable[int]) -> int | None:
    """The first of the bands, which descend, that `part` is of `whole` in percent; None below all of them."""
    return next((each for each in bands if part * 100 >= each * whole), None)
