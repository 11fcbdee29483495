"""The counted forest, cut into chunks so that one change moves a few kilobytes instead of the whole register.

Pure numpy. Each chunk holds consecutive distinct prefixes in tree order with their entries; a chunk's arrays are
views of the build until it is first changed. One family at a time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.forest import Forest
from periplus_hub.addresses.overlaps.engine.pair_counts import Codes, PairCounts
from periplus_hub.addresses.overlaps.engine.severity import NO_OVERLAP
from periplus_hub.addresses.prefixes.prefix import ADDRESS_BITS
from periplus_hub.addresses.prefixes.sorted_prefixes import (
    LENGTH_MASK,
    FamilyPrefixes,
    address_of,
    integer_of,
    subtree_ends,
)

CHUNK_ENTRIES: Final = 1024
_NONE: Final = np.zeros(0, dtype=np.int64)
_NO_CODES: Final = np.zeros(0, dtype=np.int32)
_NO_PAIRS: Final = np.zeros((0, NO_OVERLAP), dtype=np.int32)
_NO_HALVES: Final = np.zeros(0, dtype=np.uint64)
_NO_LENGTHS: Final = np.zeros(0, dtype=np.uint8)
_STEPS: Final = {step: step * np.eye(NO_OVERLAP + 1, NO_OVERLAP, dtype=np.int32) for step in (1, -1)}
"""By severity code: what one pair more or less adds to an entry's pairs."""


class Entries(NamedTuple):
    """Entries in tree order, and the pairs each takes part in."""

    codes: Codes
    pair_counts: PairCounts


def join_entries(parts: Sequence[Entries]) -> Entries:
    """One after the other."""
    if len(parts) == 1:
        return parts[0]
    codes, pair_counts = [part.codes for part in parts], [part.pair_counts for part in parts]
    return Entries(np.concatenate([_NO_CODES, *codes]), np.concatenate([_NO_PAIRS, *pair_counts]))


class ChunkPosition(NamedTuple):
    """A position: chunk, and prefix within it."""

    chunk: int
    at: int


