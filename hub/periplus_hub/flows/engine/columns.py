"""Columns of the store and of the inventory, as arrays of numbers and as plain bytes. Pure."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

UUID_BYTES: Final = pa.binary(16)
END_PARTS: Final = ("owner", "namespace", "kind", "workload")
"""What names an end: the 16 bytes of its cluster, and texts."""
_WORD_BITS: Final = 32
_SEPARATOR: Final = b"\x1f"


def numbers(values: pa.ChunkedArray) -> Ints:
    """As signed 64-bit."""
    return np.asarray(values.to_numpy()).astype(np.int64)


def words(values: pa.ChunkedArray) -> Words:
    """As unsigned 64-bit."""
    return np.asarray(values.to_numpy()).astype(np.uint64)


def two_words(high: Ints, low: Ints) -> Words:
    """Numbers of 64 bits that are made of two of 32."""
    return high.astype(np.uint64) << np.uint64(_WORD_BITS) | low.astype(np.uint64)


def halves(values: pa.ChunkedArray) -> tuple[Ints, Ints]:
    """The two numbers that each is made of."""
    both = words(values)
    return (both >> np.uint64(_WORD_BITS)).astype(np.int64), (both & np.uint64(2**_WORD_BITS - 1)).astype(np.int64)


def plain(values: pa.Array) -> pa.Array:
    """Without what the library calls 16 bytes."""
    return values.storage.cast(UUID_BYTES) if isinstance(values, pa.ExtensionArray) else values


def uuid_bytes(texts: pa.ChunkedArray) -> pa.Array:
    """The 16 bytes of each id."""
    encoded = texts.combine_chunks().dictionary_encode()
    ids = pa.array([UUID(text).bytes for text in encoded.dictionary.to_pylist()], UUID_BYTES)
    return ids.take(encoded.indices)


def joined(parts: Iterable[pa.Array]) -> pa.Array:
    """One key for each row, of ids and texts."""
    return pc.binary_join_element_wise(*(plain(each).cast(pa.binary()) for each in parts), _SEPARATOR)


def end_keys(ends: pa.Table) -> pa.Array:
    """One key for each row of a table that names ends."""
    return joined(ends.column(name).combine_chunks() for name in END_PARTS)


def changes(*columns: npt.NDArray[Any]) -> Flags:
    """Where any of the columns is another than in the row before, and in the first row."""
    new = np.zeros(len(columns[0]), dtype=np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new
