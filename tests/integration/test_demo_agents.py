"""Agents of the demonstration, at the door through which all agents come."""

import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.api.demo.node_agents import HISTORY_HOURS, NodeAgents
from periplus_hub.api.demo.posting import Post, post_to
from periplus_hub.api.demo.traffic import MINUTE_S, SILENT_NODE, nodes_with_agents
from periplus_hub.api.hub_client import HubCallError, Reply
from periplus_hub.flows.model import HOUR_S
from periplus_hub.flows.tables import node_coverage
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.flow_hub import FlowHub, flow_hub

PAYMENTS, STAGE = "payments-dublin", "platform-stage"
TOLD = """SELECT toUnixTimestamp(min(window_start)) AS first, toUnixTimestamp(max(window_start)) AS last,
  uniqExact(window_start) AS windows FROM flows"""


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


def through(hub: FlowHub) -> Post:
    """The hub of this process."""

    async def post(path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        answer = await hub.door.http.post(path, content=content, headers=headers)
        return Reply(answer.status_code, answer.headers["content-type"], answer.content)

    return post


@contextmanager
def closed_port() -> Iterator[int]:
    """One where nobody listens, held so that nobody can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def joined(hub: FlowHub, scope: Scope, clock: FakeClock, *clusters: str) -> NodeAgents:
    tokens = {}
    for name in clusters:
        member = await hub.door.member(scope, name)
        tokens[name] = await hub.door.agents_token(scope, member.registration)
    agents = NodeAgents(clock)
    await agents.join(through(hub), tokens)
    return agents


async def test_they_tell_of_the_hours_before_and_then_of_every_minute(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    clock.advance(HOUR_S // 2 + 7)
    agents = await joined(hub, tenant, clock, PAYMENTS)
    assert agents.has_news
    await agents.tell(through(hub))
    assert not agents.has_news
    await hub.load()
    [history] = await hub.rows(tenant, TOLD)
    assert (agents.start_s - agents.history_from_s) // HOUR_S == HISTORY_HOURS
    assert (history["first"], history["last"]) == (agents.history_from_s, agents.start_s - MINUTE_S)
    assert history["windows"] == (agents.start_s - agents.history_from_s) // MINUTE_S
    clock.advance(MINUTE_S)
    assert agents.has_news
    await agents.tell(through(hub))
    await hub.load()
    [now] = await hub.rows(tenant, TOLD)
    assert (now["last"], now["windows"]) == (agents.start_s, history["windows"] + 1)


async def test_a_silent_one_told_before_and_tells_nothing_more(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    agents = await joined(hub, tenant, clock, STAGE)
    await agents.tell(through(hub))
    clock.advance(10 * MINUTE_S)
    await agents.tell(through(hub))
    told = select(node_coverage).where(owned(tenant, node_coverage)).order_by(node_coverage.c.day_start)
    async with hub.db.read(tenant) as c:
        rows = await c.rows(told)
    ends = {row.node: row.day_start + MINUTE_S * (row.minutes.rindex("1") + 1) for row in rows}
    last = {node: end - agents.start_s for node, end in ends.items()}
    assert set(last) == set(nodes_with_agents()[STAGE])
    assert last.pop(SILENT_NODE) == -40 * MINUTE_S
    assert set(last.values()) == {10 * MINUTE_S}


async def test_what_could_not_be_sent_is_sent_when_the_hub_is_back(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    agents = await joined(hub, tenant, clock, PAYMENTS)

    with closed_port() as port, pytest.raises(HubCallError, match=r"cannot be reached: .*refused"):
        await agents.tell(post_to(f"http://127.0.0.1:{port}"))
    assert agents.has_news
    clock.advance(MINUTE_S)
    await agents.tell(through(hub))
    await hub.load()
    [told] = await hub.rows(tenant, TOLD)
    assert told["windows"] == (agents.start_s - agents.history_from_s) // MINUTE_S + 1


async def test_a_credential_that_is_over_is_renewed(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    agents = await joined(hub, tenant, clock, PAYMENTS)
    await agents.tell(through(hub))
    clock.advance(25 * HOUR_S)
    await agents.tell(through(hub))
    await hub.load()
    [told] = await hub.rows(tenant, TOLD)
    assert told["last"] == agents.start_s + 25 * HOUR_S - MINUTE_S


async def test_a_refusal_says_why(hub: FlowHub, clock: FakeClock) -> None:
    with pytest.raises(HubCallError, match="proof of identity is not accepted"):
        await NodeAgents(clock).join(through(hub), {PAYMENTS: "nobody.knows-this-token"})
