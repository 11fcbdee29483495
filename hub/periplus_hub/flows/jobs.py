"""Work on flows that comes round in the leader. What every process does is in `loading`."""

from datetime import datetime, timedelta
from typing import Final

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.flows import (
    repository_blocks,
    repository_coverage,
    repository_daily,
    repository_days,
    repository_rows,
)
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.model import day_of
from periplus_hub.flows.service_days import make_days
from periplus_hub.flows.service_losses import Losses
from periplus_hub.flows.service_ring import turn
from periplus_hub.flows.service_rollup import RollUp
from periplus_hub.flows.service_spans import Spans
from periplus_hub.flows.service_sweep import Sweep
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.tenancy import EVERY_TENANT

PAUSE_S: Final = 3.0
PAUSE_SHARE: Final = 4.0
LONGEST_PAUSE_S: Final = 120.0
SPANS_PAUSE_S: Final = 20.0
SPANS_PAUSE_SHARE: Final = 10.0
LONGEST_SPANS_PAUSE_S: Final = 600.0


class FlowRingJob:
    """Empties the inbox behind the loaders."""

    name = "flows.ring"

    def __init__(self, db: Database, store: ColumnStore) -> None:
        self.interval_s = 20.0
        self._db = db
        self._store = store

    async def run(self, now: datetime) -> None:
        """One turn of the ring."""
        del now
        await turn(self._db, self._store)


class RollUpJob:
    """Makes the edges of hours whose rows or identities changed."""

    name = "flows.rollup"

    def __init__(self, db: Database, store: ColumnStore, config: FlowsConfig) -> None:
        self.interval_s = PAUSE_S
        self._db = db
        self._rollup = RollUp(db, store)
        self._losses = Losses(db, store)
        self._sweep = Sweep(db, store)
        self._raw_days = config.flow_raw_days

    async def run(self, now: datetime) -> None:
        """Every tenant in turn. The more it takes, the longer is the pause: an hour that goes on is made many times."""
        began_s = self._db.clock.monotonic_s()
        await one_after_another(self.refresh(scope, now) for scope in await _tenants(self._db))
        self.interval_s = min(max(PAUSE_S, PAUSE_SHARE * (self._db.clock.monotonic_s() - began_s)), LONGEST_PAUSE_S)

    async def refresh(self, scope: Scope, now: datetime) -> None:
        """One tenant. An hour whose rows begin to be deleted keeps its edges as they are."""
        async with self._db.read(scope) as c:
            if not await repository_blocks.has_hours(c, scope):
                return
        await self._rollup.follow_inventory(scope)
        kept_from = (now - timedelta(days=self._raw_days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
        await self._losses.run(scope, int(kept_from.timestamp()))
        await self._sweep.run(scope, int(kept_from.timestamp()))
        await self._rollup.refresh(scope, int(kept_from.timestamp()))


class FlowDaysJob:
    """Makes the edges of days whose hours changed."""

    name = "flows.days"
    interval_s = 900.0

    def __init__(self, db: Database, store: ColumnStore) -> None:
        self._db = db
        self._store = store

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        now_s = int(now.timestamp())
        tenants = await _tenants(self._db)
        await one_after_another(make_days(self._db, self._store, scope, now_s) for scope in tenants)


class FlowSpansJob:
    """Adds up the hours that most questions are about."""

    name = "flows.spans"

    def __init__(self, db: Database, store: ColumnStore) -> None:
        self.interval_s = SPANS_PAUSE_S
        self._db = db
        self._spans = Spans(db, store)

    async def run(self, now: datetime) -> None:
        """Every tenant in turn. The more it takes, the longer is the pause: without spans the hours are asked."""
        began_s = self._db.clock.monotonic_s()
        await one_after_another(self.refresh(scope, now) for scope in await _tenants(self._db))
        took_s = self._db.clock.monotonic_s() - began_s
        self.interval_s = min(max(SPANS_PAUSE_S, SPANS_PAUSE_SHARE * took_s), LONGEST_SPANS_PAUSE_S)

    async def refresh(self, scope: Scope, now: datetime) -> None:
        """One tenant."""
        async with self._db.read(scope) as c:
            if not await repository_blocks.has_hours(c, scope):
                return
        await self._spans.refresh(scope, int(now.timestamp()))


class FlowRetentionJob:
    """Deletes what the flow store has kept for long enough, whole partitions at once.

    Hours go once their day is made of them. PostgreSQL says first that the day answers for them.
    """

    name = "flows.retention"
    interval_s = 3600.0

    def __init__(self, db: Database, store: ColumnStore, config: FlowsConfig) -> None:
        self._db = db
        self._store = store
        self._config = config

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        await one_after_another(self._forget(scope, now) for scope in await _tenants(self._db))

    async def _forget(self, scope: Scope, now: datetime) -> None:
        ages = (self._config.flow_raw_days, self._config.flow_hourly_days, self._config.flow_daily_days)
        raw_before, hours_before, days_before = (int((now - timedelta(days=each)).timestamp()) for each in ages)
        async with self._db.write(scope) as c:
            await repository_coverage.fold_nodes_before(c, scope, raw_before)
        while await self._leave_oldest(scope, hours_before):
            pass
        async with self._db.read(scope) as c:
            left_until = await repository_days.left_until(c, scope)
            has_edges = await repository_blocks.has_hours(c, scope)
        if has_edges:
            await repository_rows.drop_before(scope, self._store, raw_before)
            await repository_rows.drop_hours_before(scope, self._store, left_until)
            async with self._db.write(scope) as c:
                await repository_days.forget_days(c, scope, days_before)
            await repository_daily.drop_before(scope, self._store, day_of(days_before))
        async with self._db.write(scope) as c:
            await repository_blocks.forget_before(c, scope, raw_before)

    async def _leave_oldest(self, scope: Scope, before_s: int) -> bool:
        async with self._db.write(scope) as c:
            return await repository_days.leave_oldest(c, scope, before_s)


async def _tenants(db: Database) -> list[Scope]:
    async with db.read(EVERY_TENANT) as c:
        return [system_scope(tenant, "job:flows") for tenant in await system_tenant_ids(c)]
