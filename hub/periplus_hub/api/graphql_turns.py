"""How many operations run at once, and whose turn is next: dear ones never take every place, nor does one asker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from periplus_hub.access.scope import Scope
from periplus_hub.api.graphql_limits import GraphQLRefusal
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.fair_queue import Shares, TooManyWaitError
from periplus_hub.kit.fair_turns import FairTurns
from periplus_hub.kit.metrics import counter, gauge

DEAR: Final = 250.0
"""Operations that cost more than this count as dear."""
READERS: Final = 2
"""Read sessions one operation holds at once; its other loaders wait."""
_REST: Final = 2.0
"""Seconds of rest for each that a dear operation took."""
_MOST_REST_S: Final = 0.25
_LATELY_S: Final = 1.0
_WAITING_EACH_TOKEN: Final = 50
_WAITING_EACH_TENANT: Final = 200
_RETRY_AFTER_S: Final = "2"
_WHOSE: Final = {"member": "token", "tenant": "tenant"}

_waiting: Final = gauge("periplus_graphql_waiting_operations", "Operations that wait for their turn.")
_running: Final = gauge("periplus_graphql_running_operations", "Operations that are running.")
_busy: Final = counter(
    "periplus_graphql_busy_total", "Operations refused because too many of the same token or tenant wait.", ("of",)
)


def shares_of(readers: int) -> Shares:
    """With so many connections for questions. The dear ones leave sessions for those that are not."""
    return Shares(
        total=readers,
        big=max(1, (readers - READERS) // READERS),
        each_tenant=readers - 1,
        each_member=max(1, readers - 2),
        waiting_each_tenant=_WAITING_EACH_TENANT,
        waiting_each_member=_WAITING_EACH_TOKEN,
    )


class Operations:
    """The operations of one process, in turn. What an operation pays is the time it took.

    Long answers are computed on the event loop that every question shares. So while there are short questions the dear
    ones rest between each other, longer than they worked.
    """

    def __init__(self, clock: Clock, readers: int) -> None:
        self._turns = FairTurns(clock, shares_of(readers))
        self._clock = clock
        self.queue = self._turns.queue
        self._rest_until_s = self._short_at_s = float("-inf")

    def rest_s(self) -> float:
        """How long the next dear operation lets others go before it."""
        now_s = self._clock.monotonic_s()
        # Only while somebody else would feel it: a fleet whose only asker exports everything is not slowed down for
        # nobody.
        return max(self._rest_until_s - now_s, 0.0) if now_s - self._short_at_s < _LATELY_S else 0.0

    @asynccontextmanager
    async def _working(self, *, dear: bool) -> AsyncIterator[None]:
        if dear:
            # It rests inside its turn and holds its place: if it gave the place back, the next dear one would take it
            # and rest less.
            await asyncio.sleep(self.rest_s())
        began_s = self._clock.monotonic_s()
        try:
            yield
        finally:
            now_s = self._clock.monotonic_s()
            if dear:
                rest_s = min(_REST * (now_s - began_s), _MOST_REST_S)
                self._rest_until_s = max(self._rest_until_s, now_s) + rest_s
            else:
                self._short_at_s = now_s

    @asynccontextmanager
    async def turn(self, scope: Scope, cost: float) -> AsyncIterator[None]:
        """Run the block when its turn has come; raises GraphQLRefusal when its asker has too many waiting."""
        _waiting.inc()
        waits = True
        try:
            async with self._turns.turn(scope.tenant_id, scope.actor, big=cost > DEAR):
                waits = False
                _waiting.dec()
                with _running.track_inprogress():
                    async with self._working(dear=cost > DEAR):
                        yield
        except TooManyWaitError as error:
            raise _too_many(error) from None
        # An asker that goes away while it waits would otherwise be counted as waiting for ever.
        finally:
            if waits:
                _waiting.dec()


def _too_many(error: TooManyWaitError) -> GraphQLRefusal:
    whose = _WHOSE[error.whose]
    _busy.labels(whose).inc()
    message = f"{error.limit} operations of this {whose} wait for their turn already."
    return busy(message, limit=error.limit)


def busy(message: str, *, limit: float) -> GraphQLRefusal:
    """The refusal of an operation that would wait, or waited, too long."""
    refusal = GraphQLRefusal("busy", message, "Wait for answers before asking more, then try again.", limit=limit)
    refusal.headers["retry-after"] = _RETRY_AFTER_S
    return refusal
