"""How far a cluster's addresses are known, from what its spoke sent through the door to what people are told."""

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from periplus_contract.batch import PartMark
from periplus_contract.covers import EVERY_ALLOCATION
from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.fleet.model import CONNECTED_WITHIN
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke, upsert
from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import door, token_for
from tests.support.overlap_fleet import Fleet, allocation

ASKED = """
query { clusters(first: 100) { nodes {
  name knowledge missing { source state reason message remedy }
} } }
"""
LATER_LIFE = UUID("01950000-0000-7000-8000-000000000002")


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


def sources(**states: str) -> list[dict[str, Any]]:
    """Rows for everything that feeds addresses; `states` by name with _ for what is no letter."""
    return [upsert(name, state=states.get(plain(name), "ok"), reason=None, objects=1) for name in FEEDING]


def plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


async def known(fleet: Fleet, seconds: float = 0) -> dict[str, tuple[str, list[str]]]:
    token = await token_for(fleet.db, fleet.scope, Role.VIEWER)
    clock = FakeClock(START + timedelta(seconds=seconds))
    answer = (await door(fleet.db, clock).ask(ASKED, token)).good
    return {each["name"]: (each["knowledge"], names(each["missing"])) for each in answer["clusters"]["nodes"]}


def names(missing: Iterable[dict[str, Any]]) -> list[str]:
    assert all(each["message"] and each["remedy"] and each["reason"] for each in missing)
    return [each["source"] for each in missing]


async def inventory(fleet: Fleet, name: str, **states: str) -> None:
    member, spoke = fleet.members[name]
    await member.send(spoke.snapshot({"sources": sources(**states)}))


@pytest.mark.promise("no-false-all-clear")
async def test_a_cluster_becomes_complete_step_by_step(fleet: Fleet) -> None:
    member = await fleet.door.member(fleet.scope, "shop")
    fleet.members["shop"] = (member, Spoke(member.registration))
    assert await known(fleet) == {"shop": ("UNREAD", [])}
    await inventory(fleet, "shop")
    unstated = ["pod", "service", "node", "loadbalancer", "external"]
    assert await known(fleet) == {"shop": ("INCOMPLETE", [f"allocations/{kind}" for kind in unstated])}
    await fleet.report("shop", ("pod", "10.1.0.0/24"))
    assert await known(fleet) == {"shop": ("COMPLETE", [])}
    silent_s = CONNECTED_WITHIN.total_seconds() + 1
    assert await known(fleet, silent_s) == {"shop": ("STALE", [])}


@pytest.mark.promise("no-false-all-clear")
async def test_two_clusters_that_are_not_known_whole_are_not_said_to_overlap_nowhere(fleet: Fleet) -> None:
    ask = "query($a: ID!, $b: ID!) { overlapsBetween(clusterA: $a, clusterB: $b) { complete severity total } }"
    for name, cidr in (("shop", "10.1.0.0/24"), ("bank", "10.2.0.0/24")):
        await fleet.cluster(name, ("pod", cidr))
        await inventory(fleet, name)
    ends = {"a": fleet.id_of("shop"), "b": fleet.id_of("bank")}
    found = (await fleet.ask(ask, **ends))["overlapsBetween"]
    assert found == {"complete": True, "severity": None, "total": "0"}
    await inventory(fleet, "bank", nodes="forbidden")
    found = (await fleet.ask(ask, **ends))["overlapsBetween"]
    assert found == {"complete": False, "severity": None, "total": "0"}


@pytest.mark.promise("no-false-all-clear")
async def test_a_spoke_that_started_again_has_to_state_its_addresses_again(fleet: Fleet) -> None:
    await fleet.cluster("shop", ("pod", "10.1.0.0/24"))
    await inventory(fleet, "shop")
    assert (await known(fleet))["shop"][0] == "COMPLETE"
    member, spoke = fleet.members["shop"]
    fleet.members["shop"] = (member, spoke.new_epoch(LATER_LIFE))
    await inventory(fleet, "shop")
    assert (await known(fleet))["shop"][0] == "INCOMPLETE"
    await fleet.report("shop", ("pod", "10.1.0.0/24"))
    assert (await known(fleet))["shop"][0] == "COMPLETE"


