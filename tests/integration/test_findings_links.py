"""A finding is found by every cluster it concerns, and links to what it is about; so does the audit trail."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.fleet.service import move_clusters

from tests.support.clock import START
from tests.support.overlap_fleet import Fleet

OF_CLUSTER = """query($id: ID!) {
  findings(cluster: $id) { nodes { id title } totalCount }
  cluster(id: $id) { findings(first: 10) { nodes { id title } totalCount } }
}"""
LINKS = """{ findings(detectors: ["overlaps"]) { nodes {
  evidence overlapGroup { id cidr } cluster { id } clusters(first: 5) { nodes { id name } totalCount }
} } }"""
EVENTS = "{ auditEvents(first: 100) { nodes { objectKind objectId detail object { __typename id } } } }"
BARE = re.compile(r"(?<![:\w-])[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    """`a` and `b` collide in one network; `c` is in nothing."""
    opened = Fleet.open(db, tenant)
    for name, cidr in (("a", "10.0.0.0/16"), ("b", "10.0.0.0/16"), ("c", "10.9.0.0/16")):
        await opened.cluster(name, ("pod", cidr))
    async with db.write(tenant) as c:
        domain = await opened.domain_of(c, opened.registration("a"))
        await move_clusters(c, tenant, domain, [opened.registration("b")], now=START)
    await opened.settle()
    await FindingsJob(db).run(db.clock.now())
    yield opened
    opened.door.intake.close()


async def of_cluster(fleet: Fleet, name: str) -> list[str]:
    found = await fleet.ask(OF_CLUSTER, id=fleet.id_of(name))
    listed, own = found["findings"], found["cluster"]["findings"]
    assert listed == own
    assert listed["totalCount"] == len(listed["nodes"])
    return [each["title"] for each in listed["nodes"]]


@pytest.mark.promise("findings-name-whom-they-concern")
async def test_an_overlap_is_a_finding_of_every_member_of_its_group(fleet: Fleet) -> None:
    assert await of_cluster(fleet, "a") == await of_cluster(fleet, "b") == ["10.0.0.0/16 is used twice in one network"]
    assert await of_cluster(fleet, "c") == []


@pytest.mark.promise("findings-name-whom-they-concern")
async def test_what_concerns_a_fleet_is_a_finding_of_each_of_it(fleet: Fleet) -> None:
    job, now = FindingsJob(fleet.db), fleet.db.clock.now()
    for seconds in range(0, 121, 15):
        await job.run(now + timedelta(seconds=seconds))
    for name in ("a", "b", "c"):
        assert "Nothing heard from any of 3 clusters" in await of_cluster(fleet, name)


@pytest.mark.promise("findings-name-whom-they-concern")
async def test_findings_and_events_link_by_ids_that_are_found_again(fleet: Fleet) -> None:
    (finding,) = (await fleet.ask(LINKS))["findings"]["nodes"]
    assert finding["overlapGroup"]["cidr"] == "10.0.0.0/16"
    assert finding["evidence"]["overlap_group"] == finding["overlapGroup"]["id"]
    assert [each["name"] for each in finding["clusters"]["nodes"]] == ["a", "b"]
    assert finding["cluster"] is None
    events: list[dict[str, Any]] = (await fleet.ask(EVENTS))["auditEvents"]["nodes"]
    kinds = {each["objectKind"] for each in events}
    assert {"Cluster", "NetworkDomain", "ApiToken"} <= kinds
    for event in events:
        link = event["object"]
        assert link is None if event["objectKind"] == "Tenant" else link == {
            "__typename": event["objectKind"], "id": event["objectId"]
        }  # fmt: skip
        if link is not None:
            again = (await fleet.ask("query($id: ID!) { node(id: $id) { id } }", id=link["id"]))["node"]
            assert again == {"id": link["id"]}
    assert BARE.findall(json.dumps([finding, [each["detail"] for each in events]])) == []
