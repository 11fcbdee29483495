"""Networks that people entered: their own clusters' nodes are planned into them, everything else out of them."""

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ranges.model import RangeUse, Wish
from periplus_hub.addresses.ranges.service import add_range
from periplus_hub.fleet.service import create_domain
from periplus_hub.kit.db import Database

from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import door, token_for
from tests.support.overlap_fleet import Fleet, allocation

PLAN = """query Plan($clusters: [ID!], $newClusters: [String!], $nodes: Int, $services: Int, $domain: ID) {
  plan(clusters: $clusters, newClusters: $newClusters, nodes: $nodes, services: $services, domain: $domain) {
    proposals { clusterName kind cidr why }
  }
}"""
RESERVE = """mutation Reserve($input: ReserveRangeInput!) { reserveRange(input: $input) {
  __typename ... on RangeReservation { cidr } ... on Problem { message }
} }"""
VPC = "10.20.0.0/20"


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    """One cluster with nodes in a VPC and pods in an overlay, another one elsewhere."""
    opened = Fleet.open(db, tenant)
    await opened.cluster("shop", ("node", "10.20.1.1/32"), ("pod", "10.244.0.0/16"), ("service", "10.96.0.0/16"))
    await opened.cluster("crm", ("node", "192.168.7.1/32"))
    await enter(opened, await home(opened, "shop"), VPC)
    yield opened
    opened.door.intake.close()


async def home(fleet: Fleet, name: str) -> UUID:
    async with fleet.db.read(fleet.scope) as c:
        return await fleet.domain_of(c, fleet.registration(name))


async def enter(fleet: Fleet, domain: UUID, cidr: str, use: RangeUse = RangeUse.VPC) -> None:
    async with fleet.db.write(fleet.scope) as c:
        await add_range(c, fleet.scope, Wish(domain_id=domain, cidr=cidr, use=use), START)


async def ask(fleet: Fleet, document: str, **variables: object) -> dict[str, Any]:
    token = await token_for(fleet.db, fleet.scope, Role.OPERATOR)
    return (await door(fleet.db, FakeClock(START)).ask(document, token, **variables)).good


async def plan(fleet: Fleet, *names: str, **wish: Any) -> dict[str, dict[str, Any]]:
    """By kind, of one cluster."""
    given = {"clusters": [fleet.id_of(name) for name in names], "nodes": 5, "services": 20, **wish}
    return {each["kind"]: each for each in (await ask(fleet, PLAN, **given))["plan"]["proposals"]}


def is_in(proposal: dict[str, Any], cidr: str) -> bool:
    return ip_network(proposal["cidr"]).subnet_of(ip_network(cidr))


@pytest.mark.parametrize("use", [RangeUse.VPC, RangeUse.ON_PREMISES])
async def test_nodes_are_planned_into_their_network_and_nothing_else_is(fleet: Fleet, use: RangeUse) -> None:
    await enter(fleet, await home(fleet, "crm"), "192.168.0.0/20", use)
    for name, network in {"shop": VPC, "crm": "192.168.0.0/20"}.items():
        found = await plan(fleet, name)
        assert is_in(found["NODE"], network)
        assert found["NODE"]["why"].endswith(f", in its network {network}")
        assert not ip_network(found["NODE"]["cidr"]).overlaps(ip_network("10.20.1.1/32")), "that one is in use"
        assert not any(is_in(found[kind], network) for kind in ("POD", "SERVICE"))


async def test_pods_with_addresses_of_the_network_are_planned_into_it_too(fleet: Fleet) -> None:
    seen = [allocation("pod", f"10.20.2.{at}/32", quality="seen") for at in range(3)]
    await fleet.send("shop", {"allocations": [allocation("node", "10.20.1.1/32"), *seen]})
    found = await plan(fleet, "shop", nodes=1)
    assert is_in(found["POD"], VPC)
    assert is_in(found["NODE"], VPC)
    assert not is_in(found["SERVICE"], VPC)


async def test_a_subnet_of_the_network_is_somebodys(fleet: Fleet) -> None:
    await enter(fleet, await home(fleet, "shop"), "10.20.0.0/21", RangeUse.SUBNET)
    assert is_in((await plan(fleet, "shop"))["NODE"], "10.20.8.0/21")


