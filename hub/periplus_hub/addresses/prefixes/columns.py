"""Many CIDRs as columns, of both families."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.prefixes.prefix import IPV4

U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class PrefixColumns:
    """Prefixes of both families as columns: left-aligned halves and length, one row per allocation."""

    family: npt.NDArray[np.uint8]
    high: U64
    low: U64
    length: npt.NDArray[np.uint8]

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "PrefixColumns":
        """Some of the rows."""
        return PrefixColumns(self.family[rows], self.high[rows], self.low[rows], self.length[rows])


def columns_from_arrays(first: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8]) -> PrefixColumns:
    """Stored keys as bytes, both of shape (rows, KEY_BYTES)."""
    family = first[:, 0].copy()
    first_high, first_low = _halves(first)
    last_high, last_low = _halves(last)
    host_bits = _bit_length(first_high ^ last_high, first_low ^ last_low)
    is4 = family == IPV4
    length = np.where(is4, 32, 128) - host_bits
    return PrefixColumns(
        family,
        np.where(is4, first_low << np.uint64(32), first_high),
        np.where(is4, np.uint64(0), first_low),
        length.astype(np.uint8),
    )


def _halves(keys: npt.NDArray[np.uint8]) -> tuple[U64, U64]:
    words = np.ascontiguousarray(keys[:, 1:]).view(">u8").astype(np.uint64)
    return words[:, 0], words[:, 1]


def _bit_length(high: U64, low: U64) -> npt.NDArray[np.int64]:
    """Of xor values that are 2^n - 1, so counting ones is the length."""
    return np.bitwise_count(high).astype(np.int64) + np.bitwise_count(low).astype(np.int64)
