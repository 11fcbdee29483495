"""Who was this address, at that time, in that network domain? A columnar index for millions of questions a second.

Prefixes of one domain are equal, nested or disjoint, so they cut the address space into disjoint segments, each with
one innermost prefix. A question is one binary search for its segment. Owners of a prefix change over time: each
prefix keeps its history as consecutive slices, in which overlapping identities of different owners are AMBIGUOUS, never
guessed. Where the innermost prefix has no owner at the time, the next wider one answers.

`IdentityIndex.at(time)` resolves all segments for one instant; looking up in the result is one search and one gather.
Pure; arrays in, arrays out; immutable and safe to share between threads.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

UNKNOWN: Final = -1
AMBIGUOUS: Final = -2
WORD_BITS: Final = 64
IPV4_BITS: Final = 32
FOREVER: Final = np.iinfo(np.int64).max
"""`until_us` of an identity that still holds."""


class Addresses(NamedTuple):
    """Addresses of one family as 128 bits in two words; IPv4 is right-aligned, `high` all zero."""

    high: Words
    low: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Identities of one family, one per row: `owner` (>= 0) held [first, first + 2**(bits - length)) in [since, until).

    `domain` are small integers of the caller's choosing; `length` is the prefix length; host bits must be zero.
    """

    bits: int
    domain: Ints
    first: Addresses
    length: Ints
    since_us: Ints
    until_us: Ints
    owner: Ints


@dataclass(frozen=True, slots=True)
class _Keys:
    """Order-preserving compression of (domain, 128-bit address) into 63 bits: by the values that occur as bounds."""

    highs: Words
    lows: Words
    narrow: bool
    """IPv4: the address itself fits, nothing needs ranking."""

    def of(self, domain: Ints, address: Addresses) -> Ints:
        """Keys that compare with bounds' keys exactly as the full values do."""
        if self.narrow:
            return (domain << np.int64(33)) | address.low.astype(np.int64)
        high = np.searchsorted(self.highs, address.high, side="right").astype(np.int64)
        known = (high > 0) & (self.highs[np.maximum(high - 1, 0)] == address.high)
        low = np.searchsorted(self.lows, address.low, side="right").astype(np.int64)
        # Between two known high words only the order against whole blocks matters: after everything of the lower.
        low = np.where(known, low, len(self.lows))
        return (domain * (len(self.highs) + 1) + high) * (len(self.lows) + 1) + low


class _Shortcut:
    """A hash table with one place per hash and no chains: what is there is right, what is not is asked elsewhere.

    Most questions are about an address that is itself the start of a segment, so they are answered by one
    multiplication and one memory access instead of twenty steps of a search.
    """

    def __init__(self, starts: Ints, answers: Ints, multiplier: int, bits: int) -> None:
        self._multiplier, self._shift = np.uint64(multiplier), np.uint64(WORD_BITS - bits)
        self._starts = np.full(1 << bits, np.iinfo(np.int64).min, dtype=np.int64)
        self._answers = np.full(1 << bits, UNKNOWN, dtype=np.int64)
        slots = self._slots(starts)
        self._starts[slots], self._answers[slots] = starts, answers
        self.left_out = self._starts[slots] != starts

    def _slots(self, keys: Ints) -> Ints:
        return ((keys.view(np.uint64) * self._multiplier) >> self._shift).view(np.int64)

    def look_up(self, keys: Ints) -> tuple[Ints, Ints]:
        """An answer per key, and the positions of those that are not to be trusted."""
        slots = self._slots(keys)
        return self._answers[slots], np.flatnonzero(self._starts[slots] != keys)


class Instant:
    """All owners at one time."""

    def __init__(self, keys: _Keys, starts: Ints, answers: Ints) -> None:
        changed = np.ones(len(starts), dtype=np.bool_)
        changed[1:] = answers[1:] != answers[:-1]
        self._keys = keys
        self._starts = starts = starts[changed]
        self._answers = answers = answers[changed]
        bits = max(len(starts).bit_length() + 1, 8)
        # Odd multipliers with well-mixed high bits (Knuth's and xxHash's). The second table holds what found its
        # place taken in the first: about an eighth.
        self._first = _Shortcut(starts, answers, 0x9E3779B97F4A7C15, bits)
        left = self._first.left_out
        self._second = _Shortcut(starts[left], answers[left], 0xC2B2AE3D27D4EB4F, bits - 3)

    def owners(self, domain: Ints, address: Addresses) -> Ints:
        """Per question the owner, UNKNOWN or AMBIGUOUS."""
        keys = self._keys.of(domain, address)
        found, rest = self._first.look_up(keys)
        if len(rest):
            found[rest], still = self._second.look_up(keys[rest])
            rest = rest[still]
        if len(rest):
            found[rest] = self._answers[np.searchsorted(self._starts, keys[rest], side="right") - 1]
        return found


