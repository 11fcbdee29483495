"""Every cluster and every member of a group has a severity of its own: a group's worst pair is not everybody's."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from periplus_hub.addresses.overlaps import service_acceptances
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.fleet.service import move_clusters
from periplus_hub.kit.cursors import encode_cursor
from periplus_hub.kit.db import count_statements

from tests.support.batches import START
from tests.support.overlap_fleet import Fleet

ROOT = "10.0.0.0/16"
GROUPS = """query($joined: Boolean! = false, $ids: [ID!], $severities: [OverlapSeverity!], $cluster: ID) {
  overlapGroups(ifAllJoined: $joined, ifJoined: $ids, severities: $severities, cluster: $cluster) {
    nodes {
      cidr severity why breaks
      clusters { nodes { clusterName severity kinds memberCount cluster { name } } totalCount }
      members { nodes { clusterName kind cidr severity } totalCount }
    }
    totalCount
  }
}"""
MEMBERS = """query($severities: [OverlapSeverity!], $after: String) {
  overlapGroups { nodes { members(first: 1, after: $after, severities: $severities) {
    edges { cursor node { clusterName cidr } } pageInfo { hasNextPage endCursor } totalCount
  } } }
}"""
CLUSTER = """query($severities: [OverlapSeverity!]) {
  clusters { nodes { name overlapGroups(severities: $severities) {
    edges { cursor severity node { cidr severity } } nodes { cidr } totalCount asOf
  } } }
}"""
BETWEEN = """query($a: ID!, $b: ID!) {
  overlapsBetween(clusterA: $a, clusterB: $b) { severity overlaps { nodes { severity why } } }
}"""


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


@pytest.fixture
async def mixed(fleet: Fleet) -> Fleet:
    """`pods` and `nodes` share a network and collide; `far` only would, and a block of `pods` touches nobody."""
    await fleet.cluster("pods", ("pod", ROOT), ("external", "10.0.9.9/32"))
    await fleet.cluster("nodes", ("node", "10.0.7.1/32"))
    await fleet.cluster("far", ("service", "10.0.8.0/24"))
    async with fleet.db.write(fleet.scope) as c:
        home = await fleet.domain_of(c, fleet.registration("pods"))
        await move_clusters(c, fleet.scope, home, [fleet.registration("nodes")], now=START)
    await fleet.settle()
    return fleet


async def group(fleet: Fleet, **variables: Any) -> dict[str, Any]:
    found = (await fleet.ask(GROUPS, **variables))["overlapGroups"]["nodes"]
    return {each["cidr"]: each for each in found}[ROOT]


def by_cluster(found: dict[str, Any]) -> dict[str, str]:
    return {each["clusterName"]: each["severity"] for each in found["clusters"]["nodes"]}


def by_member(found: dict[str, Any]) -> dict[str, str | None]:
    return {each["cidr"]: each["severity"] for each in found["members"]["nodes"]}


@pytest.mark.promise("overlaps-name-whom-they-hurt")
async def test_a_cluster_that_only_would_collide_is_latent_in_a_conflict(mixed: Fleet) -> None:
    found = await group(mixed)
    assert (found["cidr"], found["severity"]) == (ROOT, "CONFLICT")
    assert found["clusters"] == {
        "nodes": [
            {
                "clusterName": name,
                "severity": severity,
                "kinds": [kind],
                "memberCount": str(count),
                "cluster": {"name": name},
            }
            for name, severity, kind, count in (
                ("nodes", "CONFLICT", "NODE", 1),
                ("pods", "CONFLICT", "POD", 2),
                ("far", "LATENT", "SERVICE", 1),
            )
        ],
        "totalCount": 3,
    }
    assert by_member(found) == {
        ROOT: "CONFLICT",
        "10.0.7.1/32": "CONFLICT",
        "10.0.8.0/24": "LATENT",
        "10.0.9.9/32": None,
    }
    assert found["breaks"][0].startswith("A pod range of one cluster covers nodes of another")
    assert not any("service" in text.lower() for text in found["breaks"])


@pytest.mark.promise("overlaps-name-whom-they-hurt")
async def test_what_a_cluster_is_asked_for_is_its_own_severity(mixed: Fleet) -> None:
    async def found(*severities: str) -> dict[str, list[tuple[str, str, str]]]:
        nodes = (await mixed.ask(CLUSTER, severities=severities or None))["clusters"]["nodes"]
        assert all(len(each["overlapGroups"]["edges"]) == each["overlapGroups"]["totalCount"] for each in nodes)
        return {
            each["name"]: [
                (edge["node"]["cidr"], edge["node"]["severity"], edge["severity"])
                for edge in each["overlapGroups"]["edges"]
            ]
            for each in nodes
        }

    worst, milder = (ROOT, "CONFLICT", "CONFLICT"), (ROOT, "CONFLICT", "LATENT")
    assert await found() == {"pods": [worst], "nodes": [worst], "far": [milder]}
    assert await found("CONFLICT") == {"pods": [worst], "nodes": [worst], "far": []}
    assert await found("LATENT") == {"pods": [], "nodes": [], "far": [milder]}
    for name, severity, count in (("far", "CONFLICT", 0), ("far", "LATENT", 1), ("pods", "CONFLICT", 1)):
        answer = await mixed.ask(GROUPS, cluster=mixed.id_of(name), severities=[severity])
        assert answer["overlapGroups"]["totalCount"] == count


async def test_members_are_paged_by_severity_and_cursors_survive_a_vanished_member(mixed: Fleet) -> None:
    async def page(after: str | None, *severities: str) -> dict[str, Any]:
        answer = await mixed.ask(MEMBERS, after=after, severities=severities or None)
        found: dict[str, Any] = answer["overlapGroups"]["nodes"][0]["members"]
        return found

    async def all_of(*severities: str) -> list[str]:
        seen, after, more = [], None, True
        while more:
            found = await page(after, *severities)
            seen += [edge["node"]["cidr"] for edge in found["edges"]]
            after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
        assert found["totalCount"] == len(seen)
        return seen

    assert await all_of() == [ROOT, "10.0.7.1/32", "10.0.8.0/24", "10.0.9.9/32"]
    assert await all_of("CONFLICT") == [ROOT, "10.0.7.1/32"]
    assert await all_of("LATENT") == ["10.0.8.0/24"]
    second = (await page((await page(None))["pageInfo"]["endCursor"]))["pageInfo"]["endCursor"]
    await mixed.report("nodes", ("node", "10.0.7.2/32"))
    await mixed.settle(60)
    assert [edge["node"]["cidr"] for edge in (await page(second))["edges"]] == ["10.0.7.2/32"]


@pytest.mark.parametrize(
    "after",
    [
        "nonsense",
        encode_cursor((1, 2), "overlap_groups"),
        encode_cursor((1, 2), "overlap_members"),
        encode_cursor((b"", 8, UUID(int=1), 0), "overlap_members"),
        encode_cursor((b"\4", "8", UUID(int=1), 0), "overlap_members"),
    ],
)
async def test_a_cursor_of_something_else_is_refused(mixed: Fleet, after: str) -> None:
    answer = await mixed.knock(MEMBERS, after=after)
    assert answer.codes == ["invalid"]
    assert "cursor" in answer.errors[0]["message"]
    assert answer.errors[0]["extensions"]["remedy"]


async def test_changes_change_each_ones_severity(mixed: Fleet) -> None:
    await mixed.report("nodes", ("node", "10.1.7.1/32"))
    await mixed.settle(60)
    found = await group(mixed)
    assert (found["severity"], by_cluster(found)) == ("LATENT", {"far": "LATENT", "pods": "LATENT"})
    await mixed.report("nodes", ("node", "10.0.8.1/32"))
    await mixed.settle(120)
    found = await group(mixed)
    assert by_cluster(found) == {"nodes": "CONFLICT", "pods": "CONFLICT", "far": "LATENT"}
    assert by_member(found)["10.0.8.0/24"] == "LATENT"
    inner = (await mixed.ask(GROUPS, cluster=mixed.id_of("far")))["overlapGroups"]["nodes"]
    assert [(each["cidr"], by_cluster(each), by_member(each)) for each in inner if each["cidr"] != ROOT] == [
        (
            "10.0.8.0/24",
            {"far": "LATENT", "nodes": "LATENT"},
            {"10.0.8.0/24": "LATENT", "10.0.8.1/32": "LATENT"},
        )
    ], "two that lie in a third's range overlap apart from it"


async def test_an_accepted_group_is_intended_for_everybody_in_it(mixed: Fleet) -> None:
    async with mixed.db.write(mixed.scope) as c:
        await service_acceptances.accept_overlap(
            c, mixed.scope, ROOT, "behind a gateway", START + timedelta(days=1), START
        )
    found = await group(mixed)
    assert set(by_cluster(found).values()) == {"INTENDED"}
    assert by_member(found) == dict.fromkeys((ROOT, "10.0.7.1/32", "10.0.8.0/24"), "INTENDED") | {"10.0.9.9/32": None}
    edges = (await mixed.ask(CLUSTER, severities=["INTENDED"]))["clusters"]["nodes"]
    assert [each["overlapGroups"]["edges"][0]["severity"] for each in edges] == ["INTENDED"] * 3
    between = (await mixed.ask(BETWEEN, a=mixed.id_of("pods"), b=mixed.id_of("nodes")))["overlapsBetween"]
    assert (between["severity"], [each["severity"] for each in between["overlaps"]["nodes"]]) == (
        "INTENDED",
        ["INTENDED"],
    )
    assert "accepted" in between["overlaps"]["nodes"][0]["why"]
    joined = await group(mixed, joined=True)
    assert by_cluster(joined) == {"nodes": "CONFLICT", "pods": "CONFLICT", "far": "BLOCKS_FEDERATION"}
    milder = await group(mixed, ids=[mixed.id_of("pods"), mixed.id_of("nodes")])
    assert set(by_cluster(milder).values()) == {"INTENDED"}
    assert set(by_member(milder).values()) == {"INTENDED", None}


async def test_what_joining_would_bring_is_told_for_each(mixed: Fleet) -> None:
    found = await group(mixed, joined=True)
    assert by_cluster(found) == {"nodes": "CONFLICT", "pods": "CONFLICT", "far": "BLOCKS_FEDERATION"}
    assert by_member(found)["10.0.8.0/24"] == "BLOCKS_FEDERATION"
    assert found["clusters"]["totalCount"] == 3
    only = await group(mixed, ids=[mixed.id_of("pods"), mixed.id_of("far")])
    assert by_cluster(only) == {"far": "BLOCKS_FEDERATION", "pods": "BLOCKS_FEDERATION"}
    assert by_member(only) == {ROOT: "BLOCKS_FEDERATION", "10.0.8.0/24": "BLOCKS_FEDERATION", "10.0.9.9/32": None}


async def test_a_finding_names_the_clusters_it_is_true_for(mixed: Fleet) -> None:
    async with mixed.db.read(mixed.scope) as c:
        (draft,) = list((await drafts_by_detector(c, mixed.scope, START, FactLoader()))["overlaps"])
    assert draft.why.startswith("nodes and pods collide inside 10.0.0.0/16.")
    assert draft.evidence["cluster_names"] == ["nodes", "pods"]
    assert (draft.evidence["clusters"], draft.evidence["milder_clusters"]) == (2, 1)


async def test_statements_do_not_grow_with_clusters_or_groups(mixed: Fleet) -> None:
    async def statements() -> list[int]:
        counts = []
        for document in (GROUPS, CLUSTER):
            with count_statements() as counted:
                await mixed.ask(document)
            counts.append(counted.total)
        return counts

    await mixed.ask("{viewer{actor}}")
    before = await statements()
    for number in range(6):
        await mixed.cluster(f"more-{number}", ("pod", f"10.{number}.0.0/16"), ("pod", f"10.{number + 1}.0.0/16"))
    await mixed.settle(60)
    assert await statements() == before


async def test_clusters_that_collide_with_themselves_are_not_said_to_collide_with_each_other(fleet: Fleet) -> None:
    for name in ("one", "two"):
        await fleet.cluster(name, ("service", ROOT), ("node", f"10.0.0.{len(fleet.members) + 1}/32"))
    await fleet.settle()
    found = await group(fleet)
    assert (found["severity"], by_cluster(found)) == ("CONFLICT", {"one": "CONFLICT", "two": "CONFLICT"})
    assert found["why"] == "The service range of a cluster covers pods or nodes of the same cluster."
    assert "kube-proxy" in found["breaks"][0]
    async with fleet.db.read(fleet.scope) as c:
        (draft,) = list((await drafts_by_detector(c, fleet.scope, START, FactLoader()))["overlaps"])
    assert draft.why.startswith(f"one and two each collide with themselves inside {ROOT}.")
    async with fleet.db.write(fleet.scope) as c:
        home = await fleet.domain_of(c, fleet.registration("one"))
        await move_clusters(c, fleet.scope, home, [fleet.registration("two")], now=START)
    await fleet.settle(60)
    assert "one network" in (await group(fleet))["why"]
