"""The audit trail of what was refused: proofs, tokens, credentials and rights that did not hold, and who tried them.

Anybody may knock as often as they like, and rows of the trail stay for good. So refusals are counted in memory, and
written once a minute: what is new at once, what goes on at the end of the hour. A tenant gets so many rows in an hour;
what is beyond is counted together.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service import audit, source_address
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Unavailable

MOST_KEPT: Final = 1_000
"""So many different refusals are told apart in memory, of all tenants together."""
MOST_WRITTEN: Final = 60
"""So many events of different addresses a tenant gets within an hour, and again at its end."""
HOUR_S: Final = 3_600.0
_WRITE_S: Final = 60.0
_STRANGER: Final = "stranger"
_SEVERAL: Final = "several"
_OTHERS: Final = "of several addresses"

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Count:
    """How often since it was last written."""

    since: datetime
    times: int = 0
    is_written: bool = False
    is_chosen: bool = False

    def is_due(self, *, is_over: bool) -> bool:
        """New within the hour, or the hour is over."""
        return self.times > 0 and (is_over or not self.is_written)


_Key = tuple[RefusedAttempt, str]


@dataclass(slots=True)
class RefusalTrail:
    """One for a process. What is of no tenant is for the default tenant: whoever runs the hub looks there."""

    db: Database
    _counts: dict[_Key, _Count] = field(default_factory=dict)
    _hour_since_s: float | None = None
    _written: Counter[UUID] = field(default_factory=Counter)
    _default: UUID | None = None

    def note(self, refused: RefusedAttempt) -> None:
        """Count it, with the address that the request came from."""
        if self._hour_since_s is None:
            self._hour_since_s = self.db.clock.monotonic_s()
        key = (refused, source_address.get())
        # A stranger chooses the address and the reason's subject, so nothing here may grow with what strangers send.
        if key not in self._counts and len(self._counts) >= MOST_KEPT:
            key = _together(refused)
        self._add(key, 1, self.db.clock.now())

    async def write(self, *, is_last: bool = False) -> None:
        """One event for each that is due; what cannot be written now is kept for the next time."""
        if not self._counts:
            return
        default = await self._default_tenant()
        is_over = is_last or self.db.clock.monotonic_s() - (self._hour_since_s or 0) >= HOUR_S
        written = Counter[UUID]() if is_over else self._written.copy()
        due = self._due(default, written, is_over=is_over)
        for tenant in {key[0].tenant_id or default for key in due}:
            mine = {key: count for key, count in due.items() if (key[0].tenant_id or default) == tenant}
            await self._write_of(tenant, mine)
            # Only behind the commit: a tenant whose rows could not be written has its share of the hour still.
            self._written[tenant] = written[tenant]
        if is_over:
            self._begin_hour()

    async def keep_writing(self) -> None:
        """Run as a task beside a listener; at its end what is counted is written."""
        try:
            while True:
                await asyncio.sleep(_WRITE_S)
                await self._try_to_write()
        finally:
            await self._try_to_write(is_last=True)

    async def _try_to_write(self, *, is_last: bool = False) -> None:
        try:
            await self.write(is_last=is_last)
        except (*DATABASE_ERRORS, Unavailable) as error:
            _log.warning("refusals_not_stored", error=str(error))

    async def _default_tenant(self) -> UUID:
        if self._default is None:
            self._default = await ensure_default_tenant(self.db)
        return self._default

    def _due(self, default: UUID, written: Counter[UUID], *, is_over: bool) -> dict[_Key, _Count]:
        """What is written now. What a tenant has no row left for is counted together, and due at the hour's end."""
        for key, count in list(self._counts.items()):
            tenant = key[0].tenant_id or default
            if key == _together(key[0]) or not count.is_due(is_over=is_over):
                continue
            if written[tenant] >= MOST_WRITTEN:
                del self._counts[key]
                self._add(_together(key[0]), count.times, count.since)
            else:
                written[tenant] += 1
                count.is_chosen = True
        due = {}
        for key, count in self._counts.items():
            if count.is_chosen or (is_over and count.times and key == _together(key[0])):
                # A copy: what is counted while it is written belongs to the next time.
                due[key] = replace(count)
                count.is_chosen = False
        return due

    async def _write_of(self, tenant: UUID, due: dict[_Key, _Count]) -> None:
        """All of one tenant's or nothing. What comes meanwhile counts for the next time."""
        async with self.db.write(system_scope(tenant, _STRANGER)) as c:
            for (refused, address), count in due.items():
                await _audit(c, system_scope(tenant, refused.actor or _STRANGER), refused, address, count)
        for key, told in due.items():
            count = self._counts[key]
            count.times -= told.times
            count.since, count.is_written = self.db.clock.now(), True

    def _begin_hour(self) -> None:
        self._hour_since_s = self.db.clock.monotonic_s()
        self._counts = {key: _Count(each.since, each.times) for key, each in self._counts.items() if each.times}
        self._written = Counter()

    def _add(self, key: _Key, times: int, since: datetime) -> None:
        count = self._counts.setdefault(key, _Count(since))
        count.since = min(count.since, since) if count.times else since
        count.times += times


async def _audit(c: WriteConnection, scope: Scope, refused: RefusedAttempt, address: str, count: _Count) -> None:
    kind, identity = (refused.kind, refused.identity) if refused.identity else ("Tenant", str(scope.tenant_id))
    detail = {"reason": refused.reason, "times": count.times, "since": count.since.isoformat()}
    before = source_address.set(address)
    try:
        await audit(c, scope, refused.action, kind, identity, detail=detail)
    finally:
        source_address.reset(before)


def _together(refused: RefusedAttempt) -> _Key:
    """Where those of many addresses are counted: one for each action of a tenant."""
    actor = _SEVERAL if refused.actor else ""
    return RefusedAttempt(refused.action, _OTHERS, tenant_id=refused.tenant_id, actor=actor), ""
