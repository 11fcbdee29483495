"""What each kind of receiver is sent. Pure.

Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. Alertmanager: `POST /api/v2/alerts`.
CloudEvents: version 1.0, batched content mode of its HTTP binding.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from periplus_hub.findings.model_receivers import Notice, NoticeEvent, ReceiverKind
from periplus_hub.kit.node_ids import node_id

ALERT_LASTS: Final = timedelta(minutes=15)
"""An alert that is not told again until then is over for Alertmanager: three times as long as it waits to be told."""
_LISTED: Final = 20
"""Findings that a message for people spells out."""
_ALERTS_PATH: Final = "/api/v2/alerts"
_HEADS: Final = {
    NoticeEvent.OPENED: "new",
    NoticeEvent.WORSE: "worse",
    NoticeEvent.CONTINUES: "going on",
    NoticeEvent.RESOLVED: "resolved",
    NoticeEvent.TEST: "test",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One request."""

    path: str
    """Appended to the receiver's URL."""
    content_type: str
    body: bytes


def message(kind: ReceiverKind, tenant: str, notices: Sequence[Notice]) -> Message:
    """All notices in one request."""
    return _BODIES[kind](tenant, notices)


def _webhook(tenant: str, notices: Sequence[Notice]) -> Message:
    content = {"version": 1, "tenant": tenant, "findings": [_whole(each) for each in notices]}
    return Message("", "application/json", _json(content))


def _cloudevents(tenant: str, notices: Sequence[Notice]) -> Message:
    events = [
        {
            "specversion": "1.0",
            "id": _event_id(each),
            "source": f"/periplus/tenants/{tenant}",
            "type": f"periplus.finding.{each.event.value}.v1",
            "subject": _id(each),
            "time": _time(each.at),
            "datacontenttype": "application/json",
            "data": _whole(each),
        }
        for each in notices
    ]
    return Message("", "application/cloudevents-batch+json", _json(events))


def _event_id(notice: Notice) -> str:
    """The same for the same event, so that a receiver that hears it twice can tell."""
    return f"{notice.finding_id}.{notice.event.value}.{notice.severity.value}"


def _alertmanager(tenant: str, notices: Sequence[Notice]) -> Message:
    return Message(_ALERTS_PATH, "application/json", _json([_alert(tenant, each) for each in notices]))


def _alert(tenant: str, notice: Notice) -> dict[str, Any]:
    """Labels name the finding and stay the same for as long as it lasts, but for its severity."""
    labels = {
        "alertname": f"Periplus{''.join(part.capitalize() for part in notice.detector.split('-'))}",
        "detector": notice.detector,
        "severity": notice.severity.value,
        "tenant": tenant,
        "fingerprint": sha256(notice.fingerprint.encode()).hexdigest()[:16],
    }
    if notice.cluster is not None:
        labels["cluster"] = notice.cluster
    over = notice.event is NoticeEvent.RESOLVED
    return {
        "labels": labels,
        "annotations": {"summary": notice.title, "description": notice.why, "what_to_do": notice.what_to_do},
        "startsAt": _time(notice.opened_at),
        "endsAt": _time(notice.at if over else notice.at + ALERT_LASTS),
    }


def _slack(tenant: str, notices: Sequence[Notice]) -> Message:
    lines = [f"*Periplus*, tenant {_escaped(tenant)}: {_counts(notices)}"]
    lines += [_line(each) for each in notices[:_LISTED]]
    if len(notices) > _LISTED:
        lines.append(f"… and {len(notices) - _LISTED} more: `periplus findings list`")
    return Message("", "application/json", _json({"text": "\n".join(lines)}))


def _counts(notices: Sequence[Notice]) -> str:
    found = [(head, sum(each.event is event for each in notices)) for event, head in _HEADS.items()]
    return ", ".join(f"{number} {head}" for head, number in found if number)


def _line(notice: Notice) -> str:
    place = f" ({_escaped(notice.cluster)})" if notice.cluster is not None else ""
    head = f"• *{_HEADS[notice.event]}*, {notice.severity.value}: {_escaped(notice.title)}{place}"
    if notice.event is NoticeEvent.RESOLVED:
        return head
    return f"{head}\n   {_escaped(notice.why)} _{_escaped(notice.what_to_do)}_"


def _escaped(text: str) -> str:
    """Slack's three control characters; the rest of a name is text, also a `<!channel>` that somebody made of it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _whole(notice: Notice) -> dict[str, Any]:
    cluster = None
    if notice.cluster_id is not None:
        cluster = {"id": node_id("Cluster", notice.cluster_id), "name": notice.cluster}
    return {
        "event": notice.event.value,
        "id": _id(notice),
        "detector": notice.detector,
        "severity": notice.severity.value,
        "title": notice.title,
        "why": notice.why,
        "whatToDo": notice.what_to_do,
        "evidence": notice.evidence,
        "cluster": cluster,
        "openedAt": _time(notice.opened_at),
        "at": _time(notice.at),
    }


def _id(notice: Notice) -> str:
    return node_id("Finding", notice.finding_id)


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _json(content: Mapping[str, Any] | Iterable[Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


_BODIES: Final[Mapping[ReceiverKind, Callable[[str, Sequence[Notice]], Message]]] = {
    ReceiverKind.WEBHOOK: _webhook,
    ReceiverKind.CLOUDEVENTS: _cloudevents,
    ReceiverKind.ALERTMANAGER: _alertmanager,
    ReceiverKind.SLACK: _slack,
}
