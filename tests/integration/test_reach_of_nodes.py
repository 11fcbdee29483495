"""Nodes that nobody outside reaches by their addresses, and what a correction of many changes at once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.tables import allocation_changes
from periplus_hub.kit.db import Database

from tests.integration.test_address_truth import groups, holds, node, one_network
from tests.support.overlap_fleet import Fleet

SET = """mutation($clusters: [ID!], $domains: [ID!]) {
  setReach(clusters: $clusters, domains: $domains, kind: NODE, reach: MASQUERADED, reason: "behind a router") {
    __typename ... on CorrectedReach { ...Told } ... on Problem { message remedy }
  }
}"""
CLEAR = """mutation($clusters: [ID!], $domains: [ID!]) {
  clearReach(clusters: $clusters, domains: $domains, kind: NODE) {
    __typename ... on CorrectedReach { ...Told } ... on Problem { message remedy }
  }
}"""
TOLD = """
fragment Told on CorrectedReach {
  clusters { name reachCorrections { kind reach } } domains { id } sameClusters { name } sameDomains { id }
}"""


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    """Machines of two sites have one address, each site behind a router of its own."""
    opened = Fleet.open(db, tenant)
    for name in ("hall", "yard"):
        await holds(opened, name, node("192.168.7.11", f"{name}-1"))
    await one_network(opened, "hall", "yard")
    yield opened
    opened.door.intake.close()


async def said(fleet: Fleet, document: str, **whom: list[str]) -> dict[str, Any]:
    (found,) = (await fleet.ask(document + TOLD, **whom)).values()
    return dict(found)


def names(nodes: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in nodes]


async def test_nodes_behind_a_router_hurt_nobody_once_somebody_says_so(fleet: Fleet) -> None:
    assert (await groups(fleet))["192.168.7.11/32"]["severity"] == "CONFLICT"
    one = await said(fleet, SET, clusters=[fleet.id_of("hall")])
    assert one["clusters"] == [{"name": "hall", "reachCorrections": [{"kind": "NODE", "reach": "MASQUERADED"}]}]
    assert (await groups(fleet, 60))["192.168.7.11/32"]["severity"] == "CONFLICT", "the other one is still reached"
    await said(fleet, SET, clusters=[fleet.id_of("yard")])
    group = (await groups(fleet, 120))["192.168.7.11/32"]
    assert group["severity"] == "LATENT"
    assert {each["reach"] for each in group["members"]["nodes"]} == {"MASQUERADED"}
    assert "routers that translate" in group["why"]


async def test_who_changed_is_told_apart_from_who_did_not(fleet: Fleet) -> None:
    both = [fleet.id_of("hall"), fleet.id_of("yard")]
    await said(fleet, SET, clusters=both[:1])
    again = await said(fleet, SET, clusters=both)
    assert (names(again["clusters"]), names(again["sameClusters"])) == (["yard"], ["hall"])
    await said(fleet, CLEAR, clusters=both[:1])
    cleared = await said(fleet, CLEAR, clusters=both)
    assert (names(cleared["clusters"]), names(cleared["sameClusters"])) == (["yard"], ["hall"])
    assert "nobody corrected" in (await said(fleet, CLEAR, clusters=both))["message"]


async def test_what_is_said_of_a_domain_is_one_revision(fleet: Fleet) -> None:
    async with fleet.db.read(fleet.scope) as c:
        home = f"NetworkDomain:{await fleet.domain_of(c, fleet.registration('hall'))}"
    before = await revisions(fleet)
    assert (await said(fleet, SET, domains=[home]))["domains"] == [{"id": home}]
    new = [each for each in await revisions(fleet) if each not in before]
    assert {registration for _, registration in new} == {fleet.registration("hall"), fleet.registration("yard")}
    assert len({revision for revision, _ in new}) == 1
    assert (await groups(fleet, 60))["192.168.7.11/32"]["severity"] == "LATENT"


async def revisions(fleet: Fleet) -> list[tuple[int, Any]]:
    table = allocation_changes
    async with fleet.db.read(fleet.scope) as c:
        rows = await c.rows(select(table.c.revision, table.c.registration_id).where(owned(fleet.scope, table)))
    return [(row.revision, row.registration_id) for row in rows]
