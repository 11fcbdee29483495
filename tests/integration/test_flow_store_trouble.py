"""The flow store is locked, away, or full of old things: nothing accepted is lost, and what is wrong is said."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from periplus_contract import problems
from periplus_hub.access.scope import Scope
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.jobs import FlowDaysJob, FlowRetentionJob
from periplus_hub.flows.loading import FlowLoadJob
from periplus_hub.flows.service_intake import FlowsApplier
from periplus_hub.kit import logs
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.ids import new_id

from tests.support.batches import Spoke
from tests.support.clickhouse_http import hanging_up, port, server, url_of
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import (
    BOTH,
    MEMORY_BYTES,
    Flow,
    FlowHub,
    Peer,
    bytes_of,
    flow_hub,
    folder_url,
    seal_flows,
    seconds,
)
from tests.support.spokes_door import RefusedByHubError

AT = seconds(START)
WEB = Peer(workload="shop/Deployment/web")


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


async def test_a_folder_that_another_process_has_is_named(hub: FlowHub, tmp_path: Path) -> None:
    hub.store.claim()
    second = ColumnStore(folder_url(tmp_path / "flows"), memory_bytes=MEMORY_BYTES)
    with pytest.raises(Unavailable, match="another process uses the flow store in"):
        second.claim()
    loading = FlowLoadJob(hub.db, second, FlowsApplier(new_id()), FlowsConfig())
    with pytest.raises(Unavailable):
        await loading.run(hub.db.clock.now())
    assert "another process uses the flow store" in loading.degraded()["flows"]
    await second.close()


async def test_two_embedded_stores_of_one_database_are_refused(hub: FlowHub, tmp_path: Path) -> None:
    await hub.load()
    second = ColumnStore(folder_url(tmp_path / "others"), memory_bytes=MEMORY_BYTES)
    loading = FlowLoadJob(hub.db, second, FlowsApplier(new_id()), FlowsConfig())
    with pytest.raises(Unavailable, match="another hub of this database loads flows into another store"):
        await loading.run(hub.db.clock.now())
    await second.close()


async def test_the_next_life_of_a_store_loads_what_the_last_one_took(
    db: Database, tmp_path: Path, tenant: Scope
) -> None:
    async with flow_hub(db, tmp_path / "flows") as first:
        member = await first.door.member(tenant)
        await first.load()
        await member.send(seal_flows(Spoke(member.registration), [Flow(WEB, WEB, AT, BOTH, measures=bytes_of(5))]))
    async with flow_hub(db, tmp_path / "flows") as second:
        await second.load()
        assert await second.rows(tenant, "SELECT sum(bytes_tx) AS tx FROM flows") == [{"tx": 5}]


async def test_spokes_wait_while_the_inbox_is_full(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    batch = seal_flows(spoke, [Flow(WEB, WEB, AT, BOTH, measures=bytes_of(5))])
    hub.applier.is_full = True
    with pytest.raises(RefusedByHubError) as refused:
        await member.send(batch)
    assert (refused.value.problem.type, refused.value.retry_after) == (problems.OVERLOADED.uri, "30")
    hub.applier.is_full = False
    assert (await member.send(batch)).result == "accepted"


async def test_what_is_old_is_forgotten_and_its_edges_stay_as_they_are(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(seal_flows(spoke, [Flow(WEB, WEB, AT, BOTH, measures=bytes_of(5))]))
    await hub.settle()
    clock.advance(timedelta(days=9).total_seconds())
    await member.renew()
    late = Flow(WEB, WEB, AT + 60, BOTH, measures=bytes_of(100))
    recent = Flow(WEB, WEB, AT + 8 * 86_400, BOTH, measures=bytes_of(7))
    for flow in (late, recent):
        await member.send(seal_flows(spoke, [flow]))
    await hub.settle()
    retention = FlowRetentionJob(hub.db, hub.store, FlowsConfig(flow_hourly_days=30))
    await retention.run(clock.now())
    assert await hub.rows(tenant, "SELECT sum(bytes_tx) AS tx FROM flows") == [{"tx": 7}]
    edges = "SELECT bytes_tx FROM edges_hourly ORDER BY hour"
    assert [row["bytes_tx"] for row in await hub.rows(tenant, edges)] == [5, 7]
    clock.advance(timedelta(days=25).total_seconds())
    await FlowDaysJob(hub.db, hub.store).run(clock.now())
    await retention.run(clock.now())
    assert [row["bytes_tx"] for row in await hub.rows(tenant, edges)] == [7]


async def trouble(hub: FlowHub) -> str:
    """Why nothing can be loaded."""
    with pytest.raises(ExceptionGroup) as failed:
        await hub.load()
    (error,) = failed.value.exceptions
    assert isinstance(error, Unavailable)
    return error.message


async def test_what_came_while_a_server_was_away_is_loaded_when_it_is_back(
    db: Database, tmp_path: Path, tenant: Scope, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", "json")
    with port() as listener:
        url = url_of(listener).replace("//", "//someone:a-secret@")
        async with flow_hub(db, url) as hub:
            member = await hub.door.member(tenant)
            spoke = Spoke(member.registration)
            with server(tmp_path / "served", listener) as running:
                await member.send(seal_flows(spoke, [Flow(WEB, WEB, AT, BOTH, measures=bytes_of(5))]))
                await hub.load()
                running.kill()
                await member.send(seal_flows(spoke, [Flow(WEB, WEB, AT + 60, BOTH, measures=bytes_of(7))]))
                with hanging_up(listener):
                    assert "the flow store cannot be used: no connection to 127.0.0.1:" in await trouble(hub)
            with server(tmp_path / "served", listener, readonly=True):
                assert "readonly" in await trouble(hub)
            with server(tmp_path / "served", listener):
                await hub.load()
                assert await hub.rows(tenant, "SELECT sum(bytes_tx) AS tx, count() AS n FROM flows") == [
                    {"tx": 12, "n": 2}
                ]
    told = "".join(capfd.readouterr())
    assert "Traceback" not in told
    assert "a-secret" not in told


async def test_where_nothing_answers_is_said(tenant: Scope) -> None:
    with port() as listener:
        url = url_of(listener)
        slow = ColumnStore(url, memory_bytes=MEMORY_BYTES, timeout_s=1)
        with pytest.raises(Unavailable, match=r"be used: no answer in 1 s from 127\.0\.0\.1:\d+$"):
            await slow.query(tenant, "SELECT 1")
        await slow.close()
    away = ColumnStore(url, memory_bytes=MEMORY_BYTES)
    with pytest.raises(Unavailable, match=r"be used: nothing listens at 127\.0\.0\.1:\d+$"):
        await away.query(tenant, "SELECT 1")
    await away.close()
