"""When a spoke may delete a batch.

An answer says "committed", and a hub that dies keeps that. A standby without synchronous replication, promoted, may
not have the last seconds: so a batch is *settled* only when a synchronous standby has it too, or when it is old
enough. The watermark is computed from the ledger itself, so a restored or failed-over database that lacks batches
answers with a lower one and gets them again.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.ingest import repository
from periplus_hub.ingest.model import Place
from periplus_hub.ingest.repository_ledger import settled_through
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import ReadConnection

_RECHECK_S: Final = 30.0


class Settlement:
    """The rule, with what the database said of its standbys kept for half a minute."""

    def __init__(self, clock: Clock, settle_after_s: int) -> None:
        self._clock = clock
        self._after = timedelta(seconds=settle_after_s)
        self._synchronous = False
        self._known_until_s = float("-inf")

    async def through(self, c: ReadConnection, scope: Scope, places: Sequence[Place]) -> dict[UUID, int]:
        """The seq up to which each spoke may delete, as the caller's transaction sees the ledger."""
        cutoff = self._clock.now()
        if self._after and not await self._has_synchronous_standby(c):
            cutoff -= self._after
        return await settled_through(c, scope, places, cutoff=cutoff)

    async def _has_synchronous_standby(self, c: ReadConnection) -> bool:
        if self._clock.monotonic_s() >= self._known_until_s:
            self._synchronous = await repository.system_commits_reach_a_standby(c)
            self._known_until_s = self._clock.monotonic_s() + _RECHECK_S
        return self._synchronous
