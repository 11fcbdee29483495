"""When a spoke may delete a batch.

An answer says "committed", and a hub that dies keeps that. A standby that is promoted may not have the last seconds:
so a batch is *settled* only when as many synchronous standbys as the server wants have its commit on their disks, or,
where there are to be none, when it is old enough on a log that nobody took over or restored meanwhile.

What the server answers to a commit is no proof. It says the same when the wait for the standby was cancelled, when it
was told to wait for less than a flush, and when its configuration changed meanwhile. So the log is asked: what the
ledger showed while the log was at some position is settled once the standbys have flushed up to there.

The watermark comes from the ledger itself, so a restored or failed-over database that lacks batches answers with a
lower one and gets them again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from periplus_contract import problems
from periplus_hub.access.scope import Scope
from periplus_hub.ingest.model import BatchKey, Replication
from periplus_hub.ingest.repository_ledger import settled_through
from periplus_hub.ingest.repository_replication import system_replication
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.db_errors import DATABASE_ERRORS, is_not_offered
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_MOST_SIGHTINGS: Final = 50_000
"""Beyond it they are forgotten and made anew, which only takes longer."""

_log: Final = structlog.get_logger(__name__)

Through = Mapping[UUID, int]
"""The seq up to which each sender may delete."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    """`through` was in the ledger when the log was at `written`."""

    written: int
    through: int


class Settlement:
    """The rule. Of the past it knows only what makes it more careful, so any replica may answer at any time."""

    def __init__(self, clock: Clock, settle_after_s: int) -> None:
        self._clock = clock
        self._after = timedelta(seconds=settle_after_s)
        self._history = ""
        self._history_since_s = 0.0
        self._sightings: dict[tuple[UUID, UUID], _Sighting] = {}
        self._warned = False
        self._blind = False

    async def flushed(self, c: ReadConnection, scope: Scope, keys: Sequence[BatchKey]) -> Through | None:
        """What synchronous standbys have, None where age decides. Ask before the unit writes: that is flushed later."""
        if self._blind:
            return None
        found = await self._ask_server(c)
        if not self._by_flush(found):
            return None
        # Without an age: the standbys' disks, not time, tell what can be lost.
        shown = await settled_through(c, scope, keys, cutoff=self._clock.now())
        found = await self._ask_server(c)  # after the ledger, so that what it showed is in the log before `written`
        return {each.sender_id: self._proven(each, shown[each.sender_id], found) for each in keys}

    async def through(
        self, c: ReadConnection, scope: Scope, keys: Sequence[BatchKey], flushed: Through | None
    ) -> Through:
        """The watermarks as the caller's transaction leaves the ledger; `flushed` is what it was told at its start."""
        if flushed is not None:
            return {each.sender_id: flushed[each.sender_id] for each in keys}
        # This process has to have seen the same history for that long itself: a log that was taken over a moment ago
        # may lack what an old ledger row promises.
        lasted = timedelta(seconds=self._clock.monotonic_s() - self._history_since_s)
        if lasted < self._after:
            return {each.sender_id: _nothing(each) for each in keys}
        return await settled_through(c, scope, keys, cutoff=self._clock.now() - self._after)

    async def _ask_server(self, c: ReadConnection) -> Replication:
        try:
            found = await system_replication(c)
        except DATABASE_ERRORS as error:
            if not is_not_offered(error):
                raise
            self._blind = True
            _log.warning("log_not_seen", error=str(error.__cause__), remedy="Batches settle by their age.")
            # This transaction is spoiled. The same batch again goes without.
            raise SpokeRequestRefusal(
                problems.OVERLOADED, "the database does not show its log", retry_after_s=1
            ) from error
        if found.history != self._history or len(self._sightings) > _MOST_SIGHTINGS:
            self._sightings.clear()
        if found.history != self._history:
            self._history, self._history_since_s = found.history, self._clock.monotonic_s()
        return found

    def _by_flush(self, found: Replication) -> bool:
        if found.synchronous and not found.seen and not self._warned:
            self._warned = True
            remedy = "Run GRANT pg_monitor TO the hub's role; until then batches are settled by their age."
            _log.warning("standbys_not_seen", remedy=remedy)
        return found.synchronous and found.seen

    def _proven(self, key: BatchKey, shown: int, found: Replication) -> int:
        """Under load the log is always ahead of the standbys: then what was shown earlier is what they have by now."""
        life, nothing = (key.sender_id, key.epoch), _nothing(key)
        flushed = -1 if found.flushed is None else found.flushed
        now, earlier = _Sighting(found.written, shown), self._sightings.pop(life, None)
        if flushed >= now.written:
            return now.through
        proven = earlier is not None and flushed >= earlier.written
        through = earlier.through if earlier is not None and proven else nothing
        # The older sighting is kept until it is proven: a younger one is never caught up with.
        kept = earlier if earlier is not None and not proven and earlier.through > nothing else now
        if kept.through > nothing:
            self._sightings[life] = kept
        return max(through, nothing)


def _nothing(key: BatchKey) -> int:
    return key.oldest_held - 1