class IdentityIndex:
    """Identities of one family over all domains and times."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        order, group = _groups(entries)
        heads = order[np.flatnonzero(np.diff(group, prepend=-1))]
        self._history = _History(entries, order, group)
        bounds = _Bounds(entries, heads)
        self._keys, self._starts = bounds.keys, bounds.starts
        self._innermost, self._parent = bounds.nest(entries.length[heads])

    def at(self, time_us: int) -> Instant:
        """The index for one instant."""
        return Instant(self._keys, self._starts, self._resolve(self._innermost, np.int64(time_us)))

    def owners(self, domain: Ints, address: Addresses, time_us: Ints) -> Ints:
        """Per question, each with its own time, the owner, UNKNOWN or AMBIGUOUS."""
        position = np.searchsorted(self._starts, self._keys.of(domain, address), side="right")
        return self._resolve(self._innermost[position - 1], time_us)

    def _resolve(self, groups: Ints, time_us: Ints | np.int64) -> Ints:
        """Walk from the innermost prefix outwards until one has an owner at the time."""
        answers = np.full(len(groups), UNKNOWN, dtype=np.int64)
        open_rows = np.flatnonzero(groups >= 0)
        current = groups[open_rows]
        times = np.broadcast_to(np.asarray(time_us, dtype=np.int64), groups.shape)
        while len(open_rows):
            found = self._history.owners(current, times[open_rows])
            answers[open_rows] = found
            wider = self._parent[current]
            again = (found == UNKNOWN) & (wider >= 0)
            open_rows, current = open_rows[again], wider[again]
        return answers

    def every_owner(self, domain: int, address: int, time_us: int) -> list[int]:
        """Every owner of the longest prefix that has any: one question, answered slowly, to explain an ambiguity."""
        entries = self._entries
        low, high = np.uint64(address & (2**64 - 1)), np.uint64(address >> 64)
        mask_high, mask_low = _masks(entries.bits, entries.length)
        holds = (
            (entries.domain == domain)
            & (entries.first.low == (low & mask_low))
            & (entries.first.high == (high & mask_high))
            & (entries.since_us <= time_us)
            & (time_us < entries.until_us)
        )
        if not holds.any():
            return []
        longest = entries.length[holds].max()
        return sorted(set(entries.owner[holds & (entries.length == longest)].tolist()))


def _groups(entries: Entries) -> tuple[Ints, Ints]:
    """Rows sorted by prefix, and for each the running number of its distinct (domain, prefix)."""
    order = np.lexsort((entries.length, entries.first.low, entries.first.high, entries.domain))
    columns = (entries.domain, entries.first.high, entries.first.low, entries.length)
    new = np.zeros(len(order), dtype=np.bool_)
    for column in columns:
        values = column[order]
        new[1:] |= values[1:] != values[:-1]
    return order, np.cumsum(new).astype(np.int64)


class _History:
    """Per prefix group its consecutive time slices: who held it from `time` to the next slice's."""

    def __init__(self, entries: Entries, order: Ints, group: Ints) -> None:
        names, rank = np.unique(entries.owner[order], return_inverse=True)
        lasting = np.flatnonzero(entries.since_us[order] < entries.until_us[order])
        groups = np.tile(group[lasting], 2)
        ranks = np.tile(rank[lasting].astype(np.int64), 2)
        times = np.concatenate((entries.since_us[order][lasting], entries.until_us[order][lasting]))
        sign = np.repeat(np.array([1, -1], dtype=np.int64), len(lasting))
        by_time = np.lexsort((times, groups))
        groups, times = groups[by_time], times[by_time]
        owner = _holders(names, ranks[by_time], sign[by_time])
        last = np.ones(len(times), dtype=np.bool_)
        # Of events at one time only the state after the last counts: who hands over to whom leaves no moment with two
        # or none.
        last[:-1] = (groups[1:] != groups[:-1]) | (times[1:] != times[:-1])
        self._times, self._owner = times[last], owner[last]
        number = int(group[-1]) + 1 if len(group) else 0
        self._from = np.searchsorted(groups[last], np.arange(number + 1)).astype(np.int64)

    def owners(self, group: Ints, time_us: Ints) -> Ints:
        """Per (group, time) the slice's owner."""
        if not len(self._times):
            return np.full(len(group), UNKNOWN, dtype=np.int64)
        first, high = self._from[group], self._from[group + 1]
        low = first
        # Histories are short, so a few halvings find every question's slice at once.
        while (open_rows := low < high).any():
            middle = (low + high) >> 1
            before = open_rows & (self._times[np.minimum(middle, len(self._times) - 1)] <= time_us)
            low = np.where(before, middle + 1, low)
            high = np.where(open_rows & ~before, middle, high)
        return np.where(low > first, self._owner[np.maximum(low - 1, 0)], UNKNOWN)


