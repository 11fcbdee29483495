"""Which pools are full, and who uses them: nodes by what is short first, namespaces, teams."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.repository_pool_history import history_before, remember_pools
from periplus_hub.addresses.ipam.repository_pools import clusters_with_full_nodes, short_pools
from periplus_hub.addresses.ipam.tables import pool_history
from periplus_hub.inventory.tables import nodes
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import node, upsert
from tests.support.batches import pod as pod_row
from tests.support.clock import START
from tests.support.overlap_fleet import Fleet, pool

POOLS = """query Pools(
  $scopes: [PoolScope!], $providers: [String!], $fills: [PoolFill!], $least: Float, $down: PoolOrder
) {
  pools(scopes: $scopes, providers: $providers, fills: $fills, leastTaken: $least, orderBy: $down) {
    nodes { name node taken fill limitedBy idle unaccounted contradictions }
  }
}"""
USE = """query Use($by: PoolUseBy!, $cluster: ID, $first: Int) { poolUse(by: $by, cluster: $cluster, first: $first) {
  totalCount
  nodes { name pods podsAllocatable ipv4Addresses ipv6Addresses capacity free limitedBy taken share cluster { name } }
} }"""
FULLEST = {"field": "TAKEN", "direction": "DESC"}


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def names(fleet: Fleet, **asked: Any) -> list[str]:
    return [each["name"] for each in (await fleet.ask(POOLS, down=FULLEST, **asked))["pools"]["nodes"]]


async def inventory(fleet: Fleet, name: str, **content: Any) -> None:
    member, spoke = fleet.members[name]
    await member.send(spoke.snapshot(content))


async def use(fleet: Fleet, by: str, **asked: Any) -> dict[str, dict[str, Any]]:
    found = (await fleet.ask(USE, by=by, **asked))["poolUse"]
    assert found["totalCount"] >= len(found["nodes"])
    return {each["name"]: each for each in found["nodes"]}


async def test_pools_are_found_by_how_full_they_are(fleet: Fleet) -> None:
    await fleet.cluster("a")
    half = pool("half", capacity="200", used="100", free="100", provider="cilium")
    told = [
        half,
        pool("full", capacity="200", used="200", free="0"),
        pool("nearly", capacity="1000", used="899", free="101", scope="lb"),
        pool("nine-tenths", capacity="1000", used="900", free="100"),
        pool("unknown", capacity="1000"),
        pool("wide", family=6, cidrs=["fd00::/8"], capacity=str(2**120), used="1", free=str(2**120 - 1)),
    ]
    await fleet.send("a", {"pools": told})
    assert await names(fleet) == ["full", "nine-tenths", "nearly", "half", "wide", "unknown"]
    assert await names(fleet, least=0.9) == ["full", "nine-tenths"]
    assert await names(fleet, least=1) == ["full"]
    assert await names(fleet, fills=["UNKNOWN"]) == ["unknown"]
    assert await names(fleet, fills=["NEAR_EXHAUSTION", "UNKNOWN"]) == ["full", "nine-tenths", "unknown"]
    assert await names(fleet, scopes=["LB"]) == ["nearly"]
    assert await names(fleet, providers=["cilium"]) == ["half"]
    assert (await fleet.knock(POOLS, least=1.1)).codes == ["invalid"]


async def test_a_pool_without_a_block_that_a_node_takes_is_full(fleet: Fleet) -> None:
    await fleet.cluster("a")
    of_nodes = [
        pool(f"n{at}", scope="node", node=f"n{at}", cidrs=[f"10.0.{at}.0/24"], capacity="256", used="0", free="256")
        for at in range(3)
    ]
    blocks = {"assigned": "64512", "used": "900", "free": "1024"}
    short = pool("pods", capacity="65536", **blocks, largest_free_block="25")
    fits = pool("other", provider="elsewhere", capacity="65536", **blocks, largest_free_block="25")
    await fleet.send("a", {"pools": [*of_nodes, short, fits]})
    found = {each["name"]: each for each in (await fleet.ask(POOLS))["pools"]["nodes"]}
    assert (found["pods"]["taken"], found["pods"]["limitedBy"]) == (1.0, "BLOCKS")
    assert (found["pods"]["idle"], found["pods"]["unaccounted"]) == ("63612", "0")
    assert (found["other"]["limitedBy"], found["other"]["fill"]) == ("ADDRESSES", "NEAR_EXHAUSTION")
    assert found["other"]["taken"] == 0.984375


async def test_numbers_that_cannot_be_true_are_named_and_no_fill_is_said(fleet: Fleet) -> None:
    await fleet.cluster("a")
    await fleet.send(
        "a", {"pools": [pool("odd", capacity="10", used="8", free="8"), pool("shrunk", capacity="9", used="10")]}
    )
    odd, shrunk = (await fleet.ask(POOLS))["pools"]["nodes"]
    assert (odd["taken"], odd["fill"], odd["contradictions"]) == (
        None,
        "UNKNOWN",
        ["its parts are 16 addresses, of 10"],
    )
    assert (shrunk["taken"], shrunk["contradictions"]) == (1.0, ["10 are in use, of 9"])


async def test_a_node_is_limited_by_what_it_has_fewer_left_of(fleet: Fleet) -> None:
    await fleet.cluster("a")
    pods = [pod_row(f"p{at}", f"10.0.1.{at}", node="by-pods") for at in range(8)]
    pods += [pod_row("host", "10.9.0.1", node="by-pods", host_network=True)]
    pods += [pod_row("done", "10.0.1.99", node="by-pods", phase="Succeeded")]
    machines = {
        "by-pods": 10,
        "by-addresses": 110,
        "no-pools": 4,
        "takes-more": 110,
        "nobody-knows": None,
        "unknown-free": 110,
    }
    made = [node(name, name=name, pods_allocatable=most) for name, most in machines.items()]
    await inventory(fleet, "a", nodes=made, pods=pods)
    rows = [
        pool("r", scope="node", node="by-pods", cidrs=["10.0.1.0/24"], capacity="254", used="8", free="246"),
        pool("r", scope="node", node="by-addresses", cidrs=["10.0.2.0/29"], capacity="6", used="3", free="3"),
        pool(
            "r", family=6, scope="node", node="by-addresses", cidrs=["fd00::/64"], capacity=str(2**64), free=str(2**64)
        ),
        pool("grows", capacity="1024", used="60", free="964"),
        pool("grows", scope="node", node="takes-more", cidrs=["10.0.4.0/26"], capacity="64", used="64", free="0"),
        pool("r", scope="node", node="unknown-free", cidrs=["10.0.3.0/24"], capacity="254"),
    ]
    await fleet.send("a", {"pools": rows})
    found = await use(fleet, "NODE")
    limits = {name: (each["limitedBy"], each["taken"]) for name, each in found.items()}
    assert limits == {
        "by-pods": ("PODS", 0.9),
        "by-addresses": ("ADDRESSES", 0.5),
        "no-pools": ("PODS", 0.0),
        "takes-more": ("UNKNOWN", None),
        "nobody-knows": ("UNKNOWN", None),
        "unknown-free": ("UNKNOWN", None),
    }
    assert (found["by-pods"]["pods"], found["by-pods"]["ipv4Addresses"]) == (9, "8")
    assert (found["by-addresses"]["capacity"], found["by-addresses"]["free"]) == ("6", "3")


async def test_namespaces_and_teams_have_what_their_pods_have(fleet: Fleet) -> None:
    await fleet.cluster("a")
    await fleet.cluster("b")
    spaces = [upsert("1", name="shop", labels=["team=web"]), upsert("2", name="lab", labels=["app=x", "owner=ops"])]
    pods = [
        pod_row("1", "10.0.0.1", namespace="shop", labels=[]),
        pod_row("2", "10.0.0.2", namespace="shop", labels=["team=data"], ipv6="fd00::2"),
        pod_row("3", "10.0.0.3", namespace="lab", labels=["squad="]),
        pod_row("4", None, namespace="nobody", labels=["app=team"]),
    ]
    await inventory(fleet, "a", namespaces=spaces, pods=pods)
    await inventory(fleet, "b", pods=[pod_row("1", "10.0.0.1", namespace="shop", labels=["team=web"])])
    a = fleet.id_of("a")
    spaces_found = await use(fleet, "NAMESPACE", cluster=a)
    assert {name: each["ipv4Addresses"] for name, each in spaces_found.items()} == {
        "shop": "2",
        "lab": "1",
        "nobody": "0",
    }
    teams = await use(fleet, "TEAM", cluster=a)
    assert {name: each["pods"] for name, each in teams.items()} == {"web": 1, "data": 1, "ops": 1, "": 1}
    assert (teams["data"]["ipv6Addresses"], teams["data"]["taken"], teams["data"]["limitedBy"]) == (
        "1",
        None,
        "UNKNOWN",
    )


async def test_how_much_of_the_pools_a_namespace_has_is_told_where_it_is_known(fleet: Fleet) -> None:
    await fleet.cluster("a")
    pods = [pod_row(str(at), f"10.0.0.{at}", namespace="shop", node="n") for at in range(4)]
    pods += [pod_row("six", "10.0.0.9", namespace="lab", node="n", ipv6="fd00::9")]
    pods += [pod_row("host", "10.9.0.1", namespace="host", node="n", host_network=True)]
    await inventory(fleet, "a", nodes=[node("n", name="n")], pods=pods)

    async def shares(*pools: dict[str, Any]) -> dict[str, float | None]:
        await fleet.send("a", {"pools": pools})
        found = {name: each["share"] for name, each in (await use(fleet, "NAMESPACE")).items()}
        assert found.pop("host") == 0
        return found

    four = pool("four", capacity="10")
    assert await shares() == {"shop": None, "lab": None}, "no pool is told"
    assert await shares(four) == {"shop": 0.4, "lab": None}, "nothing is known of IPv6"
    six = pool("six", family=6, cidrs=["fd00::/64"], capacity="4")
    assert await shares(four, six) == {"shop": 0.4, "lab": 0.25}
    more = pool("more", capacity="10", cidrs=["10.1.0.0/24"])
    assert await shares(four, six, more) == {"shop": 0.2, "lab": 0.25}
    assert await shares(four, six, more | {"capacity": None}) == {"shop": None, "lab": None}
    assert await shares(pool("small", capacity="3"), six) == {"shop": None, "lab": 0.333333}
    (by_node,) = (await use(fleet, "NODE")).values()
    assert by_node["share"] is None, "pods have five of three addresses"


async def test_nobody_sees_what_another_tenant_uses(fleet: Fleet, other_tenant: Scope) -> None:
    await fleet.cluster("a")
    await inventory(fleet, "a", nodes=[node("n")], pods=[pod_row("1", "10.0.0.1")])
    stranger = Fleet.open(fleet.db, other_tenant)
    for by in ("NODE", "NAMESPACE", "TEAM"):
        assert len(await use(fleet, by)) == 1
        assert (await stranger.ask(USE, by=by))["poolUse"] == {"totalCount": 0, "nodes": []}
    stranger.door.intake.close()


async def test_statements_do_not_grow_with_the_rows(fleet: Fleet) -> None:
    counted = []
    await fleet.ask(USE, by="NODE")
    for number in (1, 30):
        await fleet.cluster(f"c{number}")
        await inventory(
            fleet,
            f"c{number}",
            nodes=[node(str(at), name=f"n{at}") for at in range(number)],
            pods=[pod_row(str(at), f"10.0.0.{at}", namespace=f"s{at}", node=f"n{at}") for at in range(number)],
        )
        for by in ("NODE", "NAMESPACE", "TEAM"):
            with count_statements() as counter:
                await use(fleet, by)
            counted.append(counter.total)
    assert counted[:3] == counted[3:]


async def test_two_nodes_of_one_name_are_both_listed(fleet: Fleet) -> None:
    await fleet.cluster("a")
    own = {"tenant_id": fleet.scope.tenant_id, "registration_id": fleet.registration("a"), "name": "same"}
    async with fleet.db.write(fleet.scope) as c:
        await c.execute(insert(nodes).values([own | {"uid": "1"}, own | {"uid": "2"}]))
    found = (await fleet.ask(USE, by="NODE", first=1))["poolUse"]
    assert (found["totalCount"], len(found["nodes"])) == (2, 1)


async def test_pools_and_nodes_that_are_short_become_findings(fleet: Fleet, db: Database, tenant: Scope) -> None:
    for name in "abc":
        await fleet.cluster(name)
    full = {"scope": "node", "cidrs": ["10.0.1.0/24"], "capacity": "254", "used": "254", "free": "0"}
    await fleet.send("a", {"pools": [pool("own", node="n", **full), pool("short", capacity="10", used="9", free="1")]})
    await fleet.send("b", {"pools": [pool("grows", node="n", **full), pool("grows", capacity="512", free="256")]})
    await fleet.send("c", {"pools": [pool("odd", capacity="10", used="9", free="9")]})
    async with db.read(tenant) as c:
        short, nodes_full = await short_pools(c, tenant, 1, START), await clusters_with_full_nodes(c, tenant)
        everything = await short_pools(c, tenant, 10, START)
    assert ([each.name for each in short.pools], short.unlisted) == (["short"], 1)
    assert [(each.name, each.is_contradictory) for each in everything.pools] == [("short", False), ("odd", True)]
    assert nodes_full == {fleet.registration("a")}


async def test_nobody_else_hears_of_pools_that_are_short(fleet: Fleet, db: Database, other_tenant: Scope) -> None:
    await fleet.cluster("a")
    full = pool("own", node="n", scope="node", cidrs=["10.0.1.0/24"], capacity="2", used="2", free="0")
    await fleet.send("a", {"pools": [full, pool("short", capacity="10", used="9", free="1")]})
    async with db.read(other_tenant) as c:
        assert (await short_pools(c, other_tenant, 10, START)).pools == []
        assert await clusters_with_full_nodes(c, other_tenant) == frozenset()


async def remembered(fleet: Fleet, hours_ago: float, free: str | None, capacity: str = "1000", **other: Any) -> None:
    row = {
        "provider": "kubernetes",
        "name": "p",
        "family": 4,
        "scope": "cluster",
        "contradictions": [],
        "leaked": None,
    } | other
    async with fleet.db.write(fleet.scope) as c:
        told = [row | {"free": free, "capacity": capacity}]
        await remember_pools(c, fleet.scope, fleet.registration("a"), told, START - timedelta(hours=hours_ago))


async def speed(fleet: Fleet) -> list[tuple[int | None, int | None]]:
    async with fleet.db.read(fleet.scope) as c:
        return [(each.hours_left, each.history_hours) for each in (await short_pools(c, fleet.scope, 9, START)).pools]


async def test_how_fast_a_pool_fills_is_told_from_what_it_had_free(fleet: Fleet) -> None:
    await fleet.cluster("a")
    await fleet.send("a", {"pools": [pool("p", capacity="1000", used="600", free="400")]})
    assert await speed(fleet) == [], "nothing is known of its past"
    await remembered(fleet, 23, "900")
    assert await speed(fleet) == [], "a sample of less than a day says nothing"
    await remembered(fleet, 48, "600")
    assert await speed(fleet) == [(96, 48)], "200 in two days, and 400 are left"
    await remembered(fleet, 24 * 8, "400")
    assert await speed(fleet) == [(96, 48)], "what is older than a week does not count"
    await remembered(fleet, 24 * 5, "520")
    assert await speed(fleet) == [], "120 in five days: more than a week is left"
    await remembered(fleet, 60, "9", capacity="500")
    assert await speed(fleet) == [(96, 48)], "since it was made larger"
    await remembered(fleet, 48, "300")
    assert await speed(fleet) == [], "there is more free than then"


async def test_a_sample_that_tells_leaks_alone_says_nothing_of_how_fast_a_pool_fills(fleet: Fleet) -> None:
    await fleet.cluster("a")
    await fleet.send("a", {"pools": [pool("p", capacity="1000", used="950", free="50")]})
    await remembered(fleet, 72, None, leaked="3")
    assert await speed(fleet) == [(None, None)]
    await remembered(fleet, 48, "150", leaked="3")
    assert await speed(fleet) == [(24, 48)]


async def test_of_an_hour_the_last_sample_is_kept_and_for_so_long(fleet: Fleet) -> None:
    await fleet.cluster("a")
    for minutes, free in ((0, "5"), (30, "4"), (60, "3")):
        await remembered(fleet, -minutes / 60, free)
    await remembered(fleet, 0, "9", scope="node", name="of-a-node")
    await remembered(fleet, 0, "9", name="odd", contradictions=["its parts are 3 addresses, of 2"])
    table, registration = pool_history, fleet.registration("a")
    async with fleet.db.write(fleet.scope) as c:
        kept = await c.rows(select(table.c.free).order_by(table.c.hour))
        assert [row.free for row in kept] == ["4", "3"]
        for stale, condition in history_before(fleet.scope, registration, START + timedelta(hours=1)):
            await c.execute(delete(stale).where(condition))
        assert await c.scalar(select(func.count()).select_from(table)) == 1
