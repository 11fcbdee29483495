"""Rows that the flow store has twice after PostgreSQL went back: restored, or failed over without its last commits.

Then the store has rows of blocks that PostgreSQL does not know, and their batches come again: from spokes, which keep
them until they are settled, or from the inbox. Rows of an unknown block are removed once a known block has the same
batch. Until then they stay: they may be the only ones.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_blocks, repository_rows
from periplus_hub.flows.model import HOUR_S
from periplus_hub.ingest.repository_replication import system_replication
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import DATABASE_ERRORS, is_not_offered
from periplus_hub.kit.metrics import counter
from periplus_hub.kit.tenancy import NO_TENANT

AGAIN_S: Final = 60.0
LONGEST_AGAIN_S: Final = 6 * 3_600.0
"""When it is looked again whether batches of unknown blocks have come again: each time after twice as long, because a
look reads every row's block, and some never come."""

_swept: Final = counter(
    "periplus_flow_blocks_swept_total",
    "Blocks of the flow store that PostgreSQL does not know, and of which rows were removed because they came again.",
)
_log: Final = structlog.get_logger(__name__)


class Sweep:
    """Of one process. All of a tenant's blocks are looked at once in each life of the database's log."""

    def __init__(self, db: Database, store: ColumnStore) -> None:
        self._db = db
        self._store = store
        self._history: dict[UUID, str] = {}
        self._unknown: dict[UUID, list[int]] = {}
        self._due_s: dict[UUID, float] = {}
        self._pause_s: dict[UUID, float] = {}

    async def run(self, scope: Scope, since_s: int) -> None:
        """Before the edges of hours since then are made. Hours are marked first: a death in between leaves them so."""
        tenant = scope.tenant_id
        history = await self._ask_history()
        if self._history.get(tenant) != history:
            self._unknown[tenant] = await self._find_unknown(scope, since_s)
            self._history[tenant] = history
            self._due_s.pop(tenant, None)
            self._pause_s.pop(tenant, None)
        if self._unknown[tenant] and self._is_due(tenant):
            self._unknown[tenant] = await self._remove(scope, self._unknown[tenant], since_s)

    async def _find_unknown(self, scope: Scope, since_s: int) -> list[int]:
        """The store is asked first: PostgreSQL knew every block before the store had it.

        Their hours are made anew: PostgreSQL does not know either whether edges were made of them.
        """
        stored = await repository_rows.blocks_since(scope, self._store, since_s)
        async with self._db.read(scope) as c:
            known = await repository_blocks.known_among(c, scope, list(stored))
        unknown = sorted(set(stored) - known)
        if unknown:
            _log.warning("flow_blocks_unknown", blocks=len(unknown), remedy="What comes again is counted once.")
            hours = {hour for each in unknown for hour in _hours(*stored[each])}
            async with self._db.write(scope) as c:
                await repository_blocks.touch(c, scope, sorted(hours), raw=True)
        return unknown

    async def _remove(self, scope: Scope, unknown: Sequence[int], since_s: int) -> list[int]:
        """Returns those that may still have rows of which there is no other."""
        twice = await repository_rows.told_twice(scope, self._store, unknown, since_s)
        hours = {hour for block in twice for hour in _hours(block.first_window, block.last_window)}
        async with self._db.write(scope) as c:
            await repository_blocks.touch(c, scope, sorted(hours), raw=True)
        for block in twice:
            await repository_rows.delete_twice(scope, self._store, block, unknown)
            _swept.inc()
        gone = {block.id for block in twice if block.is_all}
        return [each for each in unknown if each not in gone]

    def _is_due(self, tenant: UUID) -> bool:
        now_s = self._db.clock.monotonic_s()
        if now_s < self._due_s.get(tenant, float("-inf")):
            return False
        pause_s = self._pause_s.get(tenant, AGAIN_S)
        self._due_s[tenant] = now_s + pause_s
        self._pause_s[tenant] = min(2 * pause_s, LONGEST_AGAIN_S)
        return True

    async def _ask_history(self) -> str:
        """Of a server that does not show its log, one: then it is looked once in each life of this process."""
        try:
            async with self._db.read(NO_TENANT) as c:
                return (await system_replication(c)).history
        except DATABASE_ERRORS as error:
            if not is_not_offered(error):
                raise
            return ""


def _hours(first_window: int, last_window: int) -> range:
    return range(first_window // HOUR_S * HOUR_S, last_window + 1, HOUR_S)