class Chunk:
    """Consecutive `prefixes`, their `sizes` (entries each), and all entries: `codes` and `pair_counts`.

    The prefixes are columns as they came from the build, until somebody looks: then they are one sorted list of
    integers (`integer_of`), which Python bisects and inserts into faster than numpy does in small columns.
    """

    __slots__ = ("_columns", "_family", "_prefixes", "codes", "pair_counts", "sizes")

    def __init__(
        self,
        prefixes: FamilyPrefixes | list[int],
        family: int,
        sizes: npt.NDArray[np.int64],
        codes: Codes,
        pair_counts: PairCounts,
    ) -> None:
        self._columns = prefixes if isinstance(prefixes, FamilyPrefixes) else None
        self._prefixes = prefixes if isinstance(prefixes, list) else []
        self._family = family
        self.sizes = sizes
        self.codes = codes
        self.pair_counts = pair_counts

    @property
    def prefixes(self) -> list[int]:
        """Sorted: parents before children."""
        if self._columns is not None:
            self._prefixes = self._columns.as_integers(self._family)
            self._columns = None
        return self._prefixes

    @property
    def columns(self) -> FamilyPrefixes:
        """The prefixes as columns."""
        return FamilyPrefixes.of_integers(self._prefixes, self._family) if self._columns is None else self._columns

    @property
    def first(self) -> int:
        """The first prefix, as an integer."""
        if self._columns is None:
            return self._prefixes[0]
        high, low, length = self._columns
        return FamilyPrefixes(high[:1], low[:1], length[:1]).as_integers(self._family)[0]

    def __len__(self) -> int:
        return len(self.sizes)

    def offset(self, index: int) -> int:
        """Where the entries of prefix `index` start."""
        return int(np.add.reduce(self.sizes[:index]))

    def own(self, index: int) -> Codes:
        """The entries of prefix `index`."""
        start = self.offset(index)
        return self.codes[start : start + int(self.sizes[index])]

    def insert(self, index: int, prefix: int) -> None:
        """A new prefix without entries."""
        self.prefixes.insert(index, prefix)
        self.sizes = _with(self.sizes, index, 0)

    def drop(self, index: int) -> None:
        """Take out a prefix without entries."""
        del self.prefixes[index]
        self.sizes = _without(self.sizes, index)

    def put(self, index: int, code: int, pairs: PairCounts) -> None:
        """A new entry of prefix `index` with the pairs it takes part in."""
        start = self.offset(index)
        spot = start + int(self.own(index).searchsorted(np.int32(code)))
        self.codes = _with(self.codes, spot, code)
        self.pair_counts = _with(self.pair_counts, spot, pairs)
        self.sizes = _owned(self.sizes)
        self.sizes[index] += 1

    def pull(self, index: int, code: int) -> None:
        """Take out an entry that is there."""
        spot = self.offset(index) + int(self.own(index).searchsorted(np.int32(code)))
        self.codes = _without(self.codes, spot)
        self.pair_counts = _without(self.pair_counts, spot)
        self.sizes = _owned(self.sizes)
        self.sizes[index] -= 1

    def add_pairs(self, start: int, stop: int, severities: npt.NDArray[np.int8], step: int) -> PairCounts:
        """Every entry of the prefixes [start, stop) gains (or loses) one pair; returns the pairs per severity.

        `severities` are by code.
        """
        first, last = self.offset(start), self.offset(stop)
        found = severities[self.codes[first:last]]
        pairs = np.bincount(found, minlength=NO_OVERLAP + 1)[:NO_OVERLAP].astype(np.int32)
        if pairs.any():
            self.pair_counts = _owned(self.pair_counts)
            self.pair_counts[first:last] += _STEPS[step][found]
        return pairs

    def cut(self, start: int, stop: int) -> "Chunk":
        """The prefixes [start, stop)."""
        first, last = self.offset(start), self.offset(stop)
        codes, pair_counts = self.codes[first:last], self.pair_counts[first:last]
        return Chunk(self.prefixes[start:stop], self._family, self.sizes[start:stop], codes, pair_counts)


