"""Keep the process small: one arena, and memory given back after the first lists, which is never needed again."""

import ctypes
import gc
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8
"""mallopt(3)."""
_GEN0: Final = 5_000
"""Allocations between two young collections: our objects hold no cycles, so they rarely find anything."""


def prepare() -> None:
    """Before the lists: one arena of memory for all threads, as what a helper thread frees is else lost to the rest."""
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
