"""The one place that asks the machine what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Clock(Protocol):
    """What time it is; handed to whoever needs to know."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds since the machine started, roughly."""
        return time.monotonic()


def unix_us(moment: datetime) -> int:
    """As the wire counts time: whole microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
