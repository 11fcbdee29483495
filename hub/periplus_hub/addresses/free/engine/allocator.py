"""Ranges out of what is free: many at once, aligned, apart from each other and from everything that is taken. Pure.

The largest are placed first. Blocks of one size are interchangeable then, because whatever is free for a smaller one
later does not depend on which of them was taken; so each may lie where it likes best, and still as many are placed as
there is room for. Everything is a few passes over sorted columns for each size, none over addresses.

Both families are counted in the high 64 bits, where a range longer than /64 takes a whole one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from periplus_hub.addresses.prefixes.columns import U64
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

_HALF: Final = 64
_ONE: Final = np.uint64(1)
_NEAR: Final = np.uint64(1 << 48)
"""Of IPv4 a /16, of IPv6 far more than a fleet has."""
_TRIES: Final = 16


class Want(NamedTuple):
    """A range that is wanted: of this length, near the place that `near` stands for. Tuple order is placing order."""

    length: int
    near: str
    what: str = ""


class Tier(NamedTuple):
    """Where to look: `spaces` are disjoint and by address; nothing that touches `avoided` is taken.

    A tier looks wherever those before it did, and further.
    """

    spaces: tuple[Prefix, ...]
    avoided: tuple[Prefix, ...] = ()


class _Runs(NamedTuple):
    """Taken values, as sorted disjoint runs: first and last ones."""

    first: U64
    last: U64


class _Slots(NamedTuple):
    """Free aligned blocks of one size: where each gap's first begins, how many it has, how many lie before."""

    first: U64
    number: U64
    before: U64


def allocate(taken: FamilyPrefixes, wants: Sequence[Want], tiers: Sequence[Tier], family: int) -> list[Prefix | None]:
    """A range for each want; None where there is no room in any tier. The order of the wants does not matter."""
    used = [_merged(*_ends(taken.joined(FamilyPrefixes.of_prefixes(tier.avoided)))) for tier in tiers]
    order = sorted(range(len(wants)), key=lambda each: wants[each])
    found: list[Prefix | None] = [None] * len(wants)
    for length in sorted({want.length for want in wants}):
        waiting = [each for each in order if wants[each].length == length]
        size = _ONE << np.uint64(max(_HALF - length, 0))
        # What is placed in one tier is taken in all of them, because their spaces overlap.
        for number, tier in enumerate(tiers):
            slots = _slots(used[number], tier.spaces, size)
            places = _place([_positions(wants[each].near, tiers[0].spaces) for each in waiting], slots, size)
            for each, value in zip(waiting, places.tolist(), strict=False):
                found[each] = Prefix(family, value << _HALF, length)
            used = [
                _merged(np.append(runs.first, places), np.append(runs.last, places + (size - _ONE))) for runs in used
            ]
            waiting = waiting[len(places) :]
    return found


def _ends(prefixes: FamilyPrefixes) -> tuple[U64, U64]:
    """First and last values, rounded out to whole ones."""
    shift = np.uint64(_HALF) - np.minimum(prefixes.length, _HALF).astype(np.uint64)
    hosts = np.where(shift == _HALF, ~np.uint64(0), (_ONE << (shift % np.uint64(_HALF))) - _ONE)
    return prefixes.high & ~hosts, prefixes.high | hosts


def _merged(first: U64, last: U64) -> _Runs:
    """Runs that touch or lie in one another become one."""
    order = np.argsort(first, kind="stable")
    starts, reach = first[order], np.maximum.accumulate(last[order])
    fresh = np.flatnonzero(np.append(True, starts[1:] > reach[:-1])[: len(starts)])
    return _Runs(starts[fresh], reach[np.append(fresh[1:], len(starts)) - 1] if len(starts) else reach)


