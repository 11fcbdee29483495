"""How many operations run at once, and whose turn is next: dear ones never take every place, nor does one asker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from periplus_hub.access.scope import Scope
from periplus_hub.api.graphql_limits import GateRefusal
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.fair_queue import Shares, TooManyWaitError
from periplus_hub.kit.metrics import counter, gauge
from periplus_hub.kit.places import Places

DEAR: Final = 250.0
"""Operations that cost more than this count as dear."""
READERS: Final = 2
"""Read sessions one operation holds at once; its other loaders wait."""
_WAITING_EACH_TOKEN: Final = 50
_WAITING_EACH_TENANT: Final = 200
_RETRY_AFTER_S: Final = "2"
_WHOSE: Final = {"member": "token", "tenant": "tenant"}

_waiting: Final = gauge("periplus_graphql_waiting_operations", "Operations that wait for their turn.")
_running: Final = gauge("periplus_graphql_running_operations", "Operations that have a place.")
_busy: Final = counter(
    "periplus_graphql_busy_total", "Operations refused because so many of theirs wait: of one token or tenant.", ("of",)
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
    """The places of one process. What an operation pays is the time it took."""

    def __init__(self, clock: Clock, readers: int) -> None:
        self._places = Places(clock, shares_of(readers))
        self.queue = self._places.queue

    @asynccontextmanager
    async def place(self, scope: Scope, cost: float) -> AsyncIterator[None]:
        """Run the block when its turn has come; raises GateRefusal when its asker has too many waiting."""
        _waiting.inc()
        waits = True
        try:
            async with self._places.place(scope.tenant_id, scope.actor, big=cost > DEAR):
                waits = False
                _waiting.dec()
                with _running.track_inprogress():
                    yield
        except TooManyWaitError as error:
            raise _too_many(error) from None
        finally:
            if waits:
                _waiting.dec()


def _too_many(error: TooManyWaitError) -> GateRefusal:
    whose = _WHOSE[error.whose]
    _busy.labels(whose).inc()
    message = f"{error.limit} operations of this {whose} wait for their turn already."
    return busy(message, limit=error.limit)


def busy(message: str, *, limit: float) -> GateRefusal:
    """The refusal of an operation that would wait, or waited, too long."""
    refusal = GateRefusal("busy", message, "Wait for answers before asking more, then try again.", limit=limit)
    refusal.headers["retry-after"] = _RETRY_AFTER_S
    return refusal