def _holders(names: Ints, rank: Ints, sign: Ints) -> Ints:
    """After each event, who holds: one owner, nobody, or several.

    Three running sums tell: how many identities are open, the sum of their ranks, and of the ranks' squares; n times
    the sum of squares is the square of the sum exactly when all ranks are equal.
    """
    count, total, square = np.cumsum(sign), np.cumsum(sign * rank), np.cumsum(sign * rank * rank)
    # Where a prefix has so many holders that a product leaves 64 bits, both sides wrap alike: equal ranks stay equal.
    same = (count > 0) & (count * square == total * total)
    owner = np.where(count == 0, UNKNOWN, AMBIGUOUS)
    owner[same] = names[total[same] // count[same]]
    return owner.astype(np.int64)


class _Bounds:
    """The segments that distinct prefixes cut the address space into."""

    def __init__(self, entries: Entries, heads: Ints) -> None:
        domain, length = entries.domain[heads], entries.length[heads]
        first = Addresses(entries.first.high[heads], entries.first.low[heads])
        after, wraps = _after(entries.bits, first, length)
        # A prefix that reaches the end of the address space ends where the next domain starts.
        end_domain = domain + wraps
        highs = np.unique(np.concatenate((first.high, after.high)))
        lows = np.unique(np.concatenate((first.low, after.low)))
        self.keys = _Keys(highs, lows, narrow=entries.bits == IPV4_BITS)
        starts, ends = self.keys.of(domain, first), self.keys.of(end_domain, after)
        lowest = np.array([np.iinfo(np.int64).min])
        self.starts = np.unique(np.concatenate((lowest, starts, ends)))
        self._from = np.searchsorted(self.starts, starts)
        self._to = np.searchsorted(self.starts, ends)

    def nest(self, length: Ints) -> tuple[Ints, Ints]:
        """Innermost prefix of each segment and next wider prefix of each prefix; UNKNOWN where there is none.

        Shorter prefixes paint first and longer ones over them; what lay there before is the parent.
        """
        innermost = np.full(len(self.starts), UNKNOWN, dtype=np.int64)
        parent = np.full(len(length), UNKNOWN, dtype=np.int64)
        for level in np.unique(length):
            members = np.flatnonzero(length == level)
            low, size = self._from[members], self._to[members] - self._from[members]
            # Prefixes of one length never overlap, so all of them paint at once.
            parent[members] = innermost[low]
            offset = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
            innermost[np.repeat(low, size) + offset] = np.repeat(members, size)
        return innermost, parent


def _masks(bits: int, length: Ints) -> tuple[Words, Words]:
    """Network masks in two words."""
    host = (bits - length).astype(np.uint64)
    low = np.where(host >= WORD_BITS, 0, _ones_above(np.minimum(host, WORD_BITS - 1)))
    above = np.where(host > WORD_BITS, np.minimum(host - np.uint64(WORD_BITS), WORD_BITS - 1), 0)
    high = np.where(host == 2 * WORD_BITS, 0, _ones_above(above.astype(np.uint64)))
    return high.astype(np.uint64), low.astype(np.uint64)


def _ones_above(host: Words) -> Words:
    return (np.uint64(0xFFFFFFFFFFFFFFFF) >> host) << host


def _after(bits: int, first: Addresses, length: Ints) -> tuple[Addresses, Ints]:
    """The address right behind each prefix, and 1 where that lies behind the whole address space."""
    mask_high, mask_low = _masks(bits, length)
    last_low, last_high = first.low | ~mask_low, first.high | ~mask_high
    if bits == IPV4_BITS:
        after = first.low + (np.uint64(1) << (np.uint64(32) - length.astype(np.uint64)))
        wraps = after >> np.uint64(32)
        return Addresses(first.high, after & np.uint64(0xFFFFFFFF)), wraps.astype(np.int64)
    low = last_low + np.uint64(1)
    high = last_high + (low == 0)
    return Addresses(high, low), ((low == 0) & (high == 0)).astype(np.int64)
