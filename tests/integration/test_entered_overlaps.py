"""Ranges that people entered take part in the overlaps of the clusters, and say so."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.addresses.ranges import service
from periplus_hub.addresses.ranges.jobs import RangesJob
from periplus_hub.addresses.ranges.model import EnteredRange, RangeUse, Wish
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.fleet.model import Mode
from periplus_hub.fleet.service import connect, create_domain, move_clusters

from tests.support.batches import START
from tests.support.overlap_fleet import Fleet, allocation

GROUPS = """query($joined: Boolean! = false, $ids: [ID!], $domain: ID, $cluster: ID) {
  overlapGroups(first: 5, ifAllJoined: $joined, ifJoined: $ids, domain: $domain, cluster: $cluster) { nodes {
    cidr severity why breaks remedies clusterCount
    clusters(first: 9) {
      nodes { clusterName severity kinds memberCount cluster { name } enteredIn { name } } totalCount
    }
    members(first: 9) {
      nodes { clusterName kind cidr severity source cluster { name } enteredRange { use owner } } totalCount
    }
  } }
}"""
COUNTS = "{ overlapCounts { severities { severity groups } state } }"


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def domain_of(fleet: Fleet, name: str) -> Any:
    async with fleet.db.write(fleet.scope) as c:
        return await fleet.domain_of(c, fleet.registration(name))


async def enter(fleet: Fleet, domain: Any, cidr: str, use: RangeUse, **more: Any) -> EnteredRange:
    async with fleet.db.write(fleet.scope) as c:
        wish = Wish(domain_id=domain, cidr=cidr, use=use, **more)
        return await service.add_range(c, fleet.scope, wish, START)


async def groups(fleet: Fleet, **variables: Any) -> dict[str, Any]:
    await fleet.settle()
    return {each["cidr"]: each for each in (await fleet.ask(GROUPS, **variables))["overlapGroups"]["nodes"]}


def hit(group: dict[str, Any]) -> dict[str, str]:
    assert int(group["clusterCount"]) == group["clusters"]["totalCount"] == len(group["clusters"]["nodes"])
    return {each["clusterName"]: each["severity"] for each in group["clusters"]["nodes"]}


LIVES_THERE = [
    (RangeUse.VPC, allocation("node", "10.0.1.1/32")),
    (RangeUse.VPC, allocation("pod", "10.0.1.1/32", quality="seen")),
    (RangeUse.VPC, allocation("loadbalancer", "10.0.1.9/32")),
    (RangeUse.VPC, allocation("pod", "10.0.64.0/18", reach="routed")),
    (RangeUse.ON_PREMISES, allocation("node", "10.0.1.1/32")),
    (RangeUse.SUBNET, allocation("node", "10.0.1.1/32")),
]
COLLIDES = [
    (RangeUse.VPC, allocation("node", "10.0.1.1/32", reach="masqueraded")),
    (RangeUse.VPC, allocation("service", "10.0.64.0/18")),
    (RangeUse.VPC, allocation("pod", "10.0.64.0/18")),
    (RangeUse.VPC, allocation("pod", "10.0.64.0/18", reach="masqueraded")),
    (RangeUse.SUBNET, allocation("pod", "10.0.64.0/18", reach="routed")),
    (RangeUse.OFFICE, allocation("node", "10.0.1.1/32")),
    (RangeUse.PARTNER, allocation("pod", "10.0.0.0/15")),
    (RangeUse.DOCKER, allocation("pod", "10.0.1.0/24", quality="seen")),
]


@pytest.mark.parametrize(("use", "row"), LIVES_THERE)
async def test_what_lives_in_an_entered_network_of_its_own_domain_is_no_overlap(
    fleet: Fleet, use: RangeUse, row: dict[str, Any]
) -> None:
    await fleet.cluster("one")
    await fleet.send("one", {"allocations": [row]})
    await enter(fleet, await domain_of(fleet, "one"), "10.0.0.0/16", use)
    assert await groups(fleet) == {}
    assert await groups(fleet, joined=True) == {}


@pytest.mark.parametrize(("use", "row"), COLLIDES)
async def test_what_a_cluster_claims_over_an_entered_range_of_its_domain_is_a_conflict(
    fleet: Fleet, use: RangeUse, row: dict[str, Any]
) -> None:
    await fleet.cluster("one")
    await fleet.send("one", {"allocations": [row]})
    await enter(fleet, await domain_of(fleet, "one"), "10.0.0.0/16", use, owner="network team")
    (found,) = (await groups(fleet)).values()
    assert hit(found) == {"one": "CONFLICT", "entered in one": "CONFLICT"}
    assert {each["clusterName"]: (each["cluster"], each["enteredIn"]) for each in found["clusters"]["nodes"]} == {
        "one": ({"name": "one"}, None),
        "entered in one": (None, {"name": "one"}),
    }
    entered = [each for each in found["members"]["nodes"] if each["enteredRange"]]
    assert [(each["cidr"], each["kind"], each["cluster"], each["source"], each["severity"]) for each in entered] == [
        ("10.0.0.0/16", "ENTERED", None, "entered", "CONFLICT")
    ]
    assert entered[0]["enteredRange"] == {"use": use.name, "owner": "network team"}
    assert "what people entered" in found["why"]
    assert "a range that people entered" in found["breaks"][0]
    assert "periplus ranges" in found["remedies"][0]


@pytest.mark.parametrize("use", [RangeUse.PLANNED_POD, RangeUse.PLANNED_NODE, RangeUse.RESERVED])
async def test_what_is_planned_or_reserved_blocks_a_federation(fleet: Fleet, use: RangeUse) -> None:
    await fleet.cluster("one", ("node", "10.0.1.1/32"))
    await enter(fleet, await domain_of(fleet, "one"), "10.0.0.0/16", use)
    (found,) = (await groups(fleet)).values()
    assert hit(found) == {"one": "BLOCKS_FEDERATION", "entered in one": "BLOCKS_FEDERATION"}
    assert [each["clusterName"] for each in found["members"]["nodes"]] == ["entered in one", "one"]


async def test_ranges_of_one_domain_inside_each_other_say_where_things_are(fleet: Fleet) -> None:
    async with fleet.db.write(fleet.scope) as c:
        home = (await create_domain(c, fleet.scope, "vpc")).id
    for cidr, use in (
        ("10.0.0.0/8", RangeUse.VPC),
        ("10.1.0.0/16", RangeUse.SUBNET),
        ("10.1.2.0/24", RangeUse.PLANNED_POD),
    ):
        await enter(fleet, home, cidr, use)
    assert await groups(fleet) == {}


async def test_an_isolated_cluster_would_collide_with_a_network_and_those_who_live_there_would_not(
    fleet: Fleet,
) -> None:
    """Whoever lives in the network is inside the group, and not hit by it."""
    await fleet.cluster("lives", ("node", "10.0.1.1/32"))
    await fleet.cluster("also", ("node", "10.0.1.2/32"))
    await fleet.cluster("far", ("pod", "10.0.64.0/18"))
    home = await domain_of(fleet, "lives")
    async with fleet.db.write(fleet.scope) as c:
        await move_clusters(c, fleet.scope, home, [fleet.registration("also")], now=START)
    await enter(fleet, home, "10.0.0.0/16", RangeUse.VPC)
    found = (await groups(fleet))["10.0.0.0/16"]
    assert hit(found) == {"entered in lives": "LATENT", "far": "LATENT"}
    assert {each["cidr"]: each["severity"] for each in found["members"]["nodes"]} == {
        "10.0.0.0/16": "LATENT",
        "10.0.1.1/32": None,
        "10.0.1.2/32": None,
        "10.0.64.0/18": "LATENT",
    }
    lives, far = (f"Cluster:{fleet.registration(name)}" for name in ("lives", "far"))
    joined = (await groups(fleet, ids=[lives, far]))["10.0.0.0/16"]
    assert hit(joined) == {"entered in lives": "BLOCKS_FEDERATION", "far": "BLOCKS_FEDERATION"}
    assert await groups(fleet, cluster=lives) == {}
    assert list(await groups(fleet, domain=f"NetworkDomain:{home}")) == ["10.0.0.0/16"]
    async with fleet.db.write(fleet.scope) as c:
        await connect(c, fleet.scope, (home, await fleet.domain_of(c, fleet.registration("far"))), Mode.FLAT, now=START)
    assert hit((await groups(fleet))["10.0.0.0/16"]) == {"entered in lives": "CONFLICT", "far": "CONFLICT"}
    async with fleet.db.read(fleet.scope) as c:
        drafts = list((await drafts_by_detector(c, fleet.scope, START, FactLoader()))["overlaps"])
    assert any("entered in lives" in each.why for each in drafts)


async def test_a_range_counts_from_when_it_is_entered_until_it_ends(fleet: Fleet) -> None:
    await fleet.cluster("one", ("service", "10.0.64.0/18"))
    home = await domain_of(fleet, "one")
    assert await groups(fleet) == {}
    made = await enter(fleet, home, "10.0.0.0/16", RangeUse.VPC)
    assert list(await groups(fleet)) == ["10.0.0.0/16"]
    async with fleet.db.write(fleet.scope) as c:
        await service.remove_range(c, fleet.scope, made.id, START)
    assert await groups(fleet) == {}
    await enter(fleet, home, "10.0.0.0/17", RangeUse.OFFICE, expires_at=START + timedelta(hours=1))
    await enter(fleet, home, "10.9.0.0/16", RangeUse.OFFICE)
    assert list(await groups(fleet)) == ["10.0.0.0/17"]
    await RangesJob(fleet.db).run(START + timedelta(hours=1))
    assert await groups(fleet) == {}
    assert (await fleet.ask(COUNTS))["overlapCounts"]["state"] == "CURRENT"


async def test_a_domain_is_no_cluster_to_compare_with(fleet: Fleet) -> None:
    await fleet.cluster("one", ("service", "10.0.64.0/18"))
    home = await domain_of(fleet, "one")
    await enter(fleet, home, "10.0.0.0/16", RangeUse.VPC)
    between = "query($a: ID!, $b: ID!) { overlapsBetween(clusterA: $a, clusterB: $b) { total } }"
    answer = await fleet.knock(between, a=f"Cluster:{fleet.registration('one')}", b=f"Cluster:{home}")
    assert answer.codes == ["not-found"]
