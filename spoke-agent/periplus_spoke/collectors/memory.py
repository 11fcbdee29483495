"""Give memory back after the first lists: what they needed at once is never needed again."""

import ctypes
import gc
from typing import Final

_GEN0: Final = 5_000
"""Allocations between two young collections: our objects hold no cycles, so they rarely find anything."""


def settle() -> None:
    """Collect, keep what is left out of later collections, and return free pages to the system where that exists."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GEN0)
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return  # not glibc
    trim(0)
