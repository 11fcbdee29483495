"""The flow store as a cluster: its statements are those of the engine's language, and say what they do elsewhere.

Several servers were never run here. What is spread goes through a Distributed table over one.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_rollup, repository_rows
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.jobs import FlowDaysJob, FlowRetentionJob
from periplus_hub.flows.service_loader import Loader
from periplus_hub.kit.column_store_cluster import Cluster
from periplus_hub.kit.column_store_schema import known_steps
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.cluster_of_one import use_cluster_of_one
from tests.support.flow_hub import BOTH, SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds

AT, DAY = seconds(START), 86_400
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ROWS = "SELECT sum(bytes_tx) AS tx, count() AS n FROM flows"
EDGES = "SELECT sum(bytes_tx) AS tx FROM edges_hourly"
WHOLE = {"schema_steps", "flow_identities", "edges_hourly", "edges_daily", "edges_spans"}
FLEET = Cluster("fleet")
SERVER_URL = SecretStr("clickhouse://host:8123")


@pytest.fixture
async def hub(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows", cluster=use_cluster_of_one(tmp_path, monkeypatch)) as opened:
        yield opened


def batch(spoke: Spoke, tx: int, at: int = AT) -> bytes:
    return seal_flows(spoke, [Flow(WEB, API, at, BOTH, measures=bytes_of(tx))])


def test_each_table_says_where_its_rows_lie() -> None:
    made = [each for step in known_steps().values() for each in FLEET.statements(step, "d")]
    assert all(" ON CLUSTER 'fleet' " in each for each in made)
    spread = [each for each in made if "{shard}/{database}/" in each or "Distributed(" in each]
    assert [each.split()[5] for each in spread] == ["flows_local", "flows"]
    assert spread[1].endswith("ENGINE = Distributed('fleet', 'd', 'flows_local', cityHash64(block))")
    assert "replicated_deduplication_window_seconds = 604800" in spread[0]
    assert "non_replicated" not in spread[0]
    whole = {each.split()[5] for each in made if "/tables/all/{database}/" in each}
    assert whole == WHOLE - {"schema_steps"}
    alone = {each.split()[5] for each in made} - whole - {"flows", "flows_local"}
    assert alone == {"flow_identities_next", "rollup_ends", "rollup_ports", "edges_next", "edges_daily_next"}
    assert all("Replicated" not in each for each in made if each.split()[5] in alone)


def test_a_table_of_which_it_is_not_said_is_refused() -> None:
    with pytest.raises(ValueError, match="where it lies on a cluster is not said"):
        FLEET.statements("CREATE TABLE IF NOT EXISTS t (a UInt8) ENGINE = MergeTree ORDER BY a;\n", "d")


def test_a_cluster_is_of_servers() -> None:
    with pytest.raises(ValueError, match="set flow_store_url to one of them"):
        FlowsConfig(flow_store_cluster="fleet")
    with pytest.raises(ValueError, match="flow_store_cluster"):
        FlowsConfig(flow_store_cluster="a' b", flow_store_url=SERVER_URL)
    FlowsConfig(flow_store_cluster="fleet-1", flow_store_url=SERVER_URL)


async def test_the_engine_reads_what_a_cluster_is_told(hub: FlowHub, tenant: Scope) -> None:
    told = [FLEET.database("d"), *(each for step in known_steps().values() for each in FLEET.statements(step, "d"))]
    flows = FLEET.own_rows("flows")
    told += [f"ALTER TABLE {flows} DROP PARTITION 20260101", f"DELETE FROM {flows} WHERE block = 1"]
    told += [f"SELECT DISTINCT partition FROM {FLEET.everywhere('system.parts')}"]
    for each in told:
        (row,) = await hub.rows(tenant, "SELECT formatQuerySingleLine({told:String}) AS read", told=each)
        assert row["read"]
    with pytest.raises(Exception, match="Syntax error"):
        await hub.rows(tenant, "SELECT formatQuerySingleLine({told:String})", told=told[0].replace("CLUSTER", "CLUSTR"))


async def test_from_the_door_to_the_edges_and_until_it_is_forgotten(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    east, west = await hub.door.member(tenant, "east"), await hub.door.member(tenant, "west")
    flows = [
        Flow(WEB, API, AT, measures=bytes_of(100)),
        Flow(WEB, API, AT, SERVER, measures=bytes_of(90)),
        Flow(WEB, Peer("203.0.113.9"), AT + 60, measures=bytes_of(5)),
    ]
    await east.send(seal_flows(Spoke(east.registration), flows))
    await west.send(batch(Spoke(west.registration), 7))
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == await hub.rows(tenant, ROWS.replace("flows", "flows_local"))
    assert await hub.rows(tenant, ROWS) == [{"tx": 202, "n": 4}]
    assert await hub.rows(tenant, EDGES) == [{"tx": 112}]
    assert await hub.rows(tenant, "SELECT engine FROM system.tables WHERE name = 'flows'") == [
        {"engine": "Distributed"}
    ]
    for _ in range(4):
        assert await hub.turn()
    assert await hub.rows(tenant, ROWS) == [{"tx": 202, "n": 4}]
    clock.advance(10 * DAY)
    await FlowDaysJob(hub.db, hub.store).run(clock.now())
    await FlowRetentionJob(hub.db, hub.store, FlowsConfig(flow_hourly_days=7)).run(clock.now())
    assert await hub.rows(tenant, ROWS) == [{"tx": 0, "n": 0}]
    assert await hub.rows(tenant, EDGES) == [{"tx": 0}]
    assert await hub.rows(tenant, EDGES.replace("hourly", "daily")) == [{"tx": 112}]


async def test_a_block_that_is_not_seen_yet_is_never_sent_by_another_token(
    hub: FlowHub, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await hub.door.member(tenant)
    await member.send(batch(Spoke(member.registration), 5))

    async def died(*_: Any) -> None:
        raise RuntimeError("died before it was noted")

    with monkeypatch.context() as dying:
        dying.setattr(Loader, "_note_loaded", died)
        with pytest.raises(ExceptionGroup):
            await hub.load()

    async def behind(*_: Any) -> int:
        return 0

    with monkeypatch.context() as lagging:
        lagging.setattr(repository_rows, "count", behind)
        with pytest.raises(ExceptionGroup) as raised:
            await hub.load()
    assert raised.group_contains(Unavailable, match="the flow store shows 0 of 1 rows that it took")
    async with hub.db.read(tenant) as c:
        (block,) = await c.rows(text("SELECT state, attempt FROM flow_blocks"))
    assert (block.state, block.attempt) == ("named", 0)
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == [{"tx": 5, "n": 1}], "its token keeps out what is there"
    assert await hub.rows(tenant, EDGES) == [{"tx": 5}]


async def test_an_hour_that_another_server_took_half_of_is_not_put_in_place(
    hub: FlowHub, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(batch(spoke, 5))
    await hub.settle()
    put = repository_rollup.put_edges

    async def elsewhere(scope: Scope, store: Any, edges: pa.Table) -> int:
        return await put(scope, store, edges.slice(0, 0)) + int(edges.num_rows)

    await member.send(batch(spoke, 7, AT + 60))
    with monkeypatch.context() as balanced:
        balanced.setattr(repository_rollup, "put_edges", elsewhere)
        with pytest.raises(ExceptionGroup) as raised:
            await hub.settle()
    assert raised.group_contains(Unavailable, match="has 0 of 1 rows that it was given")
    assert await hub.rows(tenant, EDGES) == [{"tx": 5}]
    await hub.settle()
    assert await hub.rows(tenant, EDGES) == [{"tx": 12}]


async def test_what_comes_again_after_a_restore_counts_once(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    held = batch(spoke, 7)
    for each in (batch(spoke, 100), held):
        await member.send(each)
    await hub.settle()
    async with hub.db.write(tenant) as c:
        for table in ("flow_blocks", "flow_hours", "batches", *(f"flow_inbox_{number}" for number in range(4))):
            await c.execute(text(f"DELETE FROM {table}"))
    assert (await member.send(held)).result == "accepted"
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == [{"tx": 107, "n": 2}]
    assert await hub.rows(tenant, EDGES) == [{"tx": 107}]
