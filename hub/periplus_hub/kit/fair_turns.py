"""Lets tasks wait for a share of something scarce, in the order of `kit.fair_queue`."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.fair_queue import FairQueue, Shares, Ticket


class FairTurns:
    """One event loop owns them. Who is cancelled, waiting or holding, gives its share to the next."""

    def __init__(self, clock: Clock, shares: Shares) -> None:
        self._clock = clock
        self.queue = FairQueue(shares)
        self._turns: dict[Ticket, asyncio.Future[None]] = {}

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._turns)

    @asynccontextmanager
    async def turn(
        self, tenant: Hashable, member: Hashable, *, size: int = 1, big: bool = False, price: float | None = None
    ) -> AsyncIterator[None]:
        """Hold a share for the block, and pay `price`, or else the seconds it took; raises TooManyWaitError."""
        ticket = Ticket(tenant, member, size, big)
        self.queue.join(ticket)
        self._turns[ticket] = turn = asyncio.get_running_loop().create_future()
        self._call()
        used = 0.0
        try:
            await turn
            began_s = self._clock.monotonic_s()
            try:
                yield
            finally:
                used = self._clock.monotonic_s() - began_s if price is None else price
        finally:
            # `_call` took it out when it was its turn: then it holds a share, also if the task was cancelled before it
            # knew.
            if self._turns.pop(ticket, None) is None:
                self.queue.end(ticket, used)
            else:
                self.queue.leave(ticket)
            self._call()

    def _call(self) -> None:
        while (ticket := self.queue.next()) is not None:
            turn = self._turns.pop(ticket)
            if not turn.done():  # cancelled in this very moment: its own task gives the share back
                turn.set_result(None)
