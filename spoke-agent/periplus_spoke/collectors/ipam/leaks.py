"""What an adapter says of addresses that its allocator holds for pods or nodes that are gone."""

from collections.abc import Iterable
from itertools import islice

from periplus_contract.limits import MAX_EVIDENCE


def evidence(leaks: Iterable[tuple[object, str]]) -> tuple[str, ...]:
    """Of addresses or ranges, each with why it is leaked; where they are too many, the first of them."""
    told = [f"{what}: {why}" for what, why in islice(leaks, MAX_EVIDENCE + 1)]
    return tuple(told) if len(told) <= MAX_EVIDENCE else (*told[: MAX_EVIDENCE - 1], "and more")
