"""Pools: the latest sample, whole numbers of any size, unknown kept apart from zero."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import literal_column, select

from periplus_hub.access.scope import Role, role_scope
from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.fleet.service import revoke

from tests.support.batches import node
from tests.support.batches import pod as pod_row
from tests.support.clock import START
from tests.support.overlap_fleet import Fleet, pool


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


POOLS = "query($cluster:ID!){pools(cluster:$cluster){nodes{name used capacity free largestFreeBlock cidrs}}}"
ALLOCATIONS = (
    "query($cluster:ID $kinds:[AllocationKind!] $family:Int $within:Cidr)"
    "{allocations(cluster:$cluster kinds:$kinds family:$family within:$within){nodes{cidr}}}"
)


async def pools(fleet: Fleet) -> list[Any]:
    return (await fleet.ask(POOLS, cluster=fleet.id_of("a")))["pools"]["nodes"]


async def test_a_sample_replaces_the_one_before(fleet: Fleet) -> None:
    await fleet.cluster("a")
    await fleet.send("a", {"pools": [pool("old"), pool("kept", used="0")]})
    await fleet.send("a", {"pools": [pool("kept", used="7", capacity="254")]})
    (found,) = await pools(fleet)
    counts = {"used": "7", "capacity": "254", "free": None, "largestFreeBlock": None}
    assert found == {"name": "kept", "cidrs": ["10.0.0.0/16"], **counts}


async def test_counts_of_ipv6_are_exact_and_bad_pools_are_set_aside(fleet: Fleet) -> None:
    await fleet.cluster("a")
    wide = pool("wide", family=6, cidrs=["fd00::/8"], capacity=str(2**120), largest_free_block="9")
    bad = [pool("float", used="1.5"), pool("negative", free="-1"), pool("family", family=5), wide]
    answer = await fleet.send("a", {"pools": [wide, *bad, pool("host", cidrs=["10.0.0.1/8"])]})
    (found,) = await pools(fleet)
    assert (found["capacity"], found["largestFreeBlock"]) == (str(2**120), "9")
    assert answer.rejected == {"bad_count": 2, "bad_family": 1, "duplicate_pool": 1, "host_bits": 1}


async def test_allocations_are_listed_with_filters(fleet: Fleet) -> None:
    await fleet.cluster("a", ("pod", "10.1.0.0/16"), ("node", "10.9.0.1/32"), ("pod", "fd00::/64"))
    await fleet.cluster("b", ("service", "10.1.0.0/24"))

    async def found(**filters: Any) -> list[str]:
        return [each["cidr"] for each in (await fleet.ask(ALLOCATIONS, **filters))["allocations"]["nodes"]]

    assert await found() == ["10.1.0.0/16", "10.1.0.0/24", "10.9.0.1/32", "fd00::/64"]
    assert await found(cluster=fleet.id_of("a"), family=4) == ["10.1.0.0/16", "10.9.0.1/32"]
    assert await found(kinds=["SERVICE"]) == ["10.1.0.0/24"]
    assert await found(within="10.1.0.128/25") == ["10.1.0.0/16", "10.1.0.0/24"]


async def test_what_is_leaked_borrowed_and_unusable_is_kept_with_its_evidence(fleet: Fleet) -> None:
    await fleet.cluster("a")
    told = [f"10.0.0.{number} of pod web-{number}, gone" for number in range(25)]
    long = pool("p", leaked="25", borrowed="3", unusable="4", cooling="0", evidence=[*told[:19], "x" * 4_000, *told])
    await fleet.send("a", {"pools": [long, pool("q"), pool("bad", leaked="-1"), pool("worse", borrowed="many")]})
    asked = "query($cluster:ID!){pools(cluster:$cluster){nodes{leaked borrowed unusable cooling evidence}}}"
    found, unknown = (await fleet.ask(asked, cluster=fleet.id_of("a")))["pools"]["nodes"]
    assert found["evidence"] == [*told[:19], "x" * 256]
    assert [found[name] for name in ("leaked", "borrowed", "unusable", "cooling")] == ["25", "3", "4", "0"]
    assert unknown == {"leaked": None, "borrowed": None, "unusable": None, "cooling": None, "evidence": []}


async def test_a_sample_that_says_the_same_is_written_now_and_then(fleet: Fleet) -> None:
    await fleet.cluster("a")

    async def sampled(minutes: int, used: str) -> str:
        at = START + timedelta(minutes=minutes)
        same = pool("of-node", scope="node", node="n", observed_at=at)
        await fleet.send("a", {"pools": [pool("p", used=used, observed_at=at), same]})
        _, found = (await fleet.ask("{pools{nodes{observedAt used}}}"))["pools"]["nodes"]
        assert found["used"] == used
        return str(found["observedAt"])[11:16]

    first = f"{START:%H:%M}"
    assert [await sampled(0, "1"), await sampled(9, "1")] == [first, first]
    assert await sampled(10, "1") == f"{START + timedelta(minutes=10):%H:%M}"
    assert await sampled(11, "2") == f"{START + timedelta(minutes=11):%H:%M}"
    assert await sampled(5, "2") == f"{START + timedelta(minutes=5):%H:%M}", "a clock that was put right"


async def test_of_a_sample_only_what_differs_is_written(fleet: Fleet) -> None:
    await fleet.cluster("a")
    named = [pool(f"n{at}", scope="node", node=f"n{at}", used="1") for at in range(3)]
    await fleet.send("a", {"pools": named})
    before = await places(fleet)
    await fleet.send("a", {"pools": [named[0], named[1] | {"used": "2"}]})
    after = await places(fleet)
    assert after["n0"] == before["n0"]
    assert after["n1"] != before["n1"]
    assert after.keys() == {"n0", "n1"}
    await fleet.send("a", {"pools": [named[0] | {"scope": "cluster"}]})
    assert (await places(fleet)).keys() == {"n0"}


async def places(fleet: Fleet) -> dict[str, Any]:
    """Where the row of each pool is: it is another after each write."""
    async with fleet.db.read(fleet.scope) as c:
        rows = await c.rows(select(ipam_tables.pools.c.name, literal_column("ctid::text").label("place")))
        return {row.name: row.place for row in rows}


EVERYWHERE = """{
  pools { totalCount nodes { id } }
  fullest: pools(orderBy: {field: TAKEN, direction: DESC}) { nodes { id } }
  nodes: poolUse(by: NODE) { totalCount nodes { name } }
  namespaces: poolUse(by: NAMESPACE) { nodes { pods } }
  teams: poolUse(by: TEAM) { nodes { pods } }
}"""


@pytest.mark.promise("no-false-all-clear")
async def test_what_a_revoked_cluster_had_is_listed_nowhere_as_if_it_were_there(fleet: Fleet) -> None:
    for name in ("a", "b"):
        await fleet.cluster(name)
        member, spoke = fleet.members[name]
        await member.send(spoke.snapshot({"nodes": [node("n", name="n")], "pods": [pod_row("p", "10.0.0.1")]}))
        await fleet.send(name, {"pools": [pool("p", capacity="9", used="9", free="0")]})
    both = await fleet.ask(EVERYWHERE)
    assert {field: len(each["nodes"]) for field, each in both.items()} == dict.fromkeys(both, 2)
    admin = role_scope(fleet.scope.tenant_id, "test", Role.ADMIN)
    async with fleet.db.write(admin) as c:
        await revoke(c, admin, fleet.db.clock, fleet.registration("a"))
    left = await fleet.ask(EVERYWHERE)
    assert {field: len(each["nodes"]) for field, each in left.items()} == dict.fromkeys(both, 1)
    assert (left["pools"]["totalCount"], left["nodes"]["totalCount"]) == (1, 1)
    (kept,) = left["pools"]["nodes"]
    found = [
        (await fleet.ask("query($id:ID!){node(id:$id){id}}", id=each["id"]))["node"] for each in both["pools"]["nodes"]
    ]
    assert [each for each in found if each] == [kept]
