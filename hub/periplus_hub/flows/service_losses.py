"""Rows that the flow store lost after it was counted to have them.

A disk was damaged, a folder was replaced, a server restored from an older backup. An engine that finds a part of its
data damaged sets it aside and answers without it. So what PostgreSQL knows is held against what the store has, and
hours that lack something are never answered as if nothing had passed.
"""

from typing import Final
from uuid import UUID

import structlog

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_blocks, repository_losses, repository_rows
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database

LOOK_EVERY_S: Final = 3_600.0
"""Only sizes of partitions are compared, as long as they agree."""

_log: Final = structlog.get_logger(__name__)


class Losses:
    """Of one process: each tenant's store is looked at when it is first used, and every hour."""

    def __init__(self, db: Database, store: ColumnStore) -> None:
        self._db = db
        self._store = store
        self._due_s: dict[UUID, float] = {}

    async def run(self, scope: Scope, since_s: int) -> None:
        """Before edges are made. All raw rows since then should be there."""
        now_s = self._db.clock.monotonic_s()
        if now_s < self._due_s.get(scope.tenant_id, float("-inf")):
            return
        await self._look_for_rows(scope, since_s)
        await self._look_for_edges(scope, since_s)
        self._due_s[scope.tenant_id] = now_s + LOOK_EVERY_S

    async def _look_for_rows(self, scope: Scope, since_s: int) -> None:
        """PostgreSQL is asked first: the store had every block before it was noted."""
        async with self._db.read(scope) as c:
            known = await repository_losses.rows_by_day(c, scope, since_s)
        stored = await repository_rows.rows_by_day(scope, self._store)
        lost: set[int] = set()
        for day in (day for day, rows in known.items() if stored.get(day, 0) < rows):
            lost |= await self._lost_hours(scope, day)
        async with self._db.write(scope) as c:
            newly = await repository_losses.mark_raw(c, scope, since_s, sorted(lost))
        if newly:
            _log.error(
                "flow_store_lost_for_good",
                hours=newly,
                remedy="Answers about these hours say that they are not whole. Restore the flow store from a backup, "
                "if there is one.",
            )

    async def _lost_hours(self, scope: Scope, day: int) -> set[int]:
        async with self._db.read(scope) as c:
            blocks = await repository_blocks.only_in_store(c, scope, day)
        found = await repository_rows.counts(scope, self._store, blocks) if blocks else {}
        return {hour for block in blocks if found.get(block.id, 0) < block.rows for hour in block.hours}

    async def _look_for_edges(self, scope: Scope, since_s: int) -> None:
        stored = await repository_rows.edges_by_hour(scope, self._store)
        async with self._db.write(scope) as c:
            again, lost = await repository_losses.mark_edges(c, scope, since_s, stored)
        if again:
            _log.error("flow_edges_lost", hours=again, remedy="They are made again of the raw rows that there are.")
        if lost:
            _log.error(
                "flow_edges_lost_for_good",
                hours=lost,
                remedy="Answers about these hours say that they are not whole. Restore the flow store from a backup, "
                "if there is one.",
            )