@pytest.mark.promise("no-false-all-clear")
async def test_pods_are_missing_only_where_their_range_is_counted_out_of_them(fleet: Fleet) -> None:
    await fleet.cluster("by-nodes", ("pod", "10.1.0.0/24"))
    await fleet.cluster("by-pods")
    seen = allocation("pod", "10.2.0.7/32", quality="seen")
    await fleet.send("by-pods", {"allocations": [seen]})
    for name in fleet.members:
        await inventory(fleet, name, pods="failed")
    assert await known(fleet) == {"by-nodes": ("COMPLETE", []), "by-pods": ("INCOMPLETE", ["pods"])}


@pytest.mark.promise("no-false-all-clear")
async def test_rows_that_were_set_aside_are_missing_until_they_are_stated_right(fleet: Fleet) -> None:
    good, bad = ("pod", "10.1.0.0/24"), ("node", "10.9.0.1/8")
    await fleet.cluster("shop", good, bad)
    await inventory(fleet, "shop")
    assert await known(fleet) == {"shop": ("INCOMPLETE", ["allocations"])}
    await fleet.send("shop", {})  # a pool sample says nothing of allocations
    assert await known(fleet) == {"shop": ("INCOMPLETE", ["allocations"])}
    await fleet.report("shop", good, ("node", "169.254.1.1/32"))
    assert await known(fleet) == {"shop": ("COMPLETE", [])}


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("ranges", [["0.0.0.0/1"], ["fd00::/8"], ["10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"]])
async def test_ranges_too_wide_or_too_many_leave_the_cluster_incomplete(
    db: Database, tenant: Scope, ranges: list[str]
) -> None:
    fleet = Fleet.open(db, tenant, IpamConfig(max_ranges_of_a_kind=2))
    await fleet.cluster("shop", *(("pod", cidr) for cidr in ranges))
    await inventory(fleet, "shop")
    assert await known(fleet) == {"shop": ("INCOMPLETE", ["allocations"])}
    await fleet.report("shop", *(("pod", f"10.{number}.0.0/16") for number in range(2)))
    assert await known(fleet) == {"shop": ("COMPLETE", [])}
    fleet.door.intake.close()


@pytest.mark.promise("no-false-all-clear")
async def test_rows_set_aside_of_any_part_of_a_statement_are_missing(fleet: Fleet) -> None:
    await fleet.cluster("shop", ("pod", "10.1.0.0/24"))
    await inventory(fleet, "shop")
    member, spoke = fleet.members["shop"]
    first = {"allocations": [allocation("pod", "10.2.0.0/24", name="x\0y"), allocation("pod", "10.3.0.0/24")]}
    last = {"allocations": [allocation("pod", "10.4.0.0/24")]}
    for number, content in enumerate((first, last), start=1):
        await member.send(spoke.ipam(content, ipam=PartMark(part=number, parts=2), covers=EVERY_ALLOCATION))
    assert await known(fleet) == {"shop": ("INCOMPLETE", ["allocations"])}


async def test_however_many_clusters_are_asked_about_it_is_the_same_statements(fleet: Fleet) -> None:
    counted = []
    for number in range(4):
        await fleet.cluster(f"shop-{number}", ("pod", f"10.{number}.0.0/24"))
        await inventory(fleet, f"shop-{number}")
        with count_statements() as counter:
            assert len(await known(fleet)) == number + 1
        counted.append(len(counter.statements))
    assert len(set(counted)) == 1, counted


@pytest.mark.promise("no-false-all-clear")
async def test_what_is_missing_is_a_finding_that_says_so(fleet: Fleet, db: Database) -> None:
    await fleet.cluster("shop", ("node", "10.1.0.7/32"))
    await inventory(fleet, "shop", services="forbidden", pods="forbidden")
    async with db.read(fleet.scope) as c:
        seen = await drafts_by_detector(c, fleet.scope, START, FactLoader())
    (draft,) = seen["unreadable-sources"]
    assert draft.title == "shop: its addresses are not known whole"
    assert "pods, services" in draft.why
