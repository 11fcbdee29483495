"""What several hubs on one database agree on: who leads, and what just happened."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.addresses.overlaps.model import Severity
from periplus_hub.api.app import following
from periplus_hub.kit import jobs
from periplus_hub.kit.db import Database
from periplus_hub.kit.event_bridge import EventBridge
from periplus_hub.kit.events import LAGGED, Event, Events
from periplus_hub.kit.jobs import JobRunner, lead
from periplus_hub.kit.tasks import beside

from tests.support.clock import FakeClock
from tests.support.endless_job import EndlessJob
from tests.support.graphql_hub import door, token_for
from tests.support.overlap_fleet import Fleet

ACME = UUID(int=1)
SOON_S = 0.02


async def end_sessions(db: Database) -> None:
    connection = await asyncpg.connect(db.dsn)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    finally:
        await connection.close()


@pytest.mark.promise("one-replica-leads")
async def test_one_replica_works_and_the_next_takes_over_when_it_ends(database_url: str, clock: FakeClock) -> None:
    databases = [Database(database_url, clock) for _ in range(2)]
    first, second = EndlessJob(), EndlessJob()
    async with asyncio.timeout(60):
        async with beside(lead(databases[0], JobRunner([first], clock), ask_s=SOON_S)):
            await first.started.wait()
            await jobs._lead_once(databases[1], JobRunner([second], clock), SOON_S)
            assert not second.started.is_set()
        async with beside(lead(databases[1], JobRunner([second], clock), ask_s=SOON_S)):
            await second.started.wait()
            assert first.stopped.is_set()
    for db in databases:
        await db.dispose()


@pytest.mark.promise("one-replica-leads")
async def test_a_leader_whose_session_ended_stops_and_asks_again(db: Database, clock: FakeClock) -> None:
    work = EndlessJob()
    async with asyncio.timeout(60), beside(lead(db, JobRunner([work], clock), ask_s=SOON_S)):
        await work.started.wait()
        work.started.clear()
        await end_sessions(db)
        await work.stopped.wait()
        await work.started.wait()


async def test_events_reach_the_other_replicas_once(database_url: str, clock: FakeClock) -> None:
    databases = [Database(database_url, clock) for _ in range(2)]
    here, there = Events(), Events()
    bridges = [EventBridge(db, events) for db, events in zip(databases, (here, there), strict=True)]
    async with asyncio.timeout(60), beside(*(bridge.run() for bridge in bridges)):
        for bridge in bridges:
            await bridge.connected.wait()
        with here.subscribe(ACME, "pods", "end") as at_home, there.subscribe(ACME, "pods", "end") as abroad:
            here.publish(ACME, "pods", {"n": 1})
            here.publish(ACME, "pods", {"n": "x" * 9_000})
            here.publish(ACME, "end")
            assert [(await anext(at_home)).topic for _ in range(3)] == ["pods", "pods", "end"]
            assert await anext(abroad) == Event(ACME, "pods", {"n": 1})
            assert (await anext(abroad)).topic == LAGGED, "too large for NOTIFY: lost, and said so"
            assert (await anext(abroad)).topic == "end"
    for db in databases:
        await db.dispose()


async def test_a_replica_that_did_not_hear_for_a_while_reads_everything_again(db: Database) -> None:
    events = Events()
    bridge = EventBridge(db, events, retry_s=0)
    async with asyncio.timeout(60), beside(bridge.run()):
        await bridge.connected.wait()
        with events.subscribe(ACME, "pods") as heard:
            await end_sessions(db)
            assert (await anext(heard)).topic == LAGGED


@pytest.mark.parametrize("change", ["move", "connect", "revoke"])
async def test_the_register_follows_at_once_what_is_done_in_another_replica(
    database_url: str, db: Database, tenant: Scope, clock: FakeClock, change: str
) -> None:
    there, here, leader = Events(), Events(), Database(database_url, clock)
    fleet, told = Fleet.open(db, tenant), asyncio.Queue[str]()
    for name in ("a", "b"):
        await fleet.cluster(name, ("pod", "10.244.0.0/16"))
    runner = JobRunner([OverlapsJob(leader, lambda *_: told.put_nowait("changed"), interval_s=3_600)], clock)
    bridges = [EventBridge(db, here), EventBridge(leader, there)]
    work = (lead(leader, runner), following(there, runner, OverlapsJob.name))
    async with asyncio.timeout(60), beside(*(bridge.run() for bridge in bridges), *work):
        for bridge in bridges:
            await bridge.connected.wait()
        await told.get()
        async with db.read(tenant) as c:
            home, other = [f"NetworkDomain:{await fleet.domain_of(c, fleet.registration(name))}" for name in "ab"]
        text = {
            "move": "mutation($d: ID!, $c: ID!) { moveClusters(domain: $d, clusters: [$c]) { __typename } }",
            "connect": "mutation($d: ID!, $o: ID!) { connectDomains(a: $d, b: $o, mode: FLAT) { __typename } }",
            "revoke": "mutation($c: ID!) { revokeCluster(cluster: $c) { __typename } }",
        }[change]
        ids = {"d": home, "o": other, "c": fleet.id_of("b")}
        used = {name: value for name, value in ids.items() if f"${name}" in text}
        answer = await door(db, clock, events=here).ask(text, await token_for(db, tenant, Role.ADMIN), **used)
        assert "Problem" not in str(answer.good)
        await told.get()
        expected = [] if change == "revoke" else [Severity.CONFLICT]
        assert [group.severity for group in await fleet.groups()] == expected
    fleet.door.intake.close()
    await leader.dispose()
