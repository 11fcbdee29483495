"""Rows that are found by what a stranger presents, like the public part of a token: read again every five seconds."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.errors import Unavailable

T = TypeVar("T")

CACHE_S: Final = 5.0
_MOST_ROWS: Final = 10_000
_MOST_STRANGERS: Final = 1_000
_NEWCOMERS: Final = 2
"""So many keys that were never seen are looked up at once: strangers cannot take every connection."""
_MAX_WAITING: Final = 1_000


@dataclass(slots=True)
class RecentRows(Generic[T]):
    """What `read` finds for a key, as it was within the last five seconds. One event loop owns them."""

    clock: Clock
    read: Callable[[str], Awaitable[T | None]]
    what: str
    """Said of those that wait, like tokens."""
    _known: OrderedDict[str, tuple[float, T]] = field(default_factory=OrderedDict)
    _unknown: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _newcomers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_NEWCOMERS))
    _waiting: int = 0

    async def find(self, key: str) -> T | None:
        """The row; None: there is none."""
        known, row = self._remembered(key)
        if known:
            return row
        # It was ours a moment ago, so it does not queue behind what strangers make up.
        if key in self._known:
            return await self._read(key)
        if self._waiting >= _MAX_WAITING:
            raise Unavailable(f"too many {self.what} wait for being looked up", "Try again in a few seconds.")
        self._waiting += 1
        try:
            async with self._newcomers:
                known, row = self._remembered(key)
                return row if known else await self._read(key)
        finally:
            self._waiting -= 1

    def forget(self, key: str) -> None:
        """It was changed here: the next to ask reads it."""
        self._known.pop(key, None)
        self._unknown.pop(key, None)

    def _remembered(self, key: str) -> tuple[bool, T | None]:
        """Whether it was looked up a moment ago, and what was found."""
        since_s = self.clock.monotonic_s() - CACHE_S
        at_s, row = self._known.get(key, (since_s, None))
        if at_s > since_s:
            return True, row
        return self._unknown.get(key, since_s) > since_s, None

    async def _read(self, key: str) -> T | None:
        now_s = self.clock.monotonic_s()
        found = await self.read(key)
        if found is None:
            self._known.pop(key, None)
            # Remembered too: who tries one wrong key again and again would otherwise ask the database each time.
            self._unknown[key] = now_s
            while len(self._unknown) > _MOST_STRANGERS:
                self._unknown.popitem(last=False)
            return None
        self._known[key] = (now_s, found)
        while len(self._known) > _MOST_ROWS:
            self._known.popitem(last=False)
        return found
