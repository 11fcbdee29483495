"""When the next request may start: what the hub asked for, held against bounds. Pure but for the clock."""

from typing import Final

from periplus_contract.messages import Pace
from periplus_contract.tables import Kind
from periplus_spoke.kit.clock import Clock

_LANES: Final = 2
_LONGEST_INTERVAL_MS: Final = 60_000


class Pacer:
    """Holds, pauses, pace and withheld kinds. All waiting is by the spoke; nothing the hub says stops it for good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paused_until_us = 0
        self._interval_us = 0
        self._last_start_us: int | None = None
        self._withheld: dict[Kind, int] = {}
        self._in_flight = 0
        self._most_in_flight = _LANES

    def pause_for(self, seconds: float) -> None:
        """Start nothing for so long; a longer pause stays."""
        until_us = self._clock.monotonic_us() + int(seconds * 1_000_000)
        self._paused_until_us = max(self._paused_until_us, until_us)

    def withhold(self, kind: Kind, seconds: float) -> None:
        """Do not send this kind for so long."""
        self._withheld[kind] = self._clock.monotonic_us() + int(seconds * 1_000_000)

    def withheld(self) -> frozenset[Kind]:
        """Kinds not to send now."""
        now_us = self._clock.monotonic_us()
        return frozenset(kind for kind, until_us in self._withheld.items() if until_us > now_us)

    def set_pace(self, pace: Pace) -> None:
        """Follow the hub's wish within one or two in flight and at most a minute between starts."""
        # Held against bounds: a hub that asks for none at all, or for an hour between two, would stop the spoke for
        # good.
        self._most_in_flight = min(max(pace.max_in_flight, 1), _LANES)
        self._interval_us = min(max(pace.min_interval_ms, 0), _LONGEST_INTERVAL_MS) * 1_000

    def wait_s(self) -> float:
        """Seconds until the next request may start."""
        now_us = self._clock.monotonic_us()
        paced_us = now_us if self._last_start_us is None else self._last_start_us + self._interval_us
        return max(self._paused_until_us - now_us, paced_us - now_us, 0) / 1_000_000

    def reserve(self) -> bool:
        """Take one of the places in flight; False when the hub wants no more at once."""
        if self._in_flight >= self._most_in_flight:
            return False
        self._in_flight += 1
        return True

    def free(self) -> None:
        """Give the place back."""
        self._in_flight -= 1

    def started(self) -> None:
        """A request starts now."""
        self._last_start_us = self._clock.monotonic_us()
