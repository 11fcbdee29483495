"""A budget of requests per second, over everything one spoke asks of one API server."""

from periplus_spoke.kit.clock import Timer

_MICROS = 1_000_000


class Pace:
    """A bucket of `burst` requests that refills at `per_s`; waiters are served in order."""

    def __init__(self, timer: Timer, *, per_s: float, burst: int) -> None:
        self._timer = timer
        self._step_us = _MICROS / per_s
        self._credit_us = self._step_us * (burst - 1)
        self._next_us = float("-inf")

    async def turn(self) -> None:
        """Return when one more request may be sent."""
        now = self._timer.monotonic_us()
        self._next_us = max(self._next_us, now - self._credit_us)
        wait_us = self._next_us - now
        self._next_us += self._step_us
        if wait_us > 0:
            await self._timer.sleep(wait_us / _MICROS)
