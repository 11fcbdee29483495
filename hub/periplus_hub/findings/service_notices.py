"""Tell one receiver what it is to be told, and know what it makes of it."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from uuid import UUID

from periplus_hub.findings.engine.notice_bodies import Message, message
from periplus_hub.findings.model import FindingSeverity
from periplus_hub.findings.model_receivers import Notice, NoticeEvent, Receiver
from periplus_hub.kit.http_out import Outbound, OutboundRefusal
from periplus_hub.kit.metrics import counter

LONGEST_WAIT: Final = timedelta(hours=1)
_FIRST_WAIT_S: Final = 15
_MOST_DOUBLINGS: Final = 8
_UNACCEPTABLE: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Answers that are about what was sent, and not about the receiver."""
_REMEDIES: Final = {
    HTTPStatus.UNAUTHORIZED: "check its token",
    HTTPStatus.FORBIDDEN: "check its token and its URL",
    HTTPStatus.NOT_FOUND: "check its URL",
    HTTPStatus.GONE: "its URL was revoked: make a new one",
}
_sent: Final = counter(
    "periplus_notifications_total",
    "Requests to receivers of findings, by the receiver's kind and the outcome: delivered, failed or refused.",
    ("kind", "outcome"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request."""

    status: int | None = None
    error: str | None = None
    """None: it was taken."""
    is_unacceptable: bool = False
    """Whether another content might have been taken."""
    retry_after: timedelta | None = None


async def tell(
    outbound: Outbound, receiver: Receiver, tenant: str, notices: Sequence[Notice], *, now: datetime
) -> Outcome:
    """One request with all of them, which are of the tenant of this name."""
    outcome = await _tell(outbound, receiver, message(receiver.kind, tenant, notices), now)
    word = "delivered" if outcome.error is None else "refused" if outcome.is_unacceptable else "failed"
    _sent.labels(receiver.kind.value, word).inc()
    return outcome


async def _tell(outbound: Outbound, receiver: Receiver, content: Message, now: datetime) -> Outcome:
    headers = {"content-type": content.content_type, "user-agent": "periplus"}
    if receiver.token is not None:
        headers["authorization"] = f"Bearer {receiver.token}"
    if receiver.secret is not None:
        headers["x-periplus-signature"] = signature(receiver.secret, content.body, now)
    try:
        answer = await outbound.post(f"{receiver.url}{content.path}", content.body, headers)
    except OutboundRefusal as refusal:
        return Outcome(error=f"{refusal.message}. {refusal.remedy}")
    if HTTPStatus(200) <= answer.status < HTTPStatus(300):
        return Outcome(status=answer.status)
    return Outcome(
        status=answer.status,
        error=_why_not(answer.status),
        is_unacceptable=answer.status in _UNACCEPTABLE,
        retry_after=_retry_after(answer.headers),
    )


def signature(secret: bytes, body: bytes, now: datetime) -> str:
    """`t=<Unix time>,v1=<HMAC-SHA256 of "<Unix time>." and the body, in hexadecimal>`."""
    at_s = int(now.timestamp())
    return f"t={at_s},v1={hmac.new(secret, f'{at_s}.'.encode() + body, 'sha256').hexdigest()}"


def _why_not(status: int) -> str:
    if HTTPStatus(300) <= status < HTTPStatus(400):
        return f"it answers {status} and so leads elsewhere, where the hub does not follow: give the URL it leads to"
    remedy = _REMEDIES.get(status)  # type: ignore[call-overload]  # any number may come
    return f"it answers {status}: {remedy}" if remedy else f"it answers {status}"


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """In seconds alone: a date would need the receiver's clock."""
    text = headers.get("retry-after", "")
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) <= len("86400") else None


def wait_after(failures: int, retry_after: timedelta | None) -> timedelta:
    """Before the next try: twice as long after each failure, as long as the receiver asks for, at most an hour."""
    doubled = timedelta(seconds=_FIRST_WAIT_S * 2 ** min(failures, _MOST_DOUBLINGS))
    return min(max(doubled, retry_after or timedelta()), LONGEST_WAIT)


def trial_notice(now: datetime) -> Notice:
    """What is sent to see whether it arrives."""
    return Notice(
        event=NoticeEvent.TEST,
        finding_id=UUID(int=0),
        detector="test",
        fingerprint="test",
        severity=FindingSeverity.INFO,
        title="A test of notifications",
        why="Somebody asked the hub to send it. Nothing is wrong.",
        what_to_do="Nothing.",
        evidence={},
        cluster_id=None,
        cluster=None,
        opened_at=now,
        at=now,
    )
