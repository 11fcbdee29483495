"""Where there is room: free, aligned ranges. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from periplus_hub.addresses.prefixes import ADDRESS_BITS, IPV4, Prefix, parse

SPACES: Final = {
    4: tuple(parse(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    6: (parse("fd00::/8"),),
}
"""RFC 1918, then RFC 6598; RFC 4193 for IPv6."""


def merged(used: Iterable[Prefix]) -> list[Prefix]:
    """The maximal prefixes of a set, in order."""
    result: list[Prefix] = []
    for prefix in sorted(used):
        if not (result and result[-1].covers(prefix)):
            result.append(prefix)
    return result


class FreeSpace:
    """What is not used; merged once, asked often."""

    def __init__(self, used: Iterable[Prefix]) -> None:
        self._blocked = merged(used)
        self._first: dict[tuple[int, int], tuple[Prefix, Prefix] | None] = {}

    def ranges(self, length: int, space: Prefix) -> Iterator[Prefix]:
        """Every free range of `length` inside `space`, lowest first; aligned by being prefixes."""
        if length >= space.length:
            near = [block for block in self._blocked if space.covers(block) or block.covers(space)]
            yield from _free_within(space, length, near)

    def first(self, family: int, length: int) -> tuple[Prefix, Prefix] | None:
        """The lowest free range of the private spaces, in their order, and the space it is in."""
        if (family, length) not in self._first:
            found = ((next(self.ranges(length, space), None), space) for space in SPACES[family])
            self._first[family, length] = next(((free, space) for free, space in found if free), None)
        return self._first[family, length]


def _free_within(space: Prefix, length: int, blocked: Sequence[Prefix]) -> Iterator[Prefix]:
    size = 1 << (ADDRESS_BITS - length)
    candidate = space.value
    for block in blocked:
        while candidate + size <= block.value and candidate <= space.last:
            yield Prefix(space.family, candidate, length)
            candidate += size
        if block.last >= candidate:
            candidate = -(-(block.last + 1) // size) * size
    while candidate + size - 1 <= space.last:
        yield Prefix(space.family, candidate, length)
        candidate += size


def worth_suggesting(prefix: Prefix) -> bool:
    """Ranges a person plans with; single addresses and small blocks follow from a pool."""
    return prefix.length <= (26 if prefix.family == IPV4 else 112)