def _slots(used: _Runs, spaces: Iterable[Prefix], size: np.uint64) -> _Slots:
    parts = [_gaps(used, space) for space in spaces]
    first, end = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    aligned = (first + (size - _ONE)) & ~(size - _ONE)
    count = np.where(end > aligned, (end - aligned) // size, np.uint64(0)).astype(np.uint64)
    some = count > 0
    return _Slots(aligned[some], count[some], (np.cumsum(count) - count)[some].astype(np.uint64))


def _gaps(used: _Runs, space: Prefix) -> tuple[U64, U64]:
    """Where nothing is taken in a space: first values, and those behind the last."""
    first, last = np.uint64(space.value >> _HALF), np.uint64(space.last >> _HALF)
    low, high = np.searchsorted(used.last, first), np.searchsorted(used.first, last, side="right")
    behind = np.append(first, np.clip(used.last[low:high], first, last) + _ONE)
    before = np.append(np.clip(used.first[low:high], first, last + _ONE), last + _ONE)
    free = before > behind
    return behind[free], before[free]


def _place(positions: Sequence[Sequence[int]], slots: _Slots, size: np.uint64) -> U64:
    """For each row of positions, in order, the first free slot at or behind one of them; for as many as there are.

    It is the first position that has one near behind it; where none has, the first one, round and round.
    """
    total = int(slots.number.sum())
    wished = np.array(positions[:total], dtype=np.uint64)
    if not len(wished):
        return np.zeros(0, dtype=np.uint64)
    # The gap that a wish lies in or before: the first whose end is behind the wish rounded up to a block.
    gap = np.searchsorted(slots.first + slots.number * size, wished + (size - _ONE), side="right")
    is_behind = gap < len(slots.first)
    gap = np.where(is_behind, gap, 0)
    start = slots.first[gap]
    inside = np.where(is_behind & (wished > start), (wished - start + (size - _ONE)) // size, np.uint64(0))
    is_near = is_behind & (start + inside * size - wished <= max(_NEAR, size))
    chosen = np.argmax(is_near, axis=1)[:, np.newaxis]
    number = np.take_along_axis(slots.before[gap] + inside, chosen, axis=1)[:, 0]
    number = np.array(_apart(number.tolist(), total), dtype=np.uint64)
    gap = np.searchsorted(slots.before, number, side="right") - 1
    return slots.first[gap] + (number - slots.before[gap]) * size


def _apart(wished: Iterable[int], total: int) -> list[int]:
    """Numbers below `total`, each the next one at or behind its wish that is not given yet."""
    following: dict[int, int] = {}
    given = []
    for wish in wished:
        number, path = wish, []
        while number in following:
            path.append(number)
            number = following[number]
        given.append(number)
        # Whoever walks here later jumps over all that was passed, so that a thousand wishes for one place are not a
        # thousand walks of a thousand steps. There are at most `total` wishes, so every walk ends.
        for passed in (*path, number):
            following[passed] = (number + 1) % total
    return given


def _positions(near: str, spaces: Sequence[Prefix]) -> list[int]:
    """Where in these spaces a text points to, first and then: anywhere, and always there."""
    return [_position(f"{near}/{number}", spaces) for number in range(_TRIES)]


def _position(text: str, spaces: Sequence[Prefix]) -> int:
    sizes = [(space.last >> _HALF) - (space.value >> _HALF) + 1 for space in spaces]
    offset = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big") % sum(sizes)
    for space, size in zip(spaces, sizes, strict=True):
        if offset < size:
            return (space.value >> _HALF) + offset
        offset -= size
    raise AssertionError


def ula_networks(seed: bytes, count: int) -> list[Prefix]:
    """The /48s of RFC 4193 that are somebody's alone: 40 bits that nobody else draws, always the same of one seed."""
    digests = (hashlib.sha256(b"periplus ula" + seed + number.to_bytes(4, "big")).digest() for number in range(count))
    return [Prefix(6, (0xFD << 40 | int.from_bytes(each[:5], "big")) << 80, 48) for each in digests]
