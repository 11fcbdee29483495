"""The counted forest, cut into chunks so that one change moves a few kilobytes instead of the whole register.

Pure numpy. Each chunk holds consecutive distinct prefixes in tree order with their entries; a chunk's arrays are
views of the build until it is first changed. One family at a time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.forest_build import Codes, Forest, GroupStats, groups_of, subtree_ends
from periplus_hub.addresses.prefixes import ADDRESS_BITS, U64
from periplus_hub.addresses.severity import NONE, Counts

CHUNK_ENTRIES: Final = 4096
_HALF: Final = 64
_LOW: Final = (1 << _HALF) - 1
_NONE: Final = np.zeros(0, dtype=np.int64)
_NO_CODES: Final = np.zeros(0, dtype=np.int32)


class Place(NamedTuple):
    """A position: chunk, and prefix within it."""

    chunk: int
    at: int


class Chunk:
    """Consecutive prefixes: columns `high`, `low`, `length`, `sizes` (entries each), `down`, and all `codes`."""

    __slots__ = ("codes", "down", "high", "length", "low", "sizes")

    def __init__(  # noqa: PLR0917 (columns of one table)
        self,
        high: U64,
        low: U64,
        length: npt.NDArray[np.uint8],
        sizes: npt.NDArray[np.int64],
        codes: Codes,
        down: Counts,
    ) -> None:
        self.high = high
        self.low = low
        self.length = length
        self.sizes = sizes
        self.codes = codes
        self.down = down

    def bound(self, value: int, length: int) -> int:
        """The first index at or behind (value, length)."""
        high, low = np.uint64(value >> _HALF), np.uint64(value & _LOW)
        start = int(self.high.searchsorted(high))
        if start == len(self.high) or self.high[start] != high:
            return start
        stop = int(self.high.searchsorted(high, side="right"))
        lows = self.low[start:stop]
        first = start + int(lows.searchsorted(low))
        if first == stop or self.low[first] != low:
            return first
        last = start + int(lows.searchsorted(low, side="right"))
        return first + int(self.length[first:last].searchsorted(np.int64(length)))

    def key(self, index: int) -> tuple[int, int]:
        """(value, length) of the prefix at `index`."""
        return int(self.high[index]) << _HALF | int(self.low[index]), int(self.length[index])

    def offset(self, index: int) -> int:
        """Where the entries of prefix `index` start."""
        return int(self.sizes[:index].sum())

    def own(self, index: int) -> Codes:
        """The entries of prefix `index`."""
        start = self.offset(index)
        return self.codes[start : start + int(self.sizes[index])]

    def insert(self, index: int, value: int, length: int) -> None:
        """A new prefix without entries."""
        self.high = _with(self.high, index, np.uint64(value >> _HALF))
        self.low = _with(self.low, index, np.uint64(value & _LOW))
        self.length = _with(self.length, index, length)
        self.sizes = _with(self.sizes, index, 0)
        self.down = _with(self.down, index, 0)

    def drop(self, index: int) -> None:
        """Take out a prefix without entries."""
        self.high = _without(self.high, index)
        self.low = _without(self.low, index)
        self.length = _without(self.length, index)
        self.sizes = _without(self.sizes, index)
        self.down = _without(self.down, index)

    def put(self, index: int, code: int) -> None:
        """A new entry of prefix `index`."""
        start = self.offset(index)
        spot = start + int(self.own(index).searchsorted(np.int32(code)))
        self.codes = _with(self.codes, spot, code)
        self.sizes = _owned(self.sizes)
        self.sizes[index] += 1

    def pull(self, index: int, code: int) -> None:
        """Take out an entry that is there."""
        spot = self.offset(index) + int(self.own(index).searchsorted(np.int32(code)))
        self.codes = _without(self.codes, spot)
        self.sizes = _owned(self.sizes)
        self.sizes[index] -= 1

    def count(self, index: int, delta: Counts) -> None:
        """Add to what is counted at prefix `index`."""
        self.down = _owned(self.down)
        self.down[index] += delta

    def cut(self, start: int, stop: int) -> "Chunk":
        """The prefixes [start, stop)."""
        first, last = self.offset(start), self.offset(stop)
        span = slice(start, stop)
        return Chunk(
            self.high[span],
            self.low[span],
            self.length[span],
            self.sizes[span],
            self.codes[first:last],
            self.down[span],
        )


class Chunks:
    """All prefixes of one family, found by bisection over the chunks' first keys."""

    def __init__(self, forest: Forest, family: int) -> None:
        self.family = family
        self.chunks = list(_cut(forest))
        self.firsts = [chunk.key(0) for chunk in self.chunks]
        self._lengths = np.bincount(forest.length, minlength=ADDRESS_BITS + 1)

    def bound(self, value: int, length: int) -> Place:
        """The place at or behind (value, length); may be one behind the last prefix of a chunk."""
        chunk = max(bisect_right(self.firsts, (value, length)) - 1, 0)
        if not self.chunks:
            return Place(0, 0)
        return Place(chunk, self.chunks[chunk].bound(value, length))

    def holds(self, place: Place, value: int, length: int) -> bool:
        """Whether the prefix stands exactly at `place`."""
        if place.chunk >= len(self.chunks) or place.at >= len(self.chunks[place.chunk].length):
            return False
        return self.chunks[place.chunk].key(place.at) == (value, length)

    def ancestors(self, value: int, length: int) -> list[tuple[Place, int, int]]:
        """Every prefix that strictly contains the given one, nearest first.

        Each step looks at the greatest prefix before the query: it contains us, or it says how long our next
        ancestor can be at most. So the walk is as long as the tree is deep, plus a few steps.
        """
        shortest = int(np.argmax(self._lengths > 0))
        found: list[tuple[Place, int, int]] = []
        query = (value, length)
        while True:
            place = self._before(self.bound(*query))
            if place is None:
                return found
            other, other_length = self.chunks[place.chunk].key(place.at)
            common = min(other_length, ADDRESS_BITS - (other ^ value).bit_length())
            if common == other_length:
                found.append((place, other, other_length))
                query = (other, other_length)
            else:
                query = (value >> (ADDRESS_BITS - common) << (ADDRESS_BITS - common), common + 1)
            if common < shortest or (common == shortest == other_length):
                return found

    def _before(self, place: Place) -> Place | None:
        if place.at:
            return Place(place.chunk, place.at - 1)
        if place.chunk == 0:
            return None
        return Place(place.chunk - 1, len(self.chunks[place.chunk - 1].length) - 1)

    def behind(self, value: int, length: int) -> Place:
        """The place behind the prefix's subtree."""
        if (value + (1 << (ADDRESS_BITS - length))) >> ADDRESS_BITS:
            return Place(max(len(self.chunks) - 1, 0), len(self.chunks[-1].length) if self.chunks else 0)
        return self.bound(value + (1 << (ADDRESS_BITS - length)), 0)

    def _spans(self, start: Place, stop: Place) -> Iterator[tuple[Chunk, int, int]]:
        for number in range(start.chunk, min(stop.chunk + 1, len(self.chunks))):
            chunk = self.chunks[number]
            first = start.at if number == start.chunk else 0
            last = stop.at if number == stop.chunk else len(chunk.length)
            if first < last:
                yield chunk, first, last

    def codes(self, start: Place, stop: Place) -> Codes:
        """All entries of the prefixes in [start, stop), in order."""
        parts = [chunk.codes[chunk.offset(i) : chunk.offset(j)] for chunk, i, j in self._spans(start, stop)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)

    def groups(self, start: Place, stop: Place) -> list[GroupStats]:
        """The maximal prefixes in [start, stop) that have pairs below them."""
        spans = list(self._spans(start, stop))
        if not spans:
            return []
        high = np.concatenate([chunk.high[i:j] for chunk, i, j in spans])
        low = np.concatenate([chunk.low[i:j] for chunk, i, j in spans])
        length = np.concatenate([chunk.length[i:j] for chunk, i, j in spans])
        sizes = np.concatenate([chunk.sizes[i:j] for chunk, i, j in spans])
        down = np.concatenate([chunk.down[i:j] for chunk, i, j in spans])
        starts = np.concatenate((_NONE, [0], np.cumsum(sizes)))
        ends = subtree_ends(high, low, length)
        return groups_of(Forest(high, low, length, starts, self.codes(start, stop), ends, down), self.family)

    def add(self, place: Place, value: int, length: int) -> Place:
        """A new prefix at its bound; returns where it stands."""
        self._lengths[length] += 1
        if not self.chunks:
            self.chunks.append(_empty())
            self.firsts.append((value, length))
        self.chunks[place.chunk].insert(place.at, value, length)
        if place.at == 0:
            self.firsts[place.chunk] = (value, length)
        return place

    def discard(self, place: Place) -> None:
        """Take out a prefix without entries."""
        chunk = self.chunks[place.chunk]
        self._lengths[int(chunk.length[place.at])] -= 1
        chunk.drop(place.at)
        if not len(chunk.length):
            del self.chunks[place.chunk], self.firsts[place.chunk]
        elif place.at == 0:
            self.firsts[place.chunk] = chunk.key(0)

    def balance(self, number: int) -> None:
        """Halve a chunk that grew too large."""
        chunk = self.chunks[number]
        if len(chunk.codes) <= 2 * CHUNK_ENTRIES or len(chunk.length) < 2:  # noqa: PLR2004 (halves need two)
            return
        middle = int(np.searchsorted(np.cumsum(chunk.sizes), len(chunk.codes) // 2))
        middle = min(max(middle, 1), len(chunk.length) - 1)
        self.chunks[number : number + 1] = [chunk.cut(0, middle), chunk.cut(middle, len(chunk.length))]
        self.firsts.insert(number + 1, self.chunks[number + 1].key(0))

    def nbytes(self) -> int:
        """Memory of all columns."""
        return sum(
            array.nbytes
            for chunk in self.chunks
            for array in (chunk.high, chunk.low, chunk.length, chunk.sizes, chunk.codes, chunk.down)
        )


def _cut(forest: Forest) -> Iterator[Chunk]:
    """Chunks of about CHUNK_ENTRIES entries; a prefix is never cut."""
    count = len(forest.length)
    if not count:
        return
    numbers = forest.starts[:-1] // CHUNK_ENTRIES
    bounds = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), count]
    sizes = np.diff(forest.starts)
    for start, stop in pairwise(bounds):
        yield Chunk(
            forest.high[start:stop],
            forest.low[start:stop],
            forest.length[start:stop],
            sizes[start:stop],
            forest.codes[int(forest.starts[start]) : int(forest.starts[stop])],
            forest.down[start:stop],
        )


def _empty() -> Chunk:
    zero = np.zeros(0, dtype=np.uint64)
    return Chunk(zero, zero, np.zeros(0, dtype=np.uint8), _NONE, _NO_CODES, np.zeros((0, NONE), dtype=np.int64))


def _owned(column: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The column itself, or a copy while it is still a view of the build's (or a larger chunk's)."""
    return column if column.base is None else column.copy()


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _with(column: npt.NDArray[_Scalar], index: int, value: object) -> npt.NDArray[_Scalar]:
    """As np.insert of one row, at a tenth of its overhead."""
    grown = np.empty((len(column) + 1, *column.shape[1:]), dtype=column.dtype)
    grown[:index], grown[index], grown[index + 1 :] = column[:index], value, column[index:]
    return grown


def _without(column: npt.NDArray[_Scalar], index: int) -> npt.NDArray[_Scalar]:
    return np.concatenate((column[:index], column[index + 1 :]))
