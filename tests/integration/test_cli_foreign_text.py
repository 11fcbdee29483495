"""A hostile cluster's texts, through every command: each is shown, and moves no cursor, colours or hides nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, update
from typer.testing import CliRunner, Result

from periplus_hub.access.scope import Scope, owned, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.access.tables import api_tokens
from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.addresses.overlaps import tables as overlaps_tables
from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start
from periplus_hub.findings.tables import findings
from periplus_hub.fleet import tables as fleet
from periplus_hub.ingest.tables import quarantine
from periplus_hub.inventory import tables as inventory
from periplus_hub.kit.db import Database, WriteConnection

from tests.support.graphql_hub import Fleet, seed
from tests.support.hub_process import config_for, hub
from tests.support.poison import POISON, SHOWN, unseen

EVERYTHING: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (inventory.clusters, ("provider", "region", "kubernetes_version")),
    (inventory.sources, ("reason", "message", "remedy")),
    (inventory.pods, ("namespace", "name", "node")),
    (ipam_tables.allocations, ("provider", "name", "node")),
    (overlaps_tables.overlap_acceptances, ("reason", "accepted_by")),
    (findings, ("detector", "title", "why", "what_to_do", "note")),
    (quarantine, ("reason", "detail")),
    (fleet.registrations, ("cluster_uid", "spoke_version")),
    (fleet.domain_connections, ("note",)),
    (fleet.network_domains, ("description",)),
    (fleet.join_tokens, ("cluster_name", "created_by")),
)


class Terminal:
    """Somebody who types, and looks at every character."""

    def __init__(self, env: dict[str, str], made: Fleet) -> None:
        self.env, self.fleet = env, made

    async def type(self, *arguments: str) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, command_line(), arguments, env=self.env)
        assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
        assert unseen(result.stdout) == unseen(result.stderr) == [], (arguments, result.output)
        assert not [line for line in result.output.splitlines() if line.startswith("error: forged")], arguments
        return result


async def _poison(c: WriteConnection, scope: Scope, made: Fleet) -> None:
    for table, columns in EVERYTHING:
        await c.execute(update(table).where(owned(scope, table)).values(dict.fromkeys(columns, POISON)))
    for table, ids in ((fleet.registrations, made.clusters), (fleet.network_domains, made.domains)):
        for at, each in enumerate(ids):
            mine = (owned(scope, table), table.c.id == each)
            await c.execute(update(table).where(*mine).values(name=f"{at}{POISON}"))
    ours = (owned(scope, api_tokens), api_tokens.c.id == made.api_token)
    await c.execute(update(api_tokens).where(*ours).values(name=POISON))


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    scope = system_scope(await ensure_default_tenant(db), "test")
    made = await seed(db, scope)
    async with db.write(scope) as c:
        await _poison(c, scope, made)
    config = config_for(database_url, tmp_path)
    async with hub(config) as ready:
        token = str(await start("admin_token", config))
        yield Terminal({"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "COLUMNS": "4000"}, made)


@pytest.mark.promise("texts-cannot-deceive")
@pytest.mark.parametrize("name", ["clusters", "domains", "findings", "join-token", "api-token"])
async def test_every_listing_shows_what_a_foreign_text_hides(terminal: Terminal, name: str) -> None:
    every = ("--all",) if name == "join-token" else ()
    assert SHOWN in (await terminal.type(name, "list", *every)).stdout
    document = (await terminal.type(name, "list", *every, "--json")).stdout
    assert document.isascii()
    assert POISON in "".join(_texts(json.loads(document)))


@pytest.mark.promise("texts-cannot-deceive")
async def test_every_report_does_too(terminal: Terminal) -> None:
    ids = terminal.fleet.ids
    for command in (
        ("overlaps",),
        ("overlaps", "--joined", "all"),
        ("overlaps", "accepted", "--ended"),
        ("clusters", "show", ids["Cluster"]),
        ("address", "10.244.0.1"),
    ):
        assert SHOWN in (await terminal.type(*command)).stdout, command
        assert (await terminal.type(*command, "--json")).stdout.isascii(), command


@pytest.mark.promise("texts-cannot-deceive")
async def test_what_is_done_and_refused_is_said_so_too(terminal: Terminal) -> None:
    ids = terminal.fleet.ids
    for command in (
        ("clusters", "show", POISON),
        ("clusters", "approve", ids["Cluster"]),
        ("domains", "isolate", ids["Cluster2"]),
        ("domains", "move", ids["EmptyDomain"], ids["Cluster"]),
        ("domains", "connect", ids["NetworkDomain"], ids["EmptyDomain"], "--note", POISON),
        ("domains", "disconnect", POISON, POISON),
        ("domains", "create", POISON),
        ("domains", "delete", ids["NetworkDomain"]),
        ("findings", "ack", ids["Finding"], "--note", POISON),
        ("overlaps", "accept", POISON, "--reason", POISON),
        ("overlaps", "withdraw", ids["OverlapAcceptance"]),
        ("join-token", "create", "--cluster-name", POISON),
        ("join-token", "withdraw", POISON),
        ("api-token", "revoke", POISON, "--yes"),
        ("clusters", "revoke", ids["Cluster"]),
        ("clusters", "revoke", ids["Cluster"], "--yes"),
        ("clusters", "list", "--url", POISON),
        ("try", "--kubeconfig", POISON),
    ):
        await terminal.type(*command)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
