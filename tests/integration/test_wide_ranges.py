"""A range that somebody lays around others' overlaps is an overlap of its own: theirs stay as they are all the time."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.overlaps import service_acceptances
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.fleet.service import move_clusters
from periplus_hub.kit.db import Database

from tests.support.batches import START
from tests.support.overlap_fleet import Fleet

KNOWN, ACCEPTED, APART = "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"
WIDE = "10.0.0.0/8"
SEEN = """{ overlapGroups { nodes {
  id cidr since changedAt severity accepted clusterCount pairCount clusters { nodes { clusterName severity } }
} } }"""
FINDINGS = """{ findings(states: [OPEN, ACKNOWLEDGED]) { nodes {
  id detector state severity title why note acknowledgedAt overlapGroup { cidr }
} } }"""
KNOW = """mutation($finding: ID!) { acknowledgeFinding(finding: $finding, note: "we know") { __typename } }"""
INSIDE = """query($group: ID!) { node(id: $group) { ... on OverlapGroup {
  members { nodes { clusterName cidr severity } totalCount }
} } }"""
BETWEEN = "query($a: ID!, $b: ID!) { overlapsBetween(clusterA: $a, clusterB: $b) { severity } }"


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    """Two conflicts, one of them acknowledged and one accepted, and two clusters whose networks are apart."""
    opened = Fleet.open(db, tenant)
    for name, cidr in (("a", KNOWN), ("b", KNOWN), ("c", ACCEPTED), ("d", ACCEPTED), ("e", APART), ("f", APART)):
        await opened.cluster(name, ("pod", cidr))
    await opened.cluster("wide", ("pod", "192.168.0.0/16"))
    await one_network(opened, "a", "b", "c", "d")
    await opened.settle()
    async with db.write(tenant) as c:
        await service_acceptances.accept_overlap(c, tenant, ACCEPTED, "one is going", START + timedelta(days=9), START)
    (finding,) = await findings(opened, 0)
    await opened.ask(KNOW, finding=finding["id"])
    yield opened
    opened.door.intake.close()


async def one_network(fleet: Fleet, *names: str) -> None:
    async with fleet.db.write(fleet.scope) as c:
        home = await fleet.domain_of(c, fleet.registration(names[0]))
        await move_clusters(c, fleet.scope, home, [fleet.registration(name) for name in names[1:]], now=START)


async def groups(fleet: Fleet) -> dict[str, Any]:
    return {each["cidr"]: each for each in (await fleet.ask(SEEN))["overlapGroups"]["nodes"]}


async def findings(fleet: Fleet, seconds: float) -> list[dict[str, Any]]:
    await FindingsJob(fleet.db).detect(fleet.scope.tenant_id, START + timedelta(seconds=seconds))
    found = (await fleet.ask(FINDINGS))["findings"]["nodes"]
    return [each for each in found if each["detector"] == "overlaps"]


@pytest.mark.promise("wide-ranges-swallow-nothing")
@pytest.mark.parametrize("severity", ["LATENT", "CONFLICT"])
async def test_a_wide_range_that_comes_and_goes_changes_nothing_of_what_it_lies_around(
    fleet: Fleet, severity: str
) -> None:
    if severity == "CONFLICT":
        await one_network(fleet, "a", "wide")
        await fleet.settle(1)
    before, known = await groups(fleet), await findings(fleet, 2)
    assert {cidr: (each["severity"], each["accepted"]) for cidr, each in before.items()} == {
        KNOWN: ("CONFLICT", False),
        ACCEPTED: ("INTENDED", True),
        APART: ("LATENT", False),
    }
    assert [(each["state"], each["note"]) for each in known] == [("ACKNOWLEDGED", "we know")]

    await fleet.report("wide", ("pod", WIDE))
    await fleet.settle(60)
    during, told = await groups(fleet), await findings(fleet, 61)
    wide = during.pop(WIDE)
    assert during == before
    assert (wide["severity"], wide["accepted"], wide["clusterCount"], wide["pairCount"]) == (severity, False, "7", "6")
    mine = [each for each in told if each["overlapGroup"] == {"cidr": WIDE}]
    assert [each for each in told if each not in mine] == known
    assert [(each["state"], each["severity"]) for each in mine] == [("OPEN", "CRITICAL")] * (severity == "CONFLICT")
    # a and c are in it because of the wide range, and never meet.
    who = f"Each of a, b, c, d and 1 more cluster collides with at least one of them inside {WIDE}. "
    assert [each["why"][: len(who)] for each in mine] == [who] * len(mine)

    await fleet.report("wide", ("pod", "192.168.0.0/16"))
    await fleet.settle(120)
    assert (await groups(fleet), await findings(fleet, 121)) == (before, known)


@pytest.mark.promise("overlaps-name-whom-they-hurt")
async def test_in_the_group_of_a_wide_range_everybody_is_hit_as_that_range_hits_them(fleet: Fleet) -> None:
    await one_network(fleet, "e", "wide")
    await fleet.report("wide", ("pod", WIDE), ("external", "10.1.7.7/32"))
    await fleet.settle(60)
    found = await groups(fleet)
    hit = {each["clusterName"]: each["severity"] for each in found[WIDE]["clusters"]["nodes"]}
    assert hit == {"wide": "CONFLICT", "e": "CONFLICT"} | dict.fromkeys("abcdf", "LATENT")
    members = (await fleet.ask(INSIDE, group=found[WIDE]["id"]))["node"]["members"]
    assert {(each["clusterName"], each["cidr"]): each["severity"] for each in members["nodes"]} == {
        ("wide", WIDE): "CONFLICT",
        ("wide", "10.1.7.7/32"): "LATENT",
        **{(name, KNOWN): "LATENT" for name in "ab"},
        **{(name, ACCEPTED): "LATENT" for name in "cd"},
        ("e", APART): "CONFLICT",
        ("f", APART): "LATENT",
    }
    inner = (await fleet.ask(INSIDE, group=found[KNOWN]["id"]))["node"]["members"]
    assert {(each["clusterName"], each["severity"]) for each in inner["nodes"]} == {
        ("a", "CONFLICT"),
        ("b", "CONFLICT"),
    }


@pytest.mark.promise("acceptances-cover-what-was-seen")
async def test_who_accepts_a_wide_range_accepts_nothing_of_what_lies_inside(fleet: Fleet) -> None:
    await fleet.report("wide", ("pod", WIDE))
    await fleet.settle(60)
    async with fleet.db.write(fleet.scope) as c:
        await service_acceptances.accept_overlap(c, fleet.scope, WIDE, "it is a lab", START + timedelta(days=9), START)
    assert {cidr: each["severity"] for cidr, each in (await groups(fleet)).items()} == {
        WIDE: "INTENDED",
        KNOWN: "CONFLICT",
        ACCEPTED: "INTENDED",
        APART: "LATENT",
    }

    async def between(a: str, b: str) -> str:
        found = await fleet.ask(BETWEEN, a=fleet.id_of(a), b=fleet.id_of(b))
        return str(found["overlapsBetween"]["severity"])

    assert [await between(*pair) for pair in ("ab", "cd", "ef")] == ["CONFLICT", "INTENDED", "LATENT"]
    assert [await between("wide", name) for name in "ace"] == ["INTENDED"] * 3
