"""Who tells that nobody works: the processes that serve look themselves, because detectors run where the jobs run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import system_scope
from periplus_hub.addresses.overlaps.model import START_A_WORKER, RegisterStatus
from periplus_hub.addresses.overlaps.repository_register import register_status
from periplus_hub.findings.detectors.unkept_register import LOOK_AT_THE_WORKER, UnkeptRegister, unkept
from periplus_hub.findings.model import FindingDraft
from periplus_hub.findings.service import TOPIC, Publish, reconcile, tell_nobody
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import Database
from periplus_hub.kit.jobs import done_and_failed, one_after_another, raise_failed, somebody_leads
from periplus_hub.kit.metrics import gauge
from periplus_hub.kit.tenancy import EVERY_TENANT

PATIENCE_S: Final = 60.0
"""A hub that starts, whose leader changes, or whose database is back, works again by then."""
_SAY_AGAIN_S: Final = 600.0

_unkept: Final = gauge(
    "periplus_overlap_register_unkept",
    "1 while nobody keeps the overlaps of some tenant up to date, seen for a minute; else 0.",
)
_log: Final = structlog.get_logger(__name__)


class RegisterWatch:
    """A job of every process that serves: opens the finding; whoever keeps the register again lets it be resolved."""

    name = "findings.watch"

    def __init__(self, db: Database, publish: Publish | None = None, interval_s: float = 15.0) -> None:
        self.interval_s = interval_s
        self._db = db
        self._clock: Clock = db.clock
        self._publish = publish or tell_nobody
        self._seen_unkept_at_s: dict[UUID, float] = {}
        self._said_at_s = float("-inf")
        self.trouble: str | None = None
        """Why the answers about overlaps are not of now, in words; None while they are."""

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        async with self._db.read(EVERY_TENANT) as c:
            tenants = await system_tenant_ids(c)
        statuses, failed = await done_and_failed(self._status(tenant) for tenant in tenants)
        await self._judge(dict(statuses), now)
        raise_failed(failed)

    async def _judge(self, statuses: Mapping[UUID, RegisterStatus], now: datetime) -> None:
        left = {tenant: status for tenant, status in statuses.items() if status.unkept(now)}
        looked_at_s = self._clock.monotonic_s()
        self._seen_unkept_at_s = {tenant: self._seen_unkept_at_s.get(tenant, looked_at_s) for tenant in left}
        told = {
            tenant: status
            for tenant, status in left.items()
            # By the clock that nobody sets: a corrected wall clock neither hurries nor hides it.
            if looked_at_s - self._seen_unkept_at_s[tenant] >= PATIENCE_S
        }
        _unkept.set(bool(told))
        if not told:
            self.trouble = None
            return
        led = await somebody_leads(self._db)
        never = [tenant for tenant, status in told.items() if status.at is None]
        self._say(len(told), len(never), led=led)
        await one_after_another(self._open(tenant, unkept(status, led=led), now) for tenant, status in told.items())

    def degraded(self) -> dict[str, str]:
        """For `/readyz`."""
        return {} if self.trouble is None else {"overlaps": self.trouble}

    async def _status(self, tenant: UUID) -> tuple[UUID, RegisterStatus]:
        scope = system_scope(tenant, "job:watch")
        async with self._db.read(scope) as c:
            return tenant, await register_status(c, scope)

    async def _open(self, tenant: UUID, draft: FindingDraft, now: datetime) -> None:
        scope = system_scope(tenant, "job:watch")
        async with self._db.write(scope) as c:
            changed = await reconcile(c, scope, UnkeptRegister.name, [draft], now)
        for finding in changed:
            self._publish(tenant, TOPIC, {"id": str(finding.id), "state": finding.state.value})

    def _say(self, unkept: int, never: int, *, led: bool) -> None:
        how = "were never computed" if never == unkept else "are not kept up to date"
        why = "no process runs 'periplus hub work'"
        if led:
            why = "the job addresses.overlaps fails in the process that leads"
        self.trouble = f"the overlaps {how}: {why}"
        if self._clock.monotonic_s() - self._said_at_s >= _SAY_AGAIN_S:
            self._said_at_s = self._clock.monotonic_s()
            remedy = LOOK_AT_THE_WORKER if led else START_A_WORKER
            _log.warning("overlaps_not_kept", reason=self.trouble, tenants=unkept, remedy=remedy)
