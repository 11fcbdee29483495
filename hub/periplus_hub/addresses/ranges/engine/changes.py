"""What an import would change: the ranges in force against those that it names. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final
from uuid import UUID

from periplus_hub.addresses.ranges.model import EnteredRange, Wish

_CONTENT: Final = tuple(each.name for each in fields(Wish))


@dataclass(frozen=True, slots=True)
class Changes:
    """What is not in force yet, what is but says something else, and how many are as they are wished for."""

    added: tuple[Wish, ...]
    changed: tuple[tuple[EnteredRange, Wish], ...]
    same: int


def changes_of(in_force: Mapping[tuple[UUID, str], EnteredRange], wishes: Iterable[Wish]) -> Changes:
    """`in_force` are by place; of what the wishes do not name nothing changes."""
    named = {wish.place: wish for wish in wishes}
    met = [(in_force[place], wish) for place, wish in named.items() if place in in_force]
    changed = tuple((known, wish) for known, wish in met if _content(known) != _content(wish))
    added = tuple(wish for place, wish in named.items() if place not in in_force)
    return Changes(added, changed, len(met) - len(changed))


def _content(wish: Wish) -> tuple[object, ...]:
    return tuple(getattr(wish, name) for name in _CONTENT)
