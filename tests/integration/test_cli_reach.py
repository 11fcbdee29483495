"""`periplus reach` against a real hub."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.kit.db import Database

from tests.support.graphql_hub import seed
from tests.support.terminal import Terminal, asking

SAY = ("reach", "set", "node", "masqueraded", "--reason", "behind a router")


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    await seed(db, system_scope(await ensure_default_tenant(db), "test"), clusters=3)
    async with asking(database_url, tmp_path) as env:
        yield Terminal(env)


async def test_only_what_was_said_is_taken_back(terminal: Terminal) -> None:
    assert (await terminal.type(*SAY, "cluster-000")).stdout == "the nodes of cluster-000 are masqueraded\n"
    assert (await terminal.type(*SAY, "cluster-000")).stdout == (
        "the nodes of cluster-000 are masqueraded: that was said already, for the same reason\n"
    )
    both = await terminal.type("reach", "clear", "node", "cluster-000", "cluster-001")
    assert both.stdout == (
        "what was said of the nodes of cluster-000 is taken back\nnothing was said of the nodes of cluster-001\n"
    )
    listed = await terminal.documents("reach", "list")
    assert "node" not in {each["allocationKind"] for each in listed}


async def test_names_are_typed_apart_or_with_commas(terminal: Terminal) -> None:
    told = await terminal.documents(*SAY, "cluster-000,cluster-001", "cluster-000")
    assert [each["name"] for each in told["clusters"]] == ["cluster-000", "cluster-001"]
    assert (told["domains"], told["sameClusters"], told["sameDomains"]) == ([], [], [])
    assert "nobody is named" in (await terminal.type(*SAY, ",", code=64)).stderr
    cleared = await terminal.documents("reach", "clear", "node", "cluster-000", "cluster-002")
    assert ([each["name"] for each in cleared["clusters"]], [each["name"] for each in cleared["sameClusters"]]) == (
        ["cluster-000"],
        ["cluster-002"],
    )
