"""The counted forest, cut into chunks so that one change moves a few kilobytes instead of the whole register.

Pure numpy. Each chunk holds consecutive distinct prefixes in tree order with their entries; a chunk's arrays are
views of the build until it is first changed. One family at a time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.forest_build import Codes, Forest, GroupStats, groups_of, subtree_ends
from periplus_hub.addresses.prefixes import ADDRESS_BITS, FAMILY_BITS, IPV4, U64
from periplus_hub.addresses.severity import NONE, Counts

CHUNK_ENTRIES: Final = 1024
_HALF: Final = 64
_LOW: Final = (1 << _HALF) - 1
_LENGTH_BITS: Final = 8
_LENGTH: Final = (1 << _LENGTH_BITS) - 1
_SHIFT: Final = {family: ADDRESS_BITS - bits for family, bits in FAMILY_BITS.items()}
_V4_SHIFT: Final = _SHIFT[IPV4]
_NONE: Final = np.zeros(0, dtype=np.int64)
_NO_CODES: Final = np.zeros(0, dtype=np.int32)


class Place(NamedTuple):
    """A position: chunk, and prefix within it."""

    chunk: int
    at: int


class KeyColumns(NamedTuple):
    """Prefixes as columns: left-aligned halves and length."""

    high: U64
    low: U64
    length: npt.NDArray[np.uint8]

    def keys(self, family: int) -> list[int]:
        """As integers: `address << 8 | length`, with the family's own width, so that IPv4 stays in 64 bits."""
        if family == IPV4:
            short = (self.high >> np.uint64(_V4_SHIFT - _HALF)) << np.uint64(_LENGTH_BITS)
            return (short | self.length).tolist()  # type: ignore[no-any-return]  # integers of a column
        rows = zip(self.high.tolist(), self.low.tolist(), self.length.tolist(), strict=True)
        return [(high << _HALF | low) << _LENGTH_BITS | length for high, low, length in rows]

    @classmethod
    def of(cls, keys: list[int], family: int) -> "KeyColumns":
        """Back from integers."""
        values = [value_of(key, family) for key in keys]
        return cls(
            np.array([value >> _HALF for value in values], dtype=np.uint64),
            np.array([value & _LOW for value in values], dtype=np.uint64),
            np.array([key & _LENGTH for key in keys], dtype=np.uint8),
        )


def key_of(value: int, length: int, family: int) -> int:
    """The key of a left-aligned value; key order is tree order."""
    return (value >> _SHIFT[family]) << _LENGTH_BITS | length


def value_of(key: int, family: int) -> int:
    """The left-aligned value of a key."""
    return (key >> _LENGTH_BITS) << _SHIFT[family]


class Chunk:
    """Consecutive prefixes: their keys, `sizes` (entries each), `down`, and all `codes`.

    The keys are columns as they came from the build, until somebody looks: then they are one sorted list of integers
    (`key_of`), which Python bisects and inserts into faster than numpy does in small columns.
    """

    __slots__ = ("_columns", "_family", "_keys", "codes", "down", "sizes")

    def __init__(
        self, keys: KeyColumns | list[int], family: int, sizes: npt.NDArray[np.int64], codes: Codes, down: Counts
    ) -> None:
        self._columns = keys if isinstance(keys, KeyColumns) else None
        self._keys = keys if isinstance(keys, list) else []
        self._family = family
        self.sizes = sizes
        self.codes = codes
        self.down = down

    @property
    def keys(self) -> list[int]:
        """Sorted: parents before children."""
        if self._columns is not None:
            self._keys = self._columns.keys(self._family)
            self._columns = None
        return self._keys

    @property
    def columns(self) -> KeyColumns:
        """The keys as columns."""
        return self._columns or KeyColumns.of(self._keys, self._family)

    def __len__(self) -> int:
        return len(self.sizes)

    def offset(self, index: int) -> int:
        """Where the entries of prefix `index` start."""
        return int(np.add.reduce(self.sizes[:index]))

    def own(self, index: int) -> Codes:
        """The entries of prefix `index`."""
        start = self.offset(index)
        return self.codes[start : start + int(self.sizes[index])]

    def insert(self, index: int, key: int) -> None:
        """A new prefix without entries."""
        self.keys.insert(index, key)
        self.sizes = _with(self.sizes, index, 0)
        self.down = _with(self.down, index, 0)

    def drop(self, index: int) -> None:
        """Take out a prefix without entries."""
        del self.keys[index]
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
        codes = self.codes[self.offset(start) : self.offset(stop)]
        return Chunk(self.keys[start:stop], self._family, self.sizes[start:stop], codes, self.down[start:stop])


