"""A clock that moves only when a test moves it; it serves the hub's and the spoke's protocols alike."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class FakeClock:
    """Stands still at `start` until `advance`."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic_us = 1_000_000_000

    def advance(self, seconds: float) -> None:
        """Move wall and monotonic time together."""
        self._now += timedelta(seconds=seconds)
        self._monotonic_us += round(seconds * 1_000_000)

    def step_wall(self, seconds: float) -> None:
        """An operator sets the wall clock; monotonic time does not notice."""
        self._now += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Aware, in UTC."""
        return self._now

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return (self._now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def monotonic_us(self) -> int:
        """Microseconds since some moment."""
        return self._monotonic_us

    def monotonic_s(self) -> float:
        """Seconds since the same moment."""
        return self._monotonic_us / 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.advance(seconds)
