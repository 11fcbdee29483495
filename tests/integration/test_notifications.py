"""Findings told to receivers over real sockets: once each, whatever the receivers do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from periplus_hub.access.scope import Role, Scope
from periplus_hub.findings.config import NotificationsConfig
from periplus_hub.findings.jobs_notices import NotifyJob
from periplus_hub.findings.model import FindingDraft, FindingFilter, FindingSeverity
from periplus_hub.findings.repository_graphql import FINDINGS
from periplus_hub.findings.service import acknowledge, reconcile
from periplus_hub.kit.db import Database
from periplus_hub.kit.graphql import uuid_of
from periplus_hub.kit.http_out import Outbound
from periplus_hub.kit.windows import Window

from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import door, token_for
from tests.support.hub_db import make_tenant
from tests.support.web_apps import listening

CRITICAL, WARNING, INFO = FindingSeverity
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Listener:
    """Somebody who is told, and what was said."""

    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Of the next requests; afterwards it takes everything."""
    unacceptable: str = ""
    """It takes no request with this in it."""
    hears: asyncio.Event = field(default_factory=asyncio.Event)
    took: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    """Headers and content of what it took."""
    requests: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        text = await request.text()
        self.requests += 1
        self.hears.set()
        await self.goes_on.wait()
        if self.unacceptable and self.unacceptable in text:
            return web.Response(status=400)
        if self.answers:
            status, headers = self.answers.pop(0)
            return web.Response(status=status, headers=headers)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append((headers, json.loads(text)))
        self.took.set()
        return web.Response()

    @property
    def said(self) -> list[list[str]]:
        """Event and title of each finding, by request."""
        return [[f"{each['event']} {each['title']}" for each in content["findings"]] for _, content in self.told]


@asynccontextmanager
async def listener(name: str = "127.0.0.1") -> AsyncIterator[Listener]:
    found = Listener()
    found.goes_on.set()
    app = web.Application()
    app.router.add_post("/{tail:.*}", found.answer)
    async with listening(app, name) as (host, port):
        found.url = f"http://{host}:{port}"
        yield found


@pytest.fixture
async def heard() -> AsyncIterator[Listener]:
    async with listener() as found:
        yield found


def configured(folder: Path, *receivers: dict[str, Any]) -> NotificationsConfig:
    lines = []
    for each in receivers:
        given = {"tenant": "*", "kind": "webhook"} | each
        lines += ["[[receiver]]", *(f"{key} = {json.dumps(value)}" for key, value in given.items())]
    file = folder / "receivers.toml"
    file.write_text("\n".join(lines))
    return NotificationsConfig(receivers_file=file, receivers_networks=("127.0.0.0/8",))


def job_of(db: Database, config: NotificationsConfig, timeout_s: float = 3_600) -> NotifyJob:
    return NotifyJob(db, config, Outbound(allow=LOOPBACK, timeout_s=timeout_s))


def draft(fingerprint: str, severity: FindingSeverity = WARNING) -> FindingDraft:
    return FindingDraft(
        fingerprint=fingerprint, severity=severity, title=f"trouble {fingerprint}", why="It is.", what_to_do="Mend it."
    )


@dataclass
class Story:
    """What detectors say at which second, and what receivers hear then."""

    db: Database
    scope: Scope
    job: NotifyJob

    async def at(self, second: int, *drafts: FindingDraft) -> None:
        now = START + timedelta(seconds=second)
        async with self.db.write(self.scope) as c:
            await reconcile(c, self.scope, "clock-skew", drafts, now)
        await self.job.run(now)