class ChunkedForest:
    """All prefixes of one family, found by bisection over the first prefix of each chunk."""

    def __init__(self, forest: Forest, family: int) -> None:
        self.family = family
        self.chunks = list(_cut(forest, family))
        starts = [int(start) for start in _bounds(forest)[:-1]]
        self.firsts = FamilyPrefixes(forest.high[starts], forest.low[starts], forest.length[starts]).as_integers(family)
        self._lengths = np.bincount(forest.length, minlength=ADDRESS_BITS + 1).tolist()

    def bound(self, value: int, length: int) -> ChunkPosition:
        """The place at or behind (value, length); may be one behind the last prefix of a chunk."""
        if not self.chunks:
            return ChunkPosition(0, 0)
        prefix = integer_of(value, length, self.family)
        chunk = max(bisect_right(self.firsts, prefix) - 1, 0)
        return ChunkPosition(chunk, bisect_left(self.chunks[chunk].prefixes, prefix))

    def holds(self, place: ChunkPosition, value: int, length: int) -> bool:
        """Whether the prefix stands exactly at `place`."""
        if place.chunk >= len(self.chunks):
            return False
        prefixes = self.chunks[place.chunk].prefixes
        return place.at < len(prefixes) and prefixes[place.at] == integer_of(value, length, self.family)

    def ancestors(self, value: int, length: int) -> list[tuple[ChunkPosition, int, int]]:
        """Every prefix that strictly contains the given one, nearest first.

        Each step looks at the greatest prefix before the query: it contains us, or it says how long our next
        ancestor can be at most. So the walk is as long as the tree is deep, plus a few steps.
        """
        shortest = next((size for size, count in enumerate(self._lengths) if count), ADDRESS_BITS)
        found: list[tuple[ChunkPosition, int, int]] = []
        query = (value, length)
        while True:
            place = self._before(self.bound(*query))
            if place is None:
                return found
            prefix = self.chunks[place.chunk].prefixes[place.at]
            other, other_length = address_of(prefix, self.family), prefix & LENGTH_MASK
            # How many leading bits both have in common, at most all of the other's.
            common = min(other_length, ADDRESS_BITS - (other ^ value).bit_length())
            if common == other_length:
                found.append((place, other, other_length))
                query = (other, other_length)
            else:
                # A prefix around us longer than `common` would sort between `other` and us, and nothing does. So the
                # next look is from right behind where the longest that is left would be.
                query = (value >> (ADDRESS_BITS - common) << (ADDRESS_BITS - common), common + 1)
            if common < shortest or (common == shortest == other_length):
                return found

    def _before(self, place: ChunkPosition) -> ChunkPosition | None:
        if place.at:
            return ChunkPosition(place.chunk, place.at - 1)
        if place.chunk == 0:
            return None
        return ChunkPosition(place.chunk - 1, len(self.chunks[place.chunk - 1]) - 1)

    def behind(self, value: int, length: int) -> ChunkPosition:
        """The place behind the prefix's subtree."""
        # At the first address after it, where length 0 sorts before whatever starts there.
        return self.bound(value + (1 << (ADDRESS_BITS - length)), 0)

    def spans(self, start: ChunkPosition, stop: ChunkPosition) -> Iterator[tuple[Chunk, int, int]]:
        """The chunks with prefixes in [start, stop), and which of theirs."""
        for number in range(start.chunk, min(stop.chunk + 1, len(self.chunks))):
            chunk = self.chunks[number]
            first = start.at if number == start.chunk else 0
            last = stop.at if number == stop.chunk else len(chunk)
            if first < last:
                yield chunk, first, last

    def entries(self, start: ChunkPosition, stop: ChunkPosition) -> Entries:
        """All entries of the prefixes in [start, stop), in order."""
        spans = [(chunk, chunk.offset(i), chunk.offset(j)) for chunk, i, j in self.spans(start, stop)]
        return join_entries([Entries(chunk.codes[i:j], chunk.pair_counts[i:j]) for chunk, i, j in spans])

    def columns(self, start: ChunkPosition, stop: ChunkPosition) -> tuple[FamilyPrefixes, npt.NDArray[np.int64]]:
        """The prefixes in [start, stop), and how many entries each has."""
        spans = list(self.spans(start, stop))
        parts = [(chunk.columns, i, j) for chunk, i, j in spans]
        return FamilyPrefixes(
            np.concatenate([_NO_HALVES, *(columns.high[i:j] for columns, i, j in parts)]),
            np.concatenate([_NO_HALVES, *(columns.low[i:j] for columns, i, j in parts)]),
            np.concatenate([_NO_LENGTHS, *(columns.length[i:j] for columns, i, j in parts)]),
        ), np.concatenate([_NONE, *(chunk.sizes[i:j] for chunk, i, j in spans)])

    def whole(self) -> tuple[ChunkPosition, ChunkPosition]:
        """From the first place to the last."""
        return ChunkPosition(0, 0), ChunkPosition(len(self.chunks), 0)

    def as_forest(self, start: ChunkPosition, stop: ChunkPosition) -> Forest:
        """The prefixes in [start, stop) as a forest of their own."""
        columns, sizes = self.columns(start, stop)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        entries = self.entries(start, stop)
        return Forest(*columns, starts, entries.codes, subtree_ends(columns, columns), entries.pair_counts)

    def splice(self, start: ChunkPosition, stop: ChunkPosition, piece: Forest) -> None:
        """Put a forest in the place of the prefixes in [start, stop)."""
        gone = self.columns(start, stop)[0].length
        counts = np.bincount(piece.length, minlength=ADDRESS_BITS + 1) - np.bincount(gone, minlength=ADDRESS_BITS + 1)
        self._lengths = (np.array(self._lengths) + counts).tolist()
        cut = self.chunks[start.chunk : stop.chunk + 1]
        head = [cut[0].cut(0, start.at)] if cut else []
        tail = [cut[-1].cut(stop.at, len(cut[-1]))] if stop.chunk < len(self.chunks) else []
        parts = [chunk for chunk in (*head, *_cut(piece, self.family), *tail) if len(chunk)]
        if sum(len(chunk.codes) for chunk in parts) <= CHUNK_ENTRIES and len(parts) > 1:
            parts = [_joined(parts, self.family)]
        self.chunks[start.chunk : stop.chunk + 1] = parts
        self.firsts[start.chunk : stop.chunk + 1] = [chunk.first for chunk in parts]

    def add(self, place: ChunkPosition, value: int, length: int) -> ChunkPosition:
        """A new prefix at its bound; returns where it stands."""
        self._lengths[length] += 1
        prefix = integer_of(value, length, self.family)
        if not self.chunks:
            self.chunks.append(Chunk([], self.family, _NONE, _NO_CODES, _NO_PAIRS))
            self.firsts.append(prefix)
        self.chunks[place.chunk].insert(place.at, prefix)
        if place.at == 0:
            self.firsts[place.chunk] = prefix
        return place

    def discard(self, place: ChunkPosition) -> None:
        """Take out a prefix without entries."""
        chunk = self.chunks[place.chunk]
        self._lengths[chunk.prefixes[place.at] & LENGTH_MASK] -= 1
        chunk.drop(place.at)
        if not len(chunk):
            del self.chunks[place.chunk], self.firsts[place.chunk]
        elif place.at == 0:
            self.firsts[place.chunk] = chunk.prefixes[0]

    def balance(self, number: int) -> None:
        """Halve a chunk that grew too large."""
        chunk = self.chunks[number]
        if len(chunk.codes) <= 2 * CHUNK_ENTRIES or len(chunk) < 2:  # noqa: PLR2004 - halves need two
            return
        middle = int(np.searchsorted(np.cumsum(chunk.sizes), len(chunk.codes) // 2))
        middle = min(max(middle, 1), len(chunk) - 1)
        self.chunks[number : number + 1] = [chunk.cut(0, middle), chunk.cut(middle, len(chunk))]
        self.firsts.insert(number + 1, self.chunks[number + 1].prefixes[0])

    def nbytes(self) -> int:
        """Memory of all columns, prefixes counted as columns."""
        prefix_bytes = 2 * np.dtype(np.uint64).itemsize + 1
        return sum(
            len(chunk) * prefix_bytes + chunk.sizes.nbytes + chunk.codes.nbytes + chunk.pair_counts.nbytes
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
        columns = FamilyPrefixes(forest.high[start:stop], forest.low[start:stop], forest.length[start:stop])
        first, last = int(forest.starts[start]), int(forest.starts[stop])
        yield Chunk(columns, family, sizes[start:stop], forest.codes[first:last], forest.pair_counts[first:last])


def _joined(parts: Sequence[Chunk], family: int) -> Chunk:
    prefixes = [prefix for part in parts for prefix in part.prefixes]
    sizes = np.concatenate([part.sizes for part in parts])
    return Chunk(prefixes, family, sizes, *join_entries([Entries(part.codes, part.pair_counts) for part in parts]))


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _owned(column: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """The column itself, or a copy while it is still a view of the build's (or a larger chunk's)."""
    return column if column.base is None else column.copy()


def _with(column: npt.NDArray[_Scalar], index: int, value: object) -> npt.NDArray[_Scalar]:
    """As np.insert of one row, at a tenth of its overhead."""
    grown = np.empty((len(column) + 1, *column.shape[1:]), dtype=column.dtype)
    grown[:index], grown[index], grown[index + 1 :] = column[:index], value, column[index:]
    return grown


def _without(column: npt.NDArray[_Scalar], index: int) -> npt.NDArray[_Scalar]:
    return np.concatenate((column[:index], column[index + 1 :]))
