"""An acceptance covers what the person saw: these clusters, at most as badly hit. What comes later is shown."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from periplus_hub.addresses.overlaps import service_acceptances
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.addresses.overlaps.model import OverlapGroup, Severity
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.fleet.service import move_clusters, revoke
from periplus_hub.kit.errors import Conflict

from tests.support.batches import START
from tests.support.overlap_fleet import Fleet, joined

RANGE = "10.244.0.0/16"
POD = ("pod", RANGE)
DAY = timedelta(days=1)
BETWEEN = "query($a: ID!, $b: ID!) { overlapsBetween(clusterA: $a, clusterB: $b) { severity } }"
ACCEPT = """mutation($cidr: Cidr!, $until: DateTime!, $seen: DateTime) {
  acceptOverlap(input: {cidr: $cidr, reason: "labs", expiresAt: $until, seenChangedAt: $seen}) {
    ... on OverlapAcceptance { clusterCount severity } ... on Problem { code remedy }
  }
}"""
GROUP = """{ overlapGroups { nodes {
  severity accepted why remedies acceptance { reason severity clusterCount }
  clusters { nodes { clusterName severity } } members { nodes { clusterName severity } }
} } overlapCounts { severities { severity groups } } }"""


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    """Two isolated clusters with one pod range."""
    opened = Fleet.open(db, tenant)
    await opened.cluster("a", POD)
    await opened.cluster("b", POD)
    await opened.settle()
    yield opened
    opened.door.intake.close()


async def accept(fleet: Fleet, reason: str = "two labs", *, days: int = 7, seen: datetime | None = None) -> Any:
    async with fleet.db.write(fleet.scope) as c:
        return await service_acceptances.accept_overlap(
            c, fleet.scope, RANGE, reason, START + days * DAY, START, seen=seen
        )


async def join(fleet: Fleet, target: str, *names: str) -> None:
    """Put clusters into one network domain."""
    async with fleet.db.write(fleet.scope) as c:
        home = await fleet.domain_of(c, fleet.registration(target))
        await move_clusters(c, fleet.scope, home, [fleet.registration(name) for name in names], now=START)
    await fleet.settle(60)


async def only_group(fleet: Fleet, seconds: float = 0) -> OverlapGroup:
    (found,) = await fleet.groups(seconds)
    return found


@pytest.mark.promise("acceptances-cover-what-was-seen")
async def test_a_cluster_that_comes_later_is_not_accepted(fleet: Fleet) -> None:
    accepted = await accept(fleet)
    assert (await only_group(fleet)).severity is Severity.INTENDED
    await fleet.cluster("c", POD)
    await fleet.settle(60)
    group = await only_group(fleet)
    assert (group.severity, group.accepted, group.acceptance_id) == (Severity.LATENT, False, accepted.id)
    asked = await fleet.ask(GROUP)
    (shown,) = asked["overlapGroups"]["nodes"]
    assert {each["severity"] for each in shown["clusters"]["nodes"] + shown["members"]["nodes"]} == {"LATENT"}
    assert (shown["severity"], shown["accepted"]) == ("LATENT", False)
    assert shown["acceptance"] == {"reason": "two labs", "severity": "LATENT", "clusterCount": "2"}
    assert shown["why"].endswith("It was accepted for a and b only; c came later.")
    assert "accept it again" in shown["remedies"][-1]
    assert {"severity": "LATENT", "groups": 1} in asked["overlapCounts"]["severities"]


@pytest.mark.promise("acceptances-cover-what-was-seen")
async def test_when_the_newcomer_leaves_the_acceptance_holds_again(fleet: Fleet) -> None:
    await accept(fleet)
    await fleet.cluster("c", POD)
    await fleet.settle(60)
    async with fleet.db.write(fleet.scope) as c:
        await revoke(c, fleet.scope, fleet.db.clock, fleet.registration("c"))
    await fleet.settle(120)
    assert (await only_group(fleet)).severity is Severity.INTENDED


@pytest.mark.promise("acceptances-cover-what-was-seen")
async def test_what_becomes_worse_is_shown_and_found(fleet: Fleet) -> None:
    await accept(fleet)
    await join(fleet, "a", "b")
    group = await only_group(fleet)
    assert (group.severity, group.accepted) == (Severity.CONFLICT, False)
    (shown,) = (await fleet.ask(GROUP))["overlapGroups"]["nodes"]
    assert shown["why"].endswith("It was accepted, but it is worse for a and b now.")
    async with fleet.db.read(fleet.scope) as c:
        (draft,) = list((await drafts_by_detector(c, fleet.scope, START, FactLoader()))["overlaps"])
    assert "accept it again" in draft.what_to_do


@pytest.mark.promise("acceptances-cover-what-was-seen")
async def test_one_cluster_that_becomes_worse_in_an_accepted_conflict_is_shown(fleet: Fleet) -> None:
    await fleet.cluster("c", POD)
    await join(fleet, "a", "b")
    await accept(fleet)
    assert (await only_group(fleet)).severity is Severity.INTENDED
    await join(fleet, "a", "c")
    assert (await only_group(fleet)).severity is Severity.CONFLICT
    (shown,) = (await fleet.ask(GROUP))["overlapGroups"]["nodes"]
    assert shown["why"].endswith("It was accepted for a and b only; it is worse for c now.")


async def test_what_becomes_milder_stays_accepted(fleet: Fleet) -> None:
    await join(fleet, "a", "b")
    await accept(fleet)
    await fleet.report("b", ("pod", "10.244.7.0/24"))
    await fleet.settle(120)
    assert (await only_group(fleet)).severity is Severity.INTENDED


@pytest.mark.promise("acceptances-cover-what-was-seen")
async def test_accepting_again_covers_what_is_there_now_and_the_older_one_still_counts(fleet: Fleet) -> None:
    first = await accept(fleet)
    await fleet.cluster("c", POD)
    await fleet.settle(60)
    second = await accept(fleet, "three labs", days=1)
    assert (await only_group(fleet)).acceptance_id == second.id
    later = (2 * DAY).total_seconds()
    assert (await only_group(fleet, later)).severity is Severity.LATENT
    async with fleet.db.write(fleet.scope) as c:
        await revoke(c, fleet.scope, fleet.db.clock, fleet.registration("c"))
    await fleet.settle(later)
    group = await only_group(fleet, later)
    assert (group.severity, group.acceptance_id) == (Severity.INTENDED, first.id)


@pytest.mark.promise("acceptances-cover-what-was-seen")
async def test_what_changed_since_it_was_looked_at_is_not_accepted(fleet: Fleet) -> None:
    seen = (await only_group(fleet)).changed_at
    await fleet.cluster("c", POD)
    await fleet.settle(60)
    with pytest.raises(Conflict, match="changed"):
        await accept(fleet, seen=seen)
    await accept(fleet, seen=(await only_group(fleet)).changed_at)
    assert (await only_group(fleet)).severity is Severity.INTENDED


async def test_two_clusters_are_compared_as_their_group_is_shown(fleet: Fleet) -> None:
    async def severity() -> str:
        found: str = (await fleet.ask(BETWEEN, a=fleet.id_of("a"), b=fleet.id_of("b")))["overlapsBetween"]["severity"]
        return found

    await accept(fleet)
    assert await severity() == "INTENDED"
    await fleet.cluster("c", POD)
    await fleet.settle(60)
    assert await severity() == "LATENT"


async def test_a_join_is_worse_than_what_was_accepted_apart(fleet: Fleet) -> None:
    await accept(fleet)
    async with fleet.db.read(fleet.scope) as c:
        report = await joined(c, fleet.scope)
    assert [group.severity for group in report.groups] == [Severity.BLOCKS_FEDERATION]
    await join(fleet, "a", "b")
    await accept(fleet)
    async with fleet.db.read(fleet.scope) as c:
        report = await joined(c, fleet.scope)
    assert [group.severity for group in report.groups] == [Severity.INTENDED]


async def test_an_acceptance_that_ends_opens_its_finding_again_though_nothing_changed(fleet: Fleet) -> None:
    async def found(after: timedelta) -> list[str]:
        await fleet.settle(after.total_seconds())
        async with fleet.db.read(fleet.scope) as c:
            seen = await drafts_by_detector(c, fleet.scope, START + after, FactLoader())
        return [draft.title for draft in seen["overlaps"]]

    await join(fleet, "a", "b")
    await accept(fleet, days=7)
    assert await found(6 * DAY) == []
    assert await found(7 * DAY) == [f"{RANGE} is used twice in one network"]


async def test_another_leader_sees_what_came_meanwhile(fleet: Fleet) -> None:
    await accept(fleet)
    await fleet.cluster("c", POD)
    await OverlapsJob(fleet.db).refresh(fleet.scope.tenant_id, START + timedelta(seconds=60))
    assert (await only_group(fleet)).severity is Severity.LATENT


async def test_a_person_accepts_through_the_door_what_the_page_showed(fleet: Fleet) -> None:
    async def accepted(seen: str) -> dict[str, Any]:
        end = (START + DAY).isoformat()
        found: dict[str, Any] = (await fleet.ask(ACCEPT, cidr=RANGE, until=end, seen=seen))["acceptOverlap"]
        return found

    (page,) = (await fleet.ask("{ overlapGroups { nodes { changedAt } } }"))["overlapGroups"]["nodes"]
    await fleet.cluster("c", POD)
    await fleet.settle(60)
    refused = await accepted(page["changedAt"])
    assert (refused["code"], "Look at it again" in refused["remedy"]) == ("conflict", True)
    (page,) = (await fleet.ask("{ overlapGroups { nodes { changedAt } } }"))["overlapGroups"]["nodes"]
    assert await accepted(page["changedAt"]) == {"clusterCount": "3", "severity": "LATENT"}
