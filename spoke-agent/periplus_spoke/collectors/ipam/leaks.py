"""What an adapter says of addresses that its allocator holds for pods or nodes that are gone."""

from collections.abc import Iterable
from itertools import chain, islice
from typing import Final

from periplus_contract.limits import MAX_EVIDENCE

_REST: Final = "and more"


def evidence(leaks: Iterable[tuple[object, str]]) -> tuple[str, ...]:
    """Of addresses or ranges, each with why it is leaked; where they are too many, the first of them."""
    return _first(f"{what}: {why}" for what, why in leaks)


def combined(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Of several pools together."""
    texts = list(chain.from_iterable(parts))
    is_cut = _REST in texts
    return _first([*(text for text in texts if text != _REST), *([_REST] * is_cut)])


def _first(texts: Iterable[str]) -> tuple[str, ...]:
    told = tuple(islice(texts, MAX_EVIDENCE + 1))
    return told if len(told) <= MAX_EVIDENCE else (*told[: MAX_EVIDENCE - 1], _REST)
