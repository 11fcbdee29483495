"""Receivers of findings outside of the hub, and what one of them is told. Pure."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from periplus_hub.findings.model import FindingSeverity

SEVERITIES: Final = tuple(FindingSeverity)
"""Worst first."""

EVERY_TENANT: Final = "*"


class ReceiverKind(StrEnum):
    """In which form a receiver takes findings."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    ALERTMANAGER = "alertmanager"
    CLOUDEVENTS = "cloudevents"


class NoticeEvent(StrEnum):
    """What happened to a finding since its receiver last heard of it."""

    OPENED = "opened"
    WORSE = "worse"
    CONTINUES = "continues"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another, in a time zone; over midnight where the end is before the start."""

    start: time
    end: time
    zone: ZoneInfo
    text: str
    """As it was written."""

    def are_now(self, now: datetime) -> bool:
        """Whether `now` is within them: the start is, the end is not."""
        at = now.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody who is told. What is secret in it never leaves it but to the receiver itself."""

    name: str
    tenant: str
    """Whose findings: a tenant's name, or `*` for every tenant's."""
    kind: ReceiverKind
    url: str
    severity: FindingSeverity
    """This one and worse are told."""
    detectors: tuple[str, ...] = ()
    """Empty: all."""
    wait: timedelta
    """How long a finding has to last, or to be over, before it is told."""
    quiet: QuietHours | None = None
    quiet_severity: FindingSeverity = FindingSeverity.CRITICAL
    """This one and worse are told in quiet hours, too."""
    token: str | None = None
    """Sent as `Authorization: Bearer`."""
    secret: bytes | None = None
    """Signs what is sent."""

    def hears_of(self, tenant: str) -> bool:
        """Whether it is told of this tenant's findings."""
        return self.tenant in {tenant, EVERY_TENANT}

    def is_quiet(self, now: datetime) -> bool:
        """Whether it is told only of the worst now."""
        return self.quiet is not None and self.quiet.are_now(now)

    def told_severities(self, now: datetime) -> tuple[FindingSeverity, ...]:
        """Those that it is told of now, worst first."""
        least = SEVERITIES.index(self.severity)
        if self.is_quiet(now):
            least = min(least, SEVERITIES.index(self.quiet_severity))
        return SEVERITIES[: least + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told of one finding."""

    event: NoticeEvent
    finding_id: UUID
    detector: str
    fingerprint: str
    severity: FindingSeverity
    title: str
    why: str
    what_to_do: str
    evidence: dict[str, object]
    cluster_id: UUID | None
    cluster: str | None
    """Its name, where the finding is about one."""
    opened_at: datetime
    at: datetime
    """When what the event says became so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a receiver takes what it is told."""

    receiver: str
    failures: int = 0
    """In a row."""
    failing_since: datetime | None = None
    next_try_at: datetime | None = None
    last_error: str | None = None
    last_success_at: datetime | None = None
    refused: int = 0
    """Findings that it would not take, and is not told again unless they get worse."""
    tested_at: datetime | None = None

    def waits(self, now: datetime) -> bool:
        """Whether it is left alone until a later time."""
        return self.next_try_at is not None and now < self.next_try_at

    def delivered(self, now: datetime) -> "Delivery":
        """After it took something."""
        return Delivery(receiver=self.receiver, last_success_at=now, refused=self.refused, tested_at=self.tested_at)

    def failed(self, now: datetime, error: str, wait: timedelta) -> "Delivery":
        """After it did not."""
        return Delivery(
            receiver=self.receiver,
            failures=self.failures + 1,
            failing_since=self.failing_since or now,
            next_try_at=now + wait,
            last_error=error,
            last_success_at=self.last_success_at,
            refused=self.refused,
            tested_at=self.tested_at,
        )
