"""The job of notifications: every receiver hears what it was not told yet."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from periplus_hub.access.repository import system_tenants
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.findings import model_receivers as model
from periplus_hub.findings import repository_notices as repository
from periplus_hub.findings.config import NotificationsConfig
from periplus_hub.findings.model_receivers import Delivery, Notice, Receiver, ReceiverKind
from periplus_hub.findings.service_notices import tell, wait_after
from periplus_hub.kit.db import Database
from periplus_hub.kit.http_out import Outbound
from periplus_hub.kit.jobs import done_and_failed, raise_failed
from periplus_hub.kit.tenancy import EVERY_TENANT

ALERT_AGAIN: Final = timedelta(minutes=5)
"""Alertmanager forgets what it is not told again (`engine.notice_bodies.ALERT_LASTS`)."""
AT_ONCE: Final = 100
"""Findings in one request."""
MOST_REQUESTS: Final = 120
"""Of one receiver in one round: those of a full request whose findings have to go one by one, and a few."""
_TOGETHER: Final = 8
"""Receivers that are told at the same time: one that hangs holds up no other for long."""

_log: Final = structlog.get_logger(__name__)


class NotifyJob:
    """Compares what each receiver was told with what is, so nothing is lost where a process ends in between.

    What was sent and not recorded is sent again: at least once, with the same ids.
    """

    name = "findings.notify"
    interval_s = 15.0

    def __init__(self, db: Database, config: NotificationsConfig, outbound: Outbound | None = None) -> None:
        self._db = db
        self._receivers = config.receivers
        self._outbound = outbound or Outbound(allow=config.open_networks)

    async def run(self, now: datetime) -> None:
        """Every receiver of every tenant."""
        if not self._receivers:
            return
        async with self._db.read(EVERY_TENANT) as c:
            tenants = {each.name: each.id for each in await system_tenants(c)}
        for name in sorted({each.tenant for each in self._receivers} - tenants.keys() - {model.EVERY_TENANT}):
            _log.warning("receivers_of_no_tenant", tenant=name)
        places = asyncio.Semaphore(_TOGETHER)
        done, failed = await done_and_failed(self._tenant(id_, name, places, now) for name, id_ in tenants.items())
        raise_failed([*failed, *(failure for each in done for failure in each)])

    async def _tenant(self, tenant: UUID, name: str, places: asyncio.Semaphore, now: datetime) -> list[Exception]:
        scope = system_scope(tenant, "job:notifications")
        mine = {each.name: each for each in self._receivers if each.hears_of(name)}
        async with self._db.write(scope) as c:
            await repository.forget(c, scope, list(mine))
            known = await repository.deliveries(c, scope, list(mine))
        turns = [
            _Turn(
                db=self._db,
                outbound=self._outbound,
                scope=scope,
                tenant=name,
                receiver=each,
                delivery=known[each.name],
                now=now,
            )
            for each in mine.values()
            if not known[each.name].waits(now)
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_in(places, turn.run())) for turn in turns]
        return [failure for each in tasks for failure in each.result()]


async def _in(places: asyncio.Semaphore, work: Coroutine[Any, Any, None]) -> list[Exception]:
    """What fails is one receiver's trouble."""
    async with places:
        _, failed = await done_and_failed([work])
        return failed


@dataclass(kw_only=True)
class _Turn:
    """What one receiver hears in one round."""

    db: Database
    outbound: Outbound
    scope: Scope
    tenant: str
    receiver: Receiver
    delivery: Delivery
    now: datetime
    requests: int = 0
    is_over: bool = False

    async def run(self) -> None:
        """Until there is nothing left to tell, or the receiver takes no more."""
        while not self.is_over and (notices := await self.due()):
            await self.send(notices)

    async def due(self) -> list[Notice]:
        """At most as many as fit into one request."""
        again = ALERT_AGAIN if self.receiver.kind is ReceiverKind.ALERTMANAGER else None
        ask = (self.scope, self.receiver, self.now)
        async with self.db.read(self.scope) as c:
            notices = await repository.due(c, *ask, again_after=again, most=AT_ONCE)
            if len(notices) < AT_ONCE and not self.receiver.is_quiet(self.now):
                notices += await repository.over(c, *ask, most=AT_ONCE - len(notices))
        return notices

    async def send(self, notices: Sequence[Notice]) -> None:
        """Together, or one by one where the receiver will not have them together."""
        if self.requests >= MOST_REQUESTS:
            self.is_over = True
        if self.is_over:
            return
        self.requests += 1
        outcome = await tell(self.outbound, self.receiver, self.tenant, notices, now=self.now)
        if outcome.error is None:
            await self._recorded(self.delivery.delivered(self.now), notices, is_refused=False)
        elif outcome.is_unacceptable and len(notices) > 1:
            for each in notices:
                await self.send([each])
        elif outcome.is_unacceptable:
            refused = replace(self.delivery, refused=self.delivery.refused + 1, last_error=outcome.error)
            _log.warning("notification_refused", receiver=self.receiver.name, why=outcome.error)
            await self._recorded(refused, notices, is_refused=True)
        else:
            self.is_over = True
            wait = wait_after(self.delivery.failures, outcome.retry_after)
            _log.warning("notification_failed", receiver=self.receiver.name, why=outcome.error)
            await self._recorded(self.delivery.failed(self.now, outcome.error, wait), (), is_refused=False)

    async def _recorded(self, delivery: Delivery, notices: Sequence[Notice], *, is_refused: bool) -> None:
        self.delivery = delivery
        async with self.db.write(self.scope) as c:
            await repository.record(c, self.scope, self.receiver.name, notices, self.now, is_refused=is_refused)
            await repository.keep(c, self.scope, delivery)