class Chunks:
    """All prefixes of one family, found by bisection over the chunks' first keys."""

    def __init__(self, forest: Forest, family: int) -> None:
        self.family = family
        self.chunks = list(_cut(forest, family))
        starts = [int(start) for start in _bounds(forest)[:-1]]
        self.firsts = KeyColumns(forest.high[starts], forest.low[starts], forest.length[starts]).keys(family)
        self._lengths = np.bincount(forest.length, minlength=ADDRESS_BITS + 1).tolist()

    def bound(self, value: int, length: int) -> Place:
        """The place at or behind (value, length); may be one behind the last prefix of a chunk."""
        if not self.chunks:
            return Place(0, 0)
        key = key_of(value, length, self.family)
        chunk = max(bisect_right(self.firsts, key) - 1, 0)
        return Place(chunk, bisect_left(self.chunks[chunk].keys, key))

    def holds(self, place: Place, value: int, length: int) -> bool:
        """Whether the prefix stands exactly at `place`."""
        if place.chunk >= len(self.chunks):
            return False
        keys = self.chunks[place.chunk].keys
        return place.at < len(keys) and keys[place.at] == key_of(value, length, self.family)

    def ancestors(self, value: int, length: int) -> list[tuple[Place, int, int]]:
        """Every prefix that strictly contains the given one, nearest first.

        Each step looks at the greatest prefix before the query: it contains us, or it says how long our next
        ancestor can be at most. So the walk is as long as the tree is deep, plus a few steps.
        """
        shortest = next((size for size, count in enumerate(self._lengths) if count), ADDRESS_BITS)
        found: list[tuple[Place, int, int]] = []
        query = (value, length)
        while True:
            place = self._before(self.bound(*query))
            if place is None:
                return found
            key = self.chunks[place.chunk].keys[place.at]
            other, other_length = value_of(key, self.family), key & _LENGTH
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
        return Place(place.chunk - 1, len(self.chunks[place.chunk - 1]) - 1)

    def behind(self, value: int, length: int) -> Place:
        """The place behind the prefix's subtree."""
        return self.bound(value + (1 << (ADDRESS_BITS - length)), 0)

    def _spans(self, start: Place, stop: Place) -> Iterator[tuple[Chunk, int, int]]:
        for number in range(start.chunk, min(stop.chunk + 1, len(self.chunks))):
            chunk = self.chunks[number]
            first = start.at if number == start.chunk else 0
            last = stop.at if number == stop.chunk else len(chunk)
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
        columns = [chunk.columns for chunk, _, _ in spans]
        high = np.concatenate([part.high[i:j] for part, (_, i, j) in zip(columns, spans, strict=True)])
        low = np.concatenate([part.low[i:j] for part, (_, i, j) in zip(columns, spans, strict=True)])
        length = np.concatenate([part.length[i:j] for part, (_, i, j) in zip(columns, spans, strict=True)])
        sizes = np.concatenate([chunk.sizes[i:j] for chunk, i, j in spans])
        down = np.concatenate([chunk.down[i:j] for chunk, i, j in spans])
        starts = np.concatenate((_NONE, [0], np.cumsum(sizes)))
        ends = subtree_ends(high, low, length)
        return groups_of(Forest(high, low, length, starts, self.codes(start, stop), ends, down), self.family)

    def add(self, place: Place, value: int, length: int) -> Place:
        """A new prefix at its bound; returns where it stands."""
        self._lengths[length] += 1
        key = key_of(value, length, self.family)
        if not self.chunks:
            self.chunks.append(Chunk([], self.family, _NONE, _NO_CODES, np.zeros((0, NONE), dtype=np.int64)))
            self.firsts.append(key)
        self.chunks[place.chunk].insert(place.at, key)
        if place.at == 0:
            self.firsts[place.chunk] = key
        return place

    def discard(self, place: Place) -> None:
        """Take out a prefix without entries."""
        chunk = self.chunks[place.chunk]
        self._lengths[chunk.keys[place.at] & _LENGTH] -= 1
        chunk.drop(place.at)
        if not len(chunk):
            del self.chunks[place.chunk], self.firsts[place.chunk]
        elif place.at == 0:
            self.firsts[place.chunk] = chunk.keys[0]

    def balance(self, number: int) -> None:
        """Halve a chunk that grew too large."""
        chunk = self.chunks[number]
        if len(chunk.codes) <= 2 * CHUNK_ENTRIES or len(chunk) < 2:  # noqa: PLR2004 - halves need two
            return
        middle = int(np.searchsorted(np.cumsum(chunk.sizes), len(chunk.codes) // 2))
        middle = min(max(middle, 1), len(chunk) - 1)
        self.chunks[number : number + 1] = [chunk.cut(0, middle), chunk.cut(middle, len(chunk))]
        self.firsts.insert(number + 1, self.chunks[number + 1].keys[0])

    def nbytes(self) -> int:
        """Memory of all columns, keys counted as columns."""
        key_bytes = 2 * np.dtype(np.uint64).itemsize + 1
        return sum(
            len(chunk) * key_bytes + chunk.sizes.nbytes + chunk.codes.nbytes + chunk.down.nbytes
            for chunk in self.chunks
        )


def _bounds(forest: Forest) -> npt.NDArray[np.int64]:
    """Where chunks of about CHUNK_ENTRIES entries start, and the end; a prefix is never cut."""
    if not len(forest.length):
        return np.zeros(1, dtype=np.int64)
    numbers = forest.starts[:-1] // CHUNK_ENTRIES
    return np.concatenate(([0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1, [len(forest.length)]))


def _cut(forest: Forest, family: int) -> Iterator[Chunk]:
    sizes = np.diff(forest.starts)
    for start, stop in pairwise(_bounds(forest).tolist()):
        columns = KeyColumns(forest.high[start:stop], forest.low[start:stop], forest.length[start:stop])
        codes = forest.codes[int(forest.starts[start]) : int(forest.starts[stop])]
        yield Chunk(columns, family, sizes[start:stop], codes, forest.down[start:stop])


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
