"""The only place that reads a clock. Everything else is handed one, so tests move time themselves."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for durations."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""

    def wall_us(self) -> int:
        """Wall time, microseconds since the epoch."""

    def monotonic_us(self) -> int:
        """A clock that never steps; its zero means nothing."""


class Timer(Clock, Protocol):
    """A clock that can also be waited on."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        return datetime.now(UTC)

    def wall_us(self) -> int:
        """Wall time, microseconds since the epoch."""
        return time.time_ns() // 1_000

    def monotonic_us(self) -> int:
        """Microseconds since some moment before the process started."""
        return time.monotonic_ns() // 1_000

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(seconds)
