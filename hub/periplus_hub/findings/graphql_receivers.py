"""Who is told of findings outside of the hub, and whether it arrives."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.repository_graphql import tenant_name
from periplus_hub.access.scope import Permission
from periplus_hub.access.service import audit
from periplus_hub.findings import repository_notices as repository
from periplus_hub.findings.config import NotificationsConfig
from periplus_hub.findings.detectors.registry import DETECTORS
from periplus_hub.findings.model import FindingSeverity
from periplus_hub.findings.model_receivers import Delivery, Receiver, ReceiverKind
from periplus_hub.findings.receivers_file import MOST_RECEIVERS
from periplus_hub.findings.service_notices import tell, trial_notice
from periplus_hub.kit.errors import NotFound
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.http_out import Outbound

strawberry.enum(ReceiverKind, name="ReceiverKind", description="In which form a receiver takes findings.")


@strawberry.type(description="Somebody outside of the hub who is told of findings. The hub's configuration names them.")
class NotificationReceiver:
    """findings.model_receivers.Receiver with its Delivery."""

    name: str = strawberry.field(description="What the configuration calls it.")
    form: ReceiverKind = strawberry.field(description="In which form it takes findings.")
    host: str = strawberry.field(description="Where it is; the rest of its URL is secret.")
    severity: FindingSeverity = strawberry.field(description="It is told of this severity and worse.")
    detectors: list[str] = strawberry.field(
        description="It is told only what these detectors say; empty is all.", directives=at_most(len(DETECTORS))
    )
    wait_s: int = strawberry.field(description="How long a finding lasts before it is told.")
    quiet_hours: str | None = strawberry.field(description="When it is told only of the worst.")
    quiet_time_zone: str | None = strawberry.field(description="The time zone of these hours.")
    is_quiet: bool = strawberry.field(description="Whether they are now.")
    told_count: int = strawberry.field(description="Findings that it knows of and was not told are over.")
    refused_count: int = strawberry.field(description="Findings that it would not take.")
    last_success_at: datetime | None = strawberry.field(description="When it last took something; null is never.")
    failing_since: datetime | None = strawberry.field(description="Since when it takes nothing; null: it does.")
    next_try_at: datetime | None = strawberry.field(description="When it is tried again.")
    last_error: str | None = strawberry.field(description="Why it did not take what it was told last.")


@strawberry.type(description="What came of a test.")
class NotificationTest:
    """findings.service_notices.Outcome."""

    receiver: str = strawberry.field(description="Who was told.")
    is_delivered: bool = strawberry.field(description="Whether it took the message.")
    status: int | None = strawberry.field(description="The HTTP status that it answered.")
    error: str | None = strawberry.field(description="Why it did not take it.")


def _receiver(receiver: Receiver, delivery: Delivery, told: int, now: datetime) -> NotificationReceiver:
    quiet = receiver.quiet
    return NotificationReceiver(
        name=receiver.name,
        form=receiver.kind,
        host=urlsplit(receiver.url).hostname or "",
        severity=receiver.severity,
        detectors=list(receiver.detectors),
        wait_s=int(receiver.wait.total_seconds()),
        quiet_hours=None if quiet is None else quiet.text,
        quiet_time_zone=None if quiet is None else quiet.zone.key,
        is_quiet=receiver.is_quiet(now),
        told_count=told,
        refused_count=delivery.refused,
        last_success_at=delivery.last_success_at,
        failing_since=delivery.failing_since,
        next_try_at=delivery.next_try_at,
        last_error=delivery.last_error,
    )


def _mine(info: Info, tenant: str) -> list[Receiver]:
    return [each for each in info.context.setting(NotificationsConfig).receivers if each.hears_of(tenant)]


@strawberry.type
class ReceiversQuery:
    """The root field about receivers."""

    @strawberry.field(
        description="Who is told of findings outside of the hub, by name.", directives=at_most(MOST_RECEIVERS)
    )
    async def notification_receivers(self, info: Info) -> list[NotificationReceiver]:
        """Those of the asker's tenant."""
        mine = sorted(_mine(info, await info.context.read(tenant_name)), key=lambda each: each.name)
        names = [each.name for each in mine]
        known = await info.context.read(repository.deliveries, names)
        told = await info.context.read(repository.told_counts, names)
        now = info.context.now
        return [_receiver(each, known[each.name], told.get(each.name, 0), now) for each in mine]


@strawberry.type
class ReceiversMutation:
    """The mutation about receivers."""

    @mutation(
        Permission.NOTIFICATIONS_TEST,
        "Send a receiver of findings a test.",
        answers="What came of it, or why nothing was sent.",
    )
    async def test_notification(
        self, info: Info, receiver: Annotated[str, strawberry.argument(description="Its name.")]
    ) -> NotificationTest:
        """At once, also in quiet hours and while it is left alone because it failed."""
        context = info.context
        tenant = await context.read(tenant_name)
        found = [each for each in _mine(info, tenant) if each.name == receiver]
        if not found:
            raise NotFound(
                f"there is no receiver '{receiver[:80]}'", "Look at the list of receivers, or add it to receivers_file."
            )
        outbound = Outbound(allow=context.setting(NotificationsConfig).open_networks)
        now = context.clock.now()
        outcome = await tell(outbound, found[0], tenant, [trial_notice(now)], now=now)
        async with context.write() as c:
            known = (await repository.deliveries(c, context.scope, [receiver]))[receiver]
            await repository.keep(c, context.scope, replace(known, tested_at=now))
            before = {"tested_at": None if known.tested_at is None else known.tested_at.isoformat()}
            after = {"tested_at": now.isoformat(), "delivered": outcome.error is None}
            before |= {"delivered": None}
            await audit(
                c, context.scope, "person:receiver:test", "NotificationReceiver", receiver, before=before, after=after
            )
        return NotificationTest(
            receiver=receiver, is_delivered=outcome.error is None, status=outcome.status, error=outcome.error
        )
