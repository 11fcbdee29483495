"""Sorted prefixes as columns and as integers, and where a prefix's subtree is among them. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.prefixes.columns import U64
from periplus_hub.addresses.prefixes.prefix import ADDRESS_BITS, FAMILY_BITS, IPV4, Prefix

_HALF: Final = 64
_LOW: Final = (1 << _HALF) - 1
_LENGTH_BITS: Final = 8
LENGTH_MASK: Final = (1 << _LENGTH_BITS) - 1
_SHIFT: Final = {family: ADDRESS_BITS - bits for family, bits in FAMILY_BITS.items()}
_V4_SHIFT: Final = _SHIFT[IPV4]


class FamilyPrefixes(NamedTuple):
    """Prefixes of one family as columns: left-aligned halves and length."""

    high: U64
    low: U64
    length: npt.NDArray[np.uint8]

    def as_integers(self, family: int) -> list[int]:
        """As integers: `address << 8 | length`, with the family's own width, so that IPv4 stays in 64 bits."""
        if family == IPV4:
            short = (self.high >> np.uint64(_V4_SHIFT - _HALF)) << np.uint64(_LENGTH_BITS)
            return (short | self.length).tolist()  # type: ignore[no-any-return]  # integers of a column
        rows = zip(self.high.tolist(), self.low.tolist(), self.length.tolist(), strict=True)
        return [(high << _HALF | low) << _LENGTH_BITS | length for high, low, length in rows]

    def repeat(self, counts: npt.NDArray[np.int64]) -> "FamilyPrefixes":
        """Each prefix as often as `counts` says."""
        return FamilyPrefixes(np.repeat(self.high, counts), np.repeat(self.low, counts), np.repeat(self.length, counts))

    def take(self, rows: npt.NDArray[np.int64]) -> "FamilyPrefixes":
        """Some of them."""
        return FamilyPrefixes(self.high[rows], self.low[rows], self.length[rows])

    def joined(self, other: "FamilyPrefixes") -> "FamilyPrefixes":
        """These, then the other's."""
        return FamilyPrefixes(
            np.append(self.high, other.high), np.append(self.low, other.low), np.append(self.length, other.length)
        )

    def equal(self, other: "FamilyPrefixes") -> npt.NDArray[np.bool_]:
        """Which are the same as the other's in their place."""
        same: npt.NDArray[np.bool_] = np.logical_and(self.high == other.high, self.low == other.low)
        same &= self.length == other.length
        return same

    @classmethod
    def of_integers(cls, integers: list[int], family: int) -> "FamilyPrefixes":
        """Back from integers."""
        if family == IPV4:
            short = np.array(integers, dtype=np.uint64)
            high = (short >> np.uint64(_LENGTH_BITS)) << np.uint64(_V4_SHIFT - _HALF)
            return cls(high, np.zeros_like(high), (short & np.uint64(LENGTH_MASK)).astype(np.uint8))
        return cls.of_prefixes([Prefix(family, address_of(each, family), each & LENGTH_MASK) for each in integers])

    @classmethod
    def of_prefixes(cls, prefixes: Sequence[Prefix]) -> "FamilyPrefixes":
        """Prefixes of one family."""
        return cls(
            np.array([prefix.value >> _HALF for prefix in prefixes], dtype=np.uint64),
            np.array([prefix.value & _LOW for prefix in prefixes], dtype=np.uint64),
            np.array([prefix.length for prefix in prefixes], dtype=np.uint8),
        )


def integer_of(value: int, length: int, family: int) -> int:
    """A prefix as `as_integers` writes it; their order is tree order."""
    return (value >> _SHIFT[family]) << _LENGTH_BITS | length


def address_of(integer: int, family: int) -> int:
    """The left-aligned value of such an integer."""
    return (integer >> _LENGTH_BITS) << _SHIFT[family]


def subtree_ends(prefixes: FamilyPrefixes, of: FamilyPrefixes) -> npt.NDArray[np.int64]:
    """Among sorted distinct prefixes, the position behind the last descendant of each one asked for."""
    outer = np.minimum(of.length, _HALF).astype(np.uint64)
    high_hosts = np.where(outer == 0, np.uint64(2**64 - 1), _ones(np.uint64(_HALF) - outer))
    inner = (np.maximum(of.length, _HALF) - _HALF).astype(np.uint64)
    low_hosts = _ones(np.uint64(_HALF) - inner)
    # All of IPv4, and IPv6 that ends at /64: one column of integers, which numpy searches several times faster than
    # texts of 16 bytes.
    if _fits_high(prefixes) and _fits_high(of):
        return np.searchsorted(prefixes.high, of.high | high_hosts, side="right").astype(np.int64)
    lasts = _texts(of.high | high_hosts, of.low | low_hosts)
    return np.searchsorted(_texts(prefixes.high, prefixes.low), lasts, side="right").astype(np.int64)


def subtree_starts(prefixes: FamilyPrefixes, of: FamilyPrefixes) -> npt.NDArray[np.int64]:
    """Among sorted distinct prefixes, the position of each one asked for, or of what would be its first descendant.

    Nothing shorter may start at the same address: they are maximal.
    """
    if _fits_high(prefixes) and _fits_high(of):
        return np.searchsorted(prefixes.high, of.high).astype(np.int64)
    return np.searchsorted(_texts(prefixes.high, prefixes.low), _texts(of.high, of.low)).astype(np.int64)


def _fits_high(columns: FamilyPrefixes) -> bool:
    return not columns.low.any() and (not len(columns.length) or int(columns.length.max()) <= _HALF)


def _ones(bits: U64) -> U64:
    """2^bits - 1; numpy shifts by the full width are undefined, so 64 is its own case."""
    full = bits == np.uint64(64)
    shifted = (np.uint64(1) << np.where(full, np.uint64(0), bits)) - np.uint64(1)
    return np.where(full, np.uint64(2**64 - 1), shifted)


def _texts(high: U64, low: U64) -> npt.NDArray[np.bytes_]:
    """Both halves as 16 bytes whose byte order is number order, because numpy has no 128-bit integer."""
    return np.stack((high, low), axis=1).astype(">u8").view("S16").reshape(-1)
