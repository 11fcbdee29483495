"""Who may come in: memory is promised before it is used, and no tenant or cluster can be promised all of it.

Half of it is for batches as they come, sealed; the other half for what is in them, which is given out in turn.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from periplus_contract import limits, problems
from periplus_hub.fleet.model import SpokePrincipal
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.fair_queue import Shares
from periplus_hub.kit.fair_turns import FairTurns
from periplus_hub.kit.metrics import counter, gauge
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

RETRY_AFTER_S: Final = 1
_PATIENCE_S: Final = 10.0
"""How long a batch waits for memory: less than a spoke waits for an answer."""
_LARGE_BYTES: Final = 1024 * 1024
_MANY: Final = 100_000
"""Those that wait for their turn have a slot each, so they are few already."""

_bytes_in_flight: Final = gauge(
    "periplus_ingest_in_flight_bytes", "Memory reserved for batches in progress, of max_in_flight_bytes."
)
_turned_away: Final = counter(
    "periplus_ingest_turned_away_total",
    "Batches to be sent again later, by limit: memory (max_in_flight_bytes), tenant (its part of it) or spoke "
    "(max_in_flight_per_spoke).",
    ("limit",),
)


class Admission:
    """Bytes in flight over all spokes, and batches in flight per spoke. One event loop owns it."""

    def __init__(self, clock: Clock, *, max_bytes: int, max_per_spoke: int) -> None:
        self._slots = max(max_bytes // 2 // limits.MAX_COMPRESSED_BYTES, 1)
        self._max_per_spoke = max_per_spoke
        self._batches: Counter[object] = Counter()
        rooms = max_bytes // 2
        self._rooms = FairTurns(
            clock,
            Shares(
                total=rooms,
                # An eighth is never given to large batches, so that the small ones, which most are, never wait behind
                # snapshots alone.
                big=rooms // 8 * 7,
                each_tenant=rooms,
                each_member=rooms // 2,
                waiting_each_tenant=_MANY,
                waiting_each_member=_MANY,
            ),
        )

    @property
    def bytes_in_flight(self) -> int:
        """Promised now."""
        return self._batches[None] * limits.MAX_COMPRESSED_BYTES + sum(self._rooms.queue.held_by_sort.values())

    @contextmanager
    def slot(self, principal: SpokePrincipal) -> Iterator[None]:
        """Room for one more batch of this spoke as it comes; raises slow-down or overloaded."""
        sender_id, tenant_id = principal.sender_id, principal.tenant_id
        if self._batches[sender_id] >= self._max_per_spoke:
            _turned_away.labels("spoke").inc()
            detail = f"{self._max_per_spoke} batches of this spoke are in flight already"
            raise SpokeRequestRefusal(problems.SLOW_DOWN, detail, retry_after_s=RETRY_AFTER_S)
        # A tenant has at most three quarters, so that its spokes alone cannot keep those of others out.
        for limit, who, most in (("memory", None, self._slots), ("tenant", tenant_id, max(self._slots // 4 * 3, 1))):
            if self._batches[who] >= most:
                _turned_away.labels(limit).inc()
                raise _overloaded(f"{self._batches[who]} batches are in flight")
        held = (None, tenant_id, sender_id)
        self._batches.update(held)
        self._show()
        try:
            yield
        finally:
            self._batches.subtract(held)
            self._batches = +self._batches  # drops zeros, or every spoke that ever came would keep an entry
            self._show()

    @asynccontextmanager
    async def room(self, principal: SpokePrincipal, size: int) -> AsyncIterator[None]:
        """Room for the `size` bytes that are in a batch, when it is its turn; raises overloaded."""
        waits = True
        turn = self._rooms.turn(
            principal.tenant_id, principal.registration_id, size=size, big=size > _LARGE_BYTES, price=size
        )
        try:
            async with asyncio.timeout(_PATIENCE_S) as patience, turn:
                waits = False
                patience.reschedule(None)  # the patience is for waiting, not for the work in the block
                self._show()
                yield
        except TimeoutError:
            if not waits:  # raised by the work in the block
                raise
            _turned_away.labels("memory").inc()
            raise _overloaded(f"no memory became free within {_PATIENCE_S:g} s") from None
        finally:
            self._show()

    def _show(self) -> None:
        _bytes_in_flight.set(self.bytes_in_flight)


def _overloaded(detail: str) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.OVERLOADED, detail, retry_after_s=RETRY_AFTER_S)
