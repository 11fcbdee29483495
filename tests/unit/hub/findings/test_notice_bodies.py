"""What receivers are sent, in each form."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from periplus_hub.findings.engine.notice_bodies import message
from periplus_hub.findings.model import FindingSeverity
from periplus_hub.findings.model_receivers import Notice, NoticeEvent, ReceiverKind
from periplus_hub.findings.service_notices import LONGEST_WAIT, signature, wait_after

from tests.support.clock import START

NOTICE = Notice(
    event=NoticeEvent.OPENED,
    finding_id=UUID(int=1),
    detector="full-pools",
    fingerprint="pool a",
    severity=FindingSeverity.CRITICAL,
    title="The pool <!channel> & co is full",
    why="All 254 addresses are used.",
    what_to_do="Make it larger.",
    evidence={"free": 0},
    cluster_id=UUID(int=2),
    cluster="shop",
    opened_at=START,
    at=START + timedelta(minutes=3),
)


def sent(kind: ReceiverKind, *notices: Notice) -> Any:
    return json.loads(message(kind, "default", notices).body)


def test_a_webhook_gets_the_whole_finding() -> None:
    assert sent(ReceiverKind.WEBHOOK, NOTICE) == {
        "version": 1,
        "tenant": "default",
        "findings": [
            {
                "event": "opened",
                "id": f"Finding:{UUID(int=1)}",
                "detector": "full-pools",
                "severity": "critical",
                "title": "The pool <!channel> & co is full",
                "why": "All 254 addresses are used.",
                "whatToDo": "Make it larger.",
                "evidence": {"free": 0},
                "cluster": {"id": f"Cluster:{UUID(int=2)}", "name": "shop"},
                "openedAt": "2026-01-01T00:00:00Z",
                "at": "2026-01-01T00:03:00Z",
            }
        ],
    }


def test_cloudevents_have_one_id_for_one_event_and_another_for_the_next() -> None:
    first, again, worse = sent(ReceiverKind.CLOUDEVENTS, NOTICE, NOTICE, replace(NOTICE, event=NoticeEvent.WORSE))
    assert (first["specversion"], first["type"]) == ("1.0", "periplus.finding.opened.v1")
    assert first["id"] == again["id"] != worse["id"]
    assert (first["source"], first["subject"]) == ("/periplus/tenants/default", f"Finding:{UUID(int=1)}")
    assert first["data"]["title"] == NOTICE.title
    kind = message(ReceiverKind.CLOUDEVENTS, "default", [NOTICE]).content_type
    assert kind == "application/cloudevents-batch+json"


def test_alertmanager_knows_an_alert_again_and_when_it_is_over() -> None:
    [alert] = sent(ReceiverKind.ALERTMANAGER, NOTICE)
    [later] = sent(ReceiverKind.ALERTMANAGER, replace(NOTICE, event=NoticeEvent.CONTINUES, title="other words"))
    [over] = sent(ReceiverKind.ALERTMANAGER, replace(NOTICE, event=NoticeEvent.RESOLVED))
    assert alert["labels"] == later["labels"] == over["labels"]
    assert alert["labels"] | {"fingerprint": ""} == {
        "alertname": "PeriplusFullPools", "detector": "full-pools", "severity": "critical", "tenant": "default",
        "cluster": "shop", "fingerprint": "",
    }  # fmt: skip
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:18:00Z")
    assert over["endsAt"] == "2026-01-01T00:03:00Z"
    assert message(ReceiverKind.ALERTMANAGER, "default", [NOTICE]).path == "/api/v2/alerts"


def test_slack_calls_nobody_by_a_name_in_the_fleet_and_lists_no_more_than_people_read() -> None:
    text = sent(ReceiverKind.SLACK, NOTICE, replace(NOTICE, event=NoticeEvent.RESOLVED))["text"]
    assert "The pool &lt;!channel&gt; &amp; co is full" in text
    assert "1 new, 1 resolved" in text
    assert text.count("Make it larger.") == 1, "there is nothing to do about what is over"
    many = sent(ReceiverKind.SLACK, *[NOTICE] * 57)["text"]
    assert many.count("•") == 20
    assert "… and 37 more" in many


def test_what_is_signed_is_the_time_and_the_body() -> None:
    at = int(START.timestamp())
    expected = hmac.new(b"secret", f"{at}.body".encode(), hashlib.sha256).hexdigest()
    assert signature(b"secret", b"body", START) == f"t={at},v1={expected}"


@pytest.mark.parametrize(
    ("failures", "asked_s", "waits_s"), [(0, None, 15), (1, None, 30), (4, None, 240), (0, 90, 90), (3, 5, 120)]
)
def test_a_receiver_is_left_alone_longer_each_time(failures: int, asked_s: int | None, waits_s: int) -> None:
    asked = None if asked_s is None else timedelta(seconds=asked_s)
    assert wait_after(failures, asked) == timedelta(seconds=waits_s)


def test_nobody_is_left_alone_for_more_than_an_hour() -> None:
    assert wait_after(1_000, timedelta(days=1)) == LONGEST_WAIT
