"""Where there is room: sized by what clusters have, apart from what is used or reserved, and reserved for a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.addresses.ranges.model import RangeUse, Wish
from periplus_hub.addresses.ranges.service import add_range, remove_range
from periplus_hub.fleet.service import revoke
from periplus_hub.kit.db import Database

from tests.support.batches import upsert
from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import door, token_for
from tests.support.overlap_fleet import Fleet, allocation

POD = ("pod", "10.244.0.0/16")
SERVICE = ("service", "10.96.0.0/16")
PLAN = """query Plan(
  $clusters: [ID!], $newClusters: [String!], $nodes: Int, $services: Int, $kinds: [AllocationKind!]
) { plan(clusters: $clusters, newClusters: $newClusters, nodes: $nodes, services: $services, kinds: $kinds) {
  complete notKnownOf { names count }
  proposals { clusterName kind family cidr why cluster { name } reservation { id cidr } }
} }"""
RESERVE = """mutation Reserve($input: ReserveRangeInput!) { reserveRange(input: $input) {
  __typename ... on RangeReservation { id cidr clusterName kind expiresAt } ... on Problem { code message remedy }
} }"""
RELEASE = """mutation Release($id: ID!) { releaseRange(reservation: $id) {
  __typename ... on RangeReservation { id releasedAt } ... on Problem { code message }
} }"""


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    """Two clusters collide; one of them has three nodes with blocks of their own."""
    opened = Fleet.open(db, tenant)
    await opened.cluster("red", POD, SERVICE)
    await opened.cluster("tan")
    blocks = [allocation("pod", f"10.244.{at}.0/25", node=f"tan-{at}") for at in range(3)]
    await opened.send("tan", {"allocations": [allocation(*POD), allocation(*SERVICE), *blocks]})
    yield opened
    opened.door.intake.close()


async def plan(fleet: Fleet, *names: str, after_s: float = 0, **wish: Any) -> dict[str, Any]:
    given = {"clusters": [fleet.id_of(name) for name in names], **wish}
    found: dict[str, Any] = (await ask(fleet, PLAN, after_s, **given))["plan"]
    return found


async def ask(fleet: Fleet, document: str, after_s: float = 0, **variables: object) -> dict[str, Any]:
    """So long after the beginning."""
    token = await token_for(fleet.db, fleet.scope, Role.OPERATOR)
    return (await door(fleet.db, FakeClock(START + timedelta(seconds=after_s))).ask(document, token, **variables)).good


async def ranges(fleet: Fleet, *names: str, **wish: Any) -> list[str]:
    return [each["cidr"] for each in (await plan(fleet, *names, **wish))["proposals"]]


async def reserve(fleet: Fleet, cidr: str, name: str = "tan", until: str = "2026-02-01T00:00:00Z") -> Any:
    wish = {"cidr": cidr, "kind": "POD", "clusterName": name, "expiresAt": until}
    return (await ask(fleet, RESERVE, input=wish))["reserveRange"]


async def test_what_is_proposed_is_sized_by_the_cluster_and_apart(fleet: Fleet) -> None:
    found = await plan(fleet, "red", "tan", nodes=3, services=20)
    lines = [(each["clusterName"], each["kind"], ip_network(each["cidr"]).prefixlen) for each in found["proposals"]]
    expected = [("POD", 21), ("SERVICE", 24), ("NODE", 28)]
    assert lines[:3] == [("red", *each) for each in expected]
    assert lines[3:] == [("tan", *each) for each in [("POD", 22), *expected[1:]]]
    assert found["proposals"][3]["why"] == "3 node blocks of /25, growth 2"
    assert found["proposals"][0]["cluster"] == {"name": "red"}
    networks = [ip_network(each["cidr"]) for each in found["proposals"]]
    taken = [ip_network(cidr) for _, cidr in (POD, SERVICE)]
    assert not any(a.overlaps(b) for a, b in combinations([*networks, *taken], 2))
    assert (await plan(fleet, "tan", "red", nodes=3, services=20)) == found


async def test_a_range_that_somebody_took_is_not_proposed_again(fleet: Fleet) -> None:
    (before,) = await ranges(fleet, "tan", kinds=["POD"])
    await fleet.cluster("sea", ("node", before.replace("/", ".").rsplit(".", 2)[0] + ".7/32"))
    (after,) = await ranges(fleet, "tan", kinds=["POD"])
    assert after != before
    async with fleet.db.write(fleet.scope) as c:
        await revoke(c, fleet.scope, fleet.db.clock, fleet.registration("sea"))
    assert await ranges(fleet, "tan", kinds=["POD"]) == [before]


async def test_what_people_entered_is_neither_proposed_nor_reserved(fleet: Fleet) -> None:
    (before,) = await ranges(fleet, "tan", kinds=["POD"])
    async with fleet.db.write(fleet.scope) as c:
        home = await fleet.domain_of(c, fleet.registration("red"))
        wish = Wish(domain_id=home, cidr=before, use=RangeUse.OFFICE)
        made = await add_range(c, fleet.scope, wish, START)
    assert await ranges(fleet, "tan", kinds=["POD"]) != [before]
    refused = await reserve(fleet, before)
    assert refused["message"] == f"{before} is not free: {before} is entered in red as office"
    async with fleet.db.write(fleet.scope) as c:
        await remove_range(c, fleet.scope, made.id, START)
    assert await ranges(fleet, "tan", kinds=["POD"]) == [before]


async def test_a_cluster_that_is_not_there_yet_gets_ranges_too(fleet: Fleet) -> None:
    found = await plan(fleet, newClusters=["new"], nodes=10, services=40)
    assert [(each["clusterName"], each["cluster"]) for each in found["proposals"]] == [("new", None)] * 3
    assert all(each["cidr"] for each in found["proposals"])
    unsized = await plan(fleet, newClusters=["new"])
    assert [each["cidr"] for each in unsized["proposals"]] == [None] * 3
    assert all("not known" in each["why"] for each in unsized["proposals"])


@pytest.mark.promise("no-false-all-clear")
async def test_whose_addresses_are_not_known_whole_is_named(fleet: Fleet) -> None:
    assert (await plan(fleet, "tan"))["notKnownOf"] == {"names": ["red", "tan"], "count": 2}
    member, spoke = fleet.members["red"]
    await member.send(spoke.snapshot({"sources": [upsert(each, state="ok", objects=1) for each in FEEDING]}))
    found = await plan(fleet, "tan")
    assert (found["complete"], found["notKnownOf"]) == (False, {"names": ["tan"], "count": 1})


async def test_a_reserved_range_is_its_clusters_until_it_ends(fleet: Fleet) -> None:
    (mine,) = await ranges(fleet, "tan", kinds=["POD"])
    made = await reserve(fleet, mine, until="2026-01-03T00:00:00Z")
    assert (made["__typename"], made["cidr"]) == ("RangeReservation", mine)
    kept = (await plan(fleet, "tan", kinds=["POD"]))["proposals"][0]
    assert (kept["cidr"], kept["reservation"]["id"]) == (mine, made["id"])
    refused = await reserve(fleet, mine, "red")
    assert (refused["__typename"], refused["message"]) == (
        "Conflict",
        f"{mine} is not free: {mine} is reserved for the pods of tan until 2026-01-03 00:00 UTC",
    )
    later = (await plan(fleet, "tan", kinds=["POD"], after_s=3 * 86_400))["proposals"][0]
    assert (later["cidr"], later["reservation"]) == (mine, None)


RENEW = """mutation Renew($id: ID!, $reason: String, $until: DateTime) {
  renewReservation(reservation: $id, reason: $reason, expiresAt: $until) {
    __typename ... on RangeReservation { id cidr reason expiresAt } ... on Problem { code message }
  }
}"""


@pytest.mark.promise("changes-are-audited")
async def test_a_reservation_gets_another_end_or_reason_as_long_as_it_is_in_force(fleet: Fleet) -> None:
    made = await reserve(fleet, "10.9.0.0/16")
    renewed = (await ask(fleet, RENEW, id=made["id"], until="2026-05-01T00:00:00Z"))["renewReservation"]
    assert (renewed["cidr"], renewed["reason"], renewed["expiresAt"][:10]) == ("10.9.0.0/16", "", "2026-05-01")
    renewed = (await ask(fleet, RENEW, id=made["id"], reason=" moves in May "))["renewReservation"]
    assert (renewed["reason"], renewed["expiresAt"][:10]) == ("moves in May", "2026-05-01")
    for wrong in ({"until": "2025-01-01T00:00:00Z"}, {"until": "2030-01-01T00:00:00Z"}, {"reason": "x" * 1_001}):
        assert (await ask(fleet, RENEW, id=made["id"], **wrong))["renewReservation"]["code"] == "invalid"
    late = (await ask(fleet, RENEW, after_s=200 * 86_400, id=made["id"], reason="late"))["renewReservation"]
    assert (late["code"], late["message"]) == ("conflict", "10.9.0.0/16 is not reserved any more")


async def test_a_reserved_range_can_be_given_back(fleet: Fleet) -> None:
    (mine,) = await ranges(fleet, "tan", kinds=["POD"])
    made = await reserve(fleet, mine, "red")
    assert await ranges(fleet, "tan", kinds=["POD"]) != [mine]
    assert (await ask(fleet, RELEASE, id=made["id"]))["releaseRange"]["releasedAt"] is not None
    assert await ranges(fleet, "tan", kinds=["POD"]) == [mine]
    again = (await ask(fleet, RELEASE, id=made["id"]))["releaseRange"]
    assert (again["__typename"], again["message"]) == ("Conflict", f"{mine} is not reserved any more")


@pytest.mark.parametrize(
    ("cidr", "until", "kind", "message"),
    [
        ("10.244.128.0/24", "2026-02-01", "Conflict", "red uses 10.244.0.0/16 for its pods"),
        ("10.0.0.0/8", "2026-02-01", "Conflict", "10.0.0.0/8 is not free: "),
        ("172.17.0.0/20", "2026-02-01", "Invalid", "172.17.0.0/16 is held back for Docker"),
        ("10.9.0.0/16", "2025-12-01", "Invalid", "the reservation would end at 2025-12-01"),
        ("10.9.0.0/16", "2030-01-01", "Invalid", "the reservation would end at 2030-01-01"),
    ],
)
async def test_what_cannot_be_reserved_is_refused_with_the_reason(
    fleet: Fleet, cidr: str, until: str, kind: str, message: str
) -> None:
    refused = await reserve(fleet, cidr, until=f"{until}T00:00:00Z")
    assert refused["__typename"] == kind
    assert message in refused["message"]


async def test_of_two_who_reserve_the_same_at_once_one_gets_it(fleet: Fleet) -> None:
    answers = await asyncio.gather(*(reserve(fleet, f"10.9.{third}.0/17", f"c{third}") for third in (0, 128)))
    assert [each["__typename"] for each in answers] == ["RangeReservation"] * 2
    nested = await asyncio.gather(*(reserve(fleet, f"10.8.0.0/{length}", f"d{length}") for length in (16, 18, 20)))
    assert sorted(each["__typename"] for each in nested) == ["Conflict", "Conflict", "RangeReservation"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"clusters": []}, "the plan is for 0 clusters"),
        ({"newClusters": ["red"]}, "there is a cluster 'red' already"),
        ({"newClusters": ["ok"], "nodes": -1}, "nodes is -1"),
        ({"newClusters": ["ok"], "kinds": ["EXTERNAL"]}, "ranges are not planned for external"),
        ({"newClusters": ["\u202e"]}, "is no name for a cluster"),
    ],
)
async def test_what_cannot_be_planned_is_refused(fleet: Fleet, wish: dict[str, Any], message: str) -> None:
    answer = await fleet.knock(PLAN, **wish)
    assert message in answer.errors[0]["message"]


@pytest.mark.promise("tenants-are-apart")
async def test_another_tenants_addresses_and_reservations_are_not_taken(fleet: Fleet, other_tenant: Scope) -> None:
    (mine,) = await ranges(fleet, "tan", kinds=["POD"])
    theirs = Fleet.open(fleet.db, other_tenant)
    await theirs.cluster("sea", ("pod", mine))
    assert (await reserve(theirs, "10.9.0.0/16"))["__typename"] == "RangeReservation"
    theirs.door.intake.close()
    assert await ranges(fleet, "tan", kinds=["POD"]) == [mine]
    assert (await reserve(fleet, "10.9.0.0/16"))["__typename"] == "RangeReservation"
