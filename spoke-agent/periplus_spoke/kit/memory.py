"""Keep the process small: one arena, small TLS buffers, and memory given back after the first lists."""

import ctypes
import gc
from asyncio import sslproto
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8
"""mallopt(3)."""
_GEN0: Final = 5_000
"""Allocations between two young collections: our objects hold no cycles, so they rarely find anything."""
_TLS_READ_BYTES: Final = 32 * 1024
"""Two TLS records. asyncio keeps a buffer of 256 KiB per connection, and every kind is a watch on its own."""


def prepare() -> None:
    """Before the first thread and connection: one arena for all threads, as what a helper frees is else lost to us."""
    sslproto.SSLProtocol.max_size = _TLS_READ_BYTES
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """Collect, keep what is left out of later collections, and return free pages to the system where that exists."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GEN0)
    trim()


def trim() -> None:
    """Return free pages to the system; some milliseconds, so once a window and not more often."""
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
