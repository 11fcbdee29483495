"""How an hour is made of its rows: in parts or at once, with any hash, and whatever comes while it is being made."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pyarrow as pa
import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_rollup, service_rollup
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, node, pod, service, upsert
from tests.support.clock import START
from tests.support.flow_hub import BOTH, SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.spokes_door import Member

AT = seconds(START)
EDGES = "SELECT * FROM edges_hourly ORDER BY ALL"
NAMES = ("east", "west", "south")


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def fleet(hub: FlowHub, tenant: Scope) -> list[tuple[Member, Spoke]]:
    """Three clusters of one network, each with a workload, that all talk to each other and to somebody outside."""
    members = [await hub.door.member(tenant, name) for name in NAMES]
    spokes = [Spoke(each.registration) for each in members]
    for number, (member, spoke) in enumerate(zip(members, spokes, strict=True)):
        pods = [
            pod(name, f"10.{number}.0.{at}", workload_kind="Deployment", workload_name=name)
            for at, name in enumerate("ab", 1)
        ]
        await member.send(spoke.snapshot({"pods": pods, "nodes": [node("n", f"InternalIP=192.168.0.{number + 1}")]}))
    await hub.same_domain(tenant, *(each.registration for each in members))
    return list(zip(members, spokes, strict=True))


async def talk(fleet: list[tuple[Member, Spoke]], minute: int) -> None:
    for number, (member, spoke) in enumerate(fleet):
        mine, other = Peer(f"10.{number}.0.1"), Peer(f"10.{(number + 1) % 3}.0.2")
        flows = [
            Flow(mine, other, AT + 60 * minute, measures=bytes_of(100 + number, 7)),
            Flow(
                Peer(f"10.{(number + 2) % 3}.0.1"),
                Peer(f"10.{number}.0.2"),
                AT + 60 * minute,
                SERVER,
                measures=bytes_of(90),
            ),
            Flow(mine, Peer("203.0.113.9"), AT + 60 * minute, measures=bytes_of(5, 5)),
            Flow(mine, Peer(workload="shop/Deployment/cart"), AT + 60 * minute, BOTH, measures=bytes_of(3)),
        ]
        await member.send(seal_flows(spoke, flows))


async def edges(hub: FlowHub, tenant: Scope) -> list[dict[str, Any]]:
    await hub.settle()
    return await hub.rows(tenant, EDGES)


async def make_again(
    hub: FlowHub, tenant: Scope, fleet: list[tuple[Member, Spoke]], minute: int
) -> list[dict[str, Any]]:
    """The hour with one more minute of the same."""
    await talk(fleet, minute)
    return await edges(hub, tenant)


async def test_parts_of_an_hour_are_the_whole_hour(
    hub: FlowHub, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = await fleet(hub, tenant)
    await talk(members, 0)
    whole = await edges(hub, tenant)
    assert len(whole) == 9
    assert {(row["bytes_tx"], row["reporters"]) for row in whole} == {
        *((100 + number, 3) for number in range(3)),
        (5, 1),
        (3, 4),
    }
    asked: list[tuple[int, int]] = []
    windows = repository_rollup.windows

    async def counted(*given: Any) -> pa.Table:
        asked.append(given[-2:])
        return await windows(*given)

    monkeypatch.setattr(repository_rollup, "windows", counted)
    monkeypatch.setattr(service_rollup, "MOST_ROWS", 4)
    parted = await make_again(hub, tenant, members, 1)
    assert len(asked) > 3, "the hour was made in parts"
    assert len(parted) == len(whole)
    assert [row["bytes_tx"] for row in parted] == [2 * row["bytes_tx"] for row in whole]


async def test_two_ends_with_one_hash_stay_two(hub: FlowHub, tenant: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    members = await fleet(hub, tenant)
    await talk(members, 0)
    plain = await edges(hub, tenant)
    ask, salts = repository_rollup.asked, list[int]()

    async def colliding(scope: Scope, store: Any, hour: int, salt: int, **more: Any) -> pa.Table:
        salts.append(salt)
        found = await ask(scope, store, hour, salt, **more)
        return found if salt else found.set_column(0, "lookup", pa.array([7] * found.num_rows, pa.uint64()))

    monkeypatch.setattr(repository_rollup, "asked", colliding)
    again = await make_again(hub, tenant, members, 1)
    assert salts[0] == 0 < salts[1]
    assert len(salts) == 2
    assert [row["bytes_tx"] for row in again] == [2 * row["bytes_tx"] for row in plain]


async def test_names_that_were_made_to_have_one_hash_stay_two(hub: FlowHub, tenant: Scope) -> None:
    """These two have one with any salt that is hashed with them."""
    member, spoke = (await fleet(hub, tenant))[0]
    names = ("web-of-the-shop-in-the-east-prod", "gwo9djxrctxe3zmt7SqRzr>E~LG^_e85")
    made = [Peer(workload=f"made/Deployment/{name}") for name in (*names, "api")]
    flows = [Flow(each, made[2], AT, measures=bytes_of(tx)) for each, tx in zip(made, (3, 5), strict=False)]
    await member.send(seal_flows(spoke, flows))
    async with asyncio.timeout(120):
        await hub.settle()
    statement = "SELECT src_workload AS name, bytes_tx FROM edges_hourly WHERE src_namespace = 'made'"
    found = {row["name"]: row["bytes_tx"] for row in await hub.rows(tenant, statement)}
    assert found == dict(zip(names, (3, 5), strict=True))


async def test_ports_that_cannot_be_keep_nobody_else_s_hour_from_being_made(hub: FlowHub, tenant: Scope) -> None:
    members = await fleet(hub, tenant)
    await talk(members, 0)
    member, spoke = members[0]
    ports = ["a|TCP|70000|8080||", "b|TCP|99999999999999999999|80|99999999999999999999|", "c|TCP|80|70000|70000|"]
    ports += ["d|TCP|81|99999999999999999999||", "e|TCP|82|named||", "f|TCP|x||30080|"]
    ready = upsert(
        "e", namespace="shop", service="service-s", address="10.0.0.1", ports=["e|TCP|99999999999999999999|"]
    )
    await member.send(spoke.delta({"services": [service("s", "10.96.0.1", ports=ports)], "endpoints": [ready]}))
    await member.send(
        seal_flows(spoke, [Flow(Peer("10.0.0.1"), Peer("10.96.0.1"), AT, measures=bytes_of(11), port=80)])
    )
    found = await edges(hub, tenant)
    assert sum(row["bytes_tx"] == 11 for row in found) == 1
    assert len(found) > 3


async def test_what_comes_while_an_hour_is_made_is_in_it_the_next_time(
    hub: FlowHub, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = await fleet(hub, tenant)
    await talk(members, 0)
    await hub.load()
    put = repository_rollup.put_ends
    member, spoke = members[0]

    async def late(*given: Any) -> None:
        monkeypatch.undo()
        await put(*given)
        flows = [Flow(Peer("10.0.0.1"), Peer("203.0.113.200"), AT, measures=bytes_of(1_000))]
        await member.send(
            seal_flows(spoke, [*flows, Flow(Peer("10.0.0.1"), Peer("198.51.100.1"), AT, measures=bytes_of(1))])
        )
        await hub.load()

    monkeypatch.setattr(repository_rollup, "put_ends", late)
    await hub.roll_up()
    first = await hub.rows(tenant, EDGES)
    assert len(first) == 9
    assert all(row["src_kind"] and row["dst_kind"] for row in first), "nobody is nameless"
    await hub.roll_up()
    found = {
        row["dst_workload"]: row["bytes_tx"] for row in await hub.rows(tenant, EDGES) if row["dst_kind"] == "external"
    }
    assert found["198.51.100.0/24"] == 1
    assert sum(row["bytes_tx"] for row in await hub.rows(tenant, EDGES)) == 1_001 + sum(
        row["bytes_tx"] for row in first
    )