@pytest.mark.promise("findings-are-told")
async def test_each_is_told_once_when_it_lasts_when_it_gets_worse_and_when_it_is_over(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    story = Story(db, tenant, job_of(db, configured(tmp_path, {"name": "a", "url": heard.url})))
    await story.at(0, draft("x"), draft("y", INFO))
    assert heard.said == [], "nothing has lasted yet"
    for second in (60, 75, 90):
        await story.at(second, draft("x"), draft("y", INFO))
    assert heard.said == [["opened trouble x"]]
    for second in (100, 115):
        await story.at(second, draft("x", CRITICAL), draft("y", INFO))
    assert heard.said[1:] == [["worse trouble x"]]
    await story.at(130, draft("x"), draft("y", INFO))
    assert len(heard.said) == 2, "nobody is called because it got better"
    for second in (140, 199, 200, 215):
        await story.at(second)
    assert heard.said[2:] == [["resolved trouble x"]]


@pytest.mark.promise("findings-do-not-nag")
async def test_what_comes_and_goes_is_not_told(db: Database, tenant: Scope, heard: Listener, tmp_path: Path) -> None:
    story = Story(db, tenant, job_of(db, configured(tmp_path, {"name": "a", "url": heard.url})))
    await story.at(0, draft("short"), draft("known"))
    async with db.write(tenant) as c:
        rows = (await FINDINGS.slices(c, tenant, [None], Window(100), FindingFilter()))[None].rows
        [known] = [uuid_of(row.id, "Finding") for row in rows if row.title == "trouble known"]
        await acknowledge(c, tenant, known, "seen", START)
    await story.at(30, draft("known"))
    await story.at(90, draft("known"), draft("flaps"))
    await story.at(200, draft("known"), draft("flaps"))
    assert heard.said == [["opened trouble flaps"]]
    await story.at(210, draft("known"))
    await story.at(240, draft("known"), draft("flaps"))
    await story.at(400, draft("known"), draft("flaps"))
    assert heard.said == [["opened trouble flaps"]], "it was gone for half a minute, and is the same trouble again"


@pytest.mark.promise("findings-are-told")
async def test_who_fails_is_left_alone_longer_each_time_and_hears_everything_later(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path, clock: FakeClock
) -> None:
    config = configured(tmp_path, {"name": "a", "url": f"{heard.url}/secret-path"})
    story = Story(db, tenant, job_of(db, config))
    heard.answers = [(500, {}), (503, {"retry-after": "100"}), (404, {})]
    await story.at(0, draft("x"))
    for second in (60, 74, 75, 100, 174, 175, 200, 234):
        await story.at(second, draft("x"), draft("y"))
    assert heard.requests == 3, "at 60, after 15 s at 75, after the 100 s it asked for at 175"
    token = await token_for(db, tenant, Role.VIEWER)
    asked = "{ notificationReceivers { name failingSince nextTryAt lastError toldCount lastSuccessAt } }"
    [known] = (await door(db, clock, settings=config).ask(asked, token)).good["notificationReceivers"]
    assert (known["failingSince"], known["lastSuccessAt"]) == ("2026-01-01T00:01:00Z", None)
    assert (known["lastError"], known["toldCount"]) == ("it answers 404: check its URL", 0)
    assert "secret-path" not in json.dumps(known)
    await story.at(235, draft("x"), draft("y"))
    assert heard.said == [["opened trouble x", "opened trouble y"]]


async def test_one_that_is_unacceptable_keeps_no_other_from_being_told(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    story = Story(db, tenant, job_of(db, configured(tmp_path, {"name": "a", "url": heard.url, "wait_s": 0})))
    heard.unacceptable = "trouble b"
    for second in (0, 15, 30):
        await story.at(second, draft("a"), draft("b"), draft("c"))
    assert heard.said == [["opened trouble a"], ["opened trouble c"]]
    assert heard.requests == 4, "together, and each by itself, once"
    heard.unacceptable = ""
    await story.at(45, draft("a"), draft("b", CRITICAL), draft("c"))
    assert heard.said[2:] == [["worse trouble b"]]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_nobody_is_followed_elsewhere(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path, status: int
) -> None:
    async with listener() as inside:
        story = Story(db, tenant, job_of(db, configured(tmp_path, {"name": "a", "url": heard.url, "wait_s": 0})))
        heard.answers = [(status, {"location": f"{inside.url}/x"})]
        await story.at(0, draft("x"))
        assert (heard.requests, heard.told, inside.requests) == (1, [], 0)


async def test_private_addresses_are_not_called_unless_they_are_allowed(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    config = configured(tmp_path, {"name": "a", "url": heard.url, "wait_s": 0})
    closed = NotificationsConfig(receivers_file=config.receivers_file)
    await Story(db, tenant, NotifyJob(db, closed)).at(0, draft("x"))
    assert heard.requests == 0


async def test_one_that_hangs_is_given_up_and_no_other_waits_for_it(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    async with listener() as hangs:
        hangs.goes_on.clear()
        receivers = ({"name": "a", "url": hangs.url, "wait_s": 0}, {"name": "b", "url": heard.url, "wait_s": 0})
        config = configured(tmp_path, *receivers)
        story = Story(db, tenant, job_of(db, config))
        turn = asyncio.create_task(story.at(0, draft("x")))
        await asyncio.gather(hangs.hears.wait(), heard.took.wait())
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        await Story(db, tenant, job_of(db, configured(tmp_path, receivers[0]), timeout_s=0.05)).at(15, draft("x"))
        hangs.goes_on.set()
        await story.at(60, draft("x"))
        assert hangs.said[-1] == ["opened trouble x"]


@pytest.mark.promise("findings-are-told")
async def test_who_was_told_when_the_hub_ended_is_told_again_with_the_same_id(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    config = configured(tmp_path, {"name": "a", "kind": "cloudevents", "url": heard.url, "wait_s": 0})
    story = Story(db, tenant, job_of(db, config))
    heard.goes_on.clear()
    turn = asyncio.create_task(story.at(0, draft("x")))
    await heard.hears.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    heard.goes_on.set()
    await heard.took.wait()
    await story.at(15, draft("x"))
    [[first], [again]] = [content for _, content in heard.told]
    assert first["id"] == again["id"]


async def test_in_quiet_hours_only_the_worst_is_told_and_the_rest_when_they_are_over(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    quiet = {"name": "a", "url": heard.url, "wait_s": 0, "quiet_hours": "23:00-00:10"}
    story = Story(db, tenant, job_of(db, configured(tmp_path, quiet)))
    await story.at(0, draft("x"), draft("gone"), draft("y", CRITICAL))
    await story.at(500, draft("x"))
    assert heard.said == [["opened trouble y"]]
    await story.at(600, draft("x"))
    assert heard.said[1:] == [["opened trouble x", "resolved trouble y"]]


async def test_alertmanager_is_told_again_and_again_until_it_is_over(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    config = configured(tmp_path, {"name": "a", "kind": "alertmanager", "url": heard.url, "wait_s": 0})
    story = Story(db, tenant, job_of(db, config))
    for second in (0, 15, 299, 300, 600):
        await story.at(second, draft("x"))
    await story.at(700)
    await story.at(1_000)
    ends = [alert["endsAt"][11:19] for _, content in heard.told for alert in content]
    assert ends == ["00:15:00", "00:20:00", "00:25:00", "00:11:40"]


async def test_a_receiver_is_told_of_its_tenant_alone_and_signed(db: Database, heard: Listener, tmp_path: Path) -> None:
    ours, theirs = [cast("Scope", await make_tenant(db, name)) for name in ("ours", "theirs")]
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "token").write_text("t0ken")
    secrets = {"token_file": "token", "secret_file": "secret"}
    config = configured(tmp_path, {"name": "a", "tenant": "ours", "url": heard.url, "wait_s": 0} | secrets)
    job = job_of(db, config)
    await Story(db, theirs, job).at(0, draft("theirs"))
    await Story(db, ours, job).at(15, draft("ours"))
    assert heard.said == [["opened trouble ours"]]
    [(headers, content)] = heard.told
    assert content["tenant"] == "ours"
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["x-periplus-signature"].startswith(f"t={int(START.timestamp()) + 15},v1=")


async def test_a_test_is_sent_at_once_and_says_what_came_of_it(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path, clock: FakeClock
) -> None:
    config = configured(tmp_path, {"name": "a", "url": heard.url, "quiet_hours": "00:00-23:59"})
    hub, token = door(db, clock, settings=config), await token_for(db, tenant, Role.OPERATOR)
    ask = """mutation($name: String!) { testNotification(receiver: $name) { __typename
      ... on NotificationTest { isDelivered status error } ... on Problem { message remedy } } }"""
    first = (await hub.ask(ask, token, name="a")).good["testNotification"]
    assert first == {"__typename": "NotificationTest", "isDelivered": True, "status": 200, "error": None}
    assert heard.said == [["test A test of notifications"]]
    heard.answers = [(403, {})]
    second = (await hub.ask(ask, token, name="a")).good["testNotification"]
    assert (second["isDelivered"], second["error"]) == (False, "it answers 403: check its token and its URL")
    nobody = (await hub.ask(ask, token, name="b")).good["testNotification"]
    assert (nobody["__typename"], nobody["message"]) == ("NotFound", "there is no receiver 'b'")


async def test_what_is_no_longer_configured_is_forgotten(
    db: Database, tenant: Scope, heard: Listener, tmp_path: Path
) -> None:
    named = {"url": heard.url, "wait_s": 0}
    await Story(db, tenant, job_of(db, configured(tmp_path, {"name": "a"} | named))).at(0, draft("x"))
    await Story(db, tenant, job_of(db, configured(tmp_path, {"name": "b"} | named))).at(15, draft("x"))
    await Story(db, tenant, job_of(db, configured(tmp_path, {"name": "a"} | named))).at(30, draft("x"))
    assert heard.said == [["opened trouble x"]] * 3
