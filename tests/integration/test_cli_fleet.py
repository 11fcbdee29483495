"""Clusters and network domains from the command line, against a real hub."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from periplus_hub.access.scope import insert_owned, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.fleet import tables as fleet
from periplus_hub.fleet.model import Mode
from periplus_hub.fleet.service import connect, create_domain
from periplus_hub.inventory import tables as inventory
from periplus_hub.kit.db import Database

from tests.support.graphql_hub import SEEN, seed
from tests.support.terminal import Terminal, asking


class DomainsTerminal(Terminal):
    async def domains(self) -> dict[str, list[str]]:
        listed = await self.documents("domains", "list")
        return {each["name"]: [cluster["name"] for cluster in each["clusters"]] for each in listed}


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[DomainsTerminal]:
    await seed(db, system_scope(await ensure_default_tenant(db), "test"))
    async with asking(database_url, tmp_path) as env:
        yield DomainsTerminal(env)


async def test_clusters_are_shown_with_what_was_set_aside(terminal: Terminal) -> None:
    listed = await terminal.documents("clusters", "list")
    assert [(each["name"], each["registration"], each["state"], each["clockSkewMs"]) for each in listed] == [
        ("cluster-000", "active", "unread", 5),
        ("cluster-001", "active", "unread", 5),
        ("pending", "pending", "pending", None),
    ]
    shown = await terminal.documents("clusters", "show", "cluster-000")
    assert shown["sources"][0]["state"] == "forbidden"
    assert shown["quarantine"]["totalCount"] == 1
    entry = shown["quarantine"]["nodes"][0]
    assert (entry["section"], entry["reason"], entry["rows"]) == ("pods", "bad_address", 2)
    text = (await terminal.type("clusters", "show", "cluster-000")).stdout
    assert "2026-01-01 00:00 UTC  2 rows of pods: bad_address" in text
    assert "set aside" not in (await terminal.type("clusters", "show", "pending")).stdout


async def test_what_a_cluster_does_not_have_is_named_in_one_line(terminal: Terminal, db: Database) -> None:
    scope = system_scope(await ensure_default_tenant(db), "test")
    told = {"state": "absent", "message": "GET /long/path: not found", "remedy": "Nothing.", "observed_at": SEEN}
    named = select(fleet.registrations.c.id).where(fleet.registrations.c.name == "cluster-000")
    async with db.write(scope) as c:
        cluster = (await c.execute(named)).scalar_one()
        for name, reason in (
            ("batch/jobs", "not_found"),
            ("metallb.io/x", "not_found"),
            ("ipam/x", "not_used_for_pods"),
        ):
            row = told | {"registration_id": cluster, "uid": name, "reason": reason}
            await c.execute(insert_owned(scope, inventory.sources, row))
    text = (await terminal.type("clusters", "show", "cluster-000")).stdout
    assert "  absent    batch/jobs, metallb.io/x\n" in text
    assert "  absent    ipam/x — GET /long/path: not found. Nothing.\n" in text
    assert text.count("GET /long/path") == 1


async def test_a_cluster_goes_into_a_domain_and_gets_its_own_back(terminal: DomainsTerminal) -> None:
    await terminal.type("domains", "create", "vpc", "--description", "shared")
    await terminal.type("domains", "move", "vpc", "cluster-000", "cluster-001")
    assert (await terminal.domains())["vpc"] == ["cluster-000", "cluster-001"]
    told = (await terminal.type("domains", "isolate", "cluster-001")).stdout
    assert told == "cluster-001 is in cluster-001\n"
    found = await terminal.domains()
    assert (found["vpc"], found["cluster-001"]) == (["cluster-000"], ["cluster-001"])
    again = await terminal.type("domains", "isolate", "cluster-001")
    assert again.stdout == told, "nothing to do is no failure"
    assert "there is no cluster 'nope'" in (await terminal.type("domains", "isolate", "nope", code=1)).stderr
    table = (await terminal.type("domains", "list")).stdout
    assert "cluster-001" in table


async def test_a_cluster_of_which_nothing_is_here_is_not_settled(terminal: Terminal) -> None:
    lines = {each["name"]: each for each in (await terminal.documents("overlaps"))["clusters"]}
    assert {name: (each["state"], each["reason"]) for name, each in lines.items()} == {
        "cluster-000": ("unread", "no_inventory"),
        "cluster-001": ("unread", "no_inventory"),
        "pending": ("pending", "pending"),
    }
    assert "waits for approval" in (await terminal.type("overlaps")).stdout


async def test_a_domain_that_many_are_connected_to_is_listed_whole(terminal: Terminal, db: Database) -> None:
    scope = system_scope(await ensure_default_tenant(db), "test")
    async with db.write(scope) as c:
        ids = [(await create_domain(c, scope, f"far-{number:02}")).id for number in range(25)]
        for each in ids[1:]:
            await connect(c, scope, (each, ids[0]), Mode.FLAT, now=db.clock.now())
    found = {each["name"]: each["connections"] for each in await terminal.documents("domains", "list")}
    assert {link["other"]["name"] for link in found["far-00"]} == {f"far-{number:02}" for number in range(1, 25)}
    assert [(link["mode"], link["other"]["name"]) for link in found["far-24"]] == [("flat", "far-00")]


async def test_connections_have_the_words_that_are_typed(terminal: Terminal) -> None:
    await terminal.type("domains", "connect", "domain-000", "empty", "--mode", "planned")
    (mine,) = [each for each in await terminal.documents("domains", "list") if each["name"] == "domain-000"]
    assert [link["mode"] for link in mine["connections"]] == ["planned"]