async def test_the_network_around_another_one_is_not_where_nodes_go(fleet: Fleet) -> None:
    await enter(fleet, await home(fleet, "shop"), "10.0.0.0/8", RangeUse.ON_PREMISES)
    assert is_in((await plan(fleet, "shop"))["NODE"], VPC)


async def test_a_network_without_room_is_named_and_another_place_proposed(fleet: Fleet) -> None:
    found = (await plan(fleet, "shop", nodes=5_000))["NODE"]
    assert not ip_network(found["cidr"]).overlaps(ip_network(VPC))
    assert found["why"].endswith(f"; no room in its network {VPC}")


async def test_two_domains_with_one_network_get_ranges_that_differ(fleet: Fleet) -> None:
    await fleet.report("crm", ("node", "10.20.3.1/32"))
    await enter(fleet, await home(fleet, "crm"), VPC)
    given = {"clusters": [fleet.id_of("shop"), fleet.id_of("crm")], "nodes": 5, "services": 20}
    found = [each for each in (await ask(fleet, PLAN, **given))["plan"]["proposals"] if each["kind"] == "NODE"]
    one, other = (ip_network(each["cidr"]) for each in found)
    assert not one.overlaps(other)
    assert all(is_in(each, VPC) for each in found)


async def test_what_covers_all_of_the_network_keeps_nobody_out_of_it(fleet: Fleet) -> None:
    """A cluster elsewhere has the VPC's range for services, as some installers give it."""
    await fleet.report("crm", ("service", VPC), ("node", "192.168.7.1/32"), ("pod", "10.20.0.0/21"))
    found = (await plan(fleet, "shop"))["NODE"]
    assert is_in(found, "10.20.8.0/21"), "what is only a part of it is left free"
    wish = {"kind": "NODE", "clusterName": "shop", "expiresAt": "2026-02-01T00:00:00Z"}
    made = (await ask(fleet, RESERVE, input=wish | {"cidr": found["cidr"]}))["reserveRange"]
    assert made == {"__typename": "RangeReservation", "cidr": found["cidr"]}
    refused = (await ask(fleet, RESERVE, input=wish | {"cidr": "10.20.0.0/28"}))["reserveRange"]
    assert "crm uses 10.20.0.0/21 for its pods" in refused["message"]


async def test_a_cluster_that_is_not_there_yet_is_planned_into_the_domain_it_will_be_in(fleet: Fleet) -> None:
    async with fleet.db.write(fleet.scope) as c:
        staging = (await create_domain(c, fleet.scope, "staging")).id
    await enter(fleet, staging, "172.20.0.0/16")
    there = await plan(fleet, newClusters=["new"], domain=f"NetworkDomain:{staging}")
    assert is_in(there["NODE"], "172.20.0.0/16")
    assert not is_in(there["POD"], "172.20.0.0/16")
    elsewhere = await plan(fleet, newClusters=["new"])
    assert not is_in(elsewhere["NODE"], "172.20.0.0/16")
    gone = await fleet.knock(PLAN, newClusters=["new"], domain=f"NetworkDomain:{fleet.registration('crm')}")
    assert "there is no network domain" in gone.errors[0]["message"]


@pytest.mark.parametrize(
    ("name", "kind", "taken"),
    [
        ("shop", "NODE", False),
        ("new", "NODE", False),
        ("crm", "NODE", True),
        ("shop", "POD", True),
        ("new", "POD", True),
    ],
)
async def test_what_is_planned_into_a_network_can_be_reserved_there(
    fleet: Fleet, name: str, kind: str, taken: bool
) -> None:
    wish = {"cidr": "10.20.8.0/28", "kind": kind, "clusterName": name, "expiresAt": "2026-02-01T00:00:00Z"}
    made = (await ask(fleet, RESERVE, input=wish))["reserveRange"]
    assert (made["__typename"], "10.20.0.0/20 is entered in shop as vpc" in made.get("message", "")) == (
        "Conflict" if taken else "RangeReservation",
        taken,
    )
