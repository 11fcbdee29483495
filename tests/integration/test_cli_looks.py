"""What every listing and report looks like: on 80 columns, on light and dark, in a pipe, and the second time."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main
from sqlalchemy import Table, update
from typer.testing import CliRunner

from periplus_hub.access.scope import Scope, owned, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.access.tables import api_tokens
from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.addresses.overlaps import tables as overlaps_tables
from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start
from periplus_hub.findings.tables import findings
from periplus_hub.fleet import tables as fleet
from periplus_hub.inventory import tables as inventory
from periplus_hub.kit.db import Database

from tests.support.graphql_hub import Fleet, seed
from tests.support.hub_process import config_for, hub

LONG = "production-of-the-european-shops-in-frankfurt-and-dublin"
"""As people call things, and of the fold that most names have."""
SENTENCE = f"{LONG} tells more than would ever fit into the columns of a terminal of the usual width, and goes on"
NAMED: tuple[tuple[Table, str, bool], ...] = (
    (fleet.registrations, "name", True),
    (fleet.network_domains, "name", True),
    (fleet.network_domains, "description", False),
    (api_tokens, "name", True),
    (findings, "title", False),
    (findings, "what_to_do", False),
    (overlaps_tables.overlap_acceptances, "reason", False),
    (ipam_tables.allocations, "name", False),
    (inventory.nodes, "name", True),
    (inventory.sources, "message", False),
    (inventory.sources, "remedy", False),
)
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


class Terminal:
    """Somebody who types, and how it looks."""

    def __init__(self, env: dict[str, str], made: Fleet) -> None:
        self.env, self.fleet = env, made

    async def type(self, *arguments: str, **env: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, command_line(), arguments, env=self.env | env, color=True)
        assert result.exit_code == 0, (arguments, result.output)
        return result.stdout

    def commands(self) -> list[tuple[str, ...]]:
        """Everything that lists or reports."""
        listings = [(name, "list") for name in ("clusters", "domains", "findings", "api-token")]
        shown = [("clusters", "show", self.fleet.ids["Cluster"]), ("address", "10.244.0.1"), ("overlaps", "accepted")]
        shown += [("pools",), ("pools", "--by", "node"), ("pools", "--by", "team")]
        return [*listings, *shown, ("join-token", "list", "--all"), ("overlaps",), ("overlaps", "--joined", "all")]


async def _rename(db: Database, scope: Scope) -> None:
    """Names that differ stay different."""
    async with db.write(scope) as c:
        for table, column, unique in NAMED:
            text = table.c[column] + f"-{LONG}" if unique else SENTENCE
            await c.execute(update(table).where(owned(scope, table)).values({column: text}))


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    scope = system_scope(await ensure_default_tenant(db), "test")
    made = await seed(db, scope, clusters=3)
    await _rename(db, scope)
    config = config_for(database_url, tmp_path)
    async with hub(config) as ready:
        token = str(await start("admin_token", config))
        yield Terminal({"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "COLUMNS": "80"}, made)


async def test_nothing_is_wider_than_80_columns_but_a_word_that_is(terminal: Terminal) -> None:
    for command in terminal.commands():
        lines = _SGR.sub("", await terminal.type(*command, FORCE_COLOR="1")).splitlines()
        wide = [line for line in lines if len(line) > 80]
        assert [line for line in wide if max(map(len, line.split())) + 22 < len(line)] == [], command
        assert not [line for line in lines if "…" in line], "nothing is cut off"


async def test_what_is_copied_is_whole(terminal: Terminal) -> None:
    made = terminal.fleet
    for command, wanted in (
        (("findings", "list"), f"Finding:{made.finding}"),
        (("overlaps", "accepted"), f"OverlapAcceptance:{made.acceptance}"),
        (("join-token", "list", "--all"), str(made.join_token)),
        (("api-token", "list"), str(made.api_token)),
        (("clusters", "list"), f"cluster-001-{LONG}"),
        (("domains", "list"), f"domain-002-{LONG}"),
        (("overlaps",), f"cluster-002-{LONG}"),
        (("address", "10.244.0.1"), f"cluster-000-{LONG}"),
    ):
        words = _SGR.sub("", await terminal.type(*command, FORCE_COLOR="1")).replace("(", " ").split()
        assert wanted in {word.rstrip(":,)") for word in words}, command


async def test_colours_are_read_on_light_and_on_dark(terminal: Terminal) -> None:
    """Red, green and magenta are; whatever else is coloured has a background of its own."""
    found = set()
    for command in terminal.commands():
        codes = _SGR.findall(await terminal.type(*command, FORCE_COLOR="1", TERM="xterm"))
        found |= {frozenset(map(int, each.split(";"))) for each in codes if each}
    coloured = {each for each in found if each & {*range(30, 39), *range(90, 98)}}
    assert coloured
    assert [each for each in coloured if not each & {*range(40, 48)} and each & {*range(30, 38)} - {31, 32, 35}] == []
    assert not [each for each in found if each & {*range(90, 98), *range(100, 108), 38, 48}], "bright, or of a palette"


@pytest.mark.parametrize("quiet", [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {"TERM": "dumb", "FORCE_COLOR": "1"}, {}])
async def test_there_is_none_where_none_is_wanted(terminal: Terminal, quiet: dict[str, str]) -> None:
    for command in terminal.commands():
        codes = {int(code) for each in _SGR.findall(await terminal.type(*command, **quiet)) for code in each.split(";")}
        assert not codes & {*range(30, 50), *range(90, 108)}, command
        assert codes == set() or quiet, command


def test_help_has_no_colour_of_its_own() -> None:
    """Typer's is yellow."""
    rest: list[Any] = [typer.main.get_command(command_line())]
    for command in rest:
        rest += getattr(command, "commands", {}).values()
        assert command.rich_markup_mode is None, command.name


def _members(value: Any) -> Any:
    """The names of members, in their order."""
    if isinstance(value, list):
        return [_members(each) for each in value]
    return [(name, _members(each)) for name, each in value.items()] if isinstance(value, dict) else None


async def test_json_is_the_same_bytes_every_time(terminal: Terminal) -> None:
    for command in terminal.commands():
        first, second = [re.sub(r'"asOf": "[^"]*"', "", await terminal.type(*command, "--json")) for _ in range(2)]
        assert first == second, command


async def test_lists_in_json_are_in_the_order_that_is_documented(terminal: Terminal) -> None:
    async def listed(*command: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(await terminal.type(*command, "--json"))
        return found

    for name in ("clusters", "domains"):
        names = [each["name"] for each in await listed(name, "list")]
        assert (names, len(names) > 2) == (sorted(names), True)
    for command, time in ((("api-token", "list"), "createdAt"), (("overlaps", "accepted"), "createdAt")):
        times = [datetime.fromisoformat(each[time]).astimezone(UTC) for each in await listed(*command)]
        assert times == sorted(times, reverse=True)
    ranges = await terminal.type("clusters", "show", terminal.fleet.ids["Cluster"], "--json")
    assert [each["cidr"] for each in json.loads(ranges)["allocations"]] == ["10.244.0.0/16", "10.244.1.0/24"]
    shapes = [_members(each) for each in await listed("clusters", "list")]
    heads = {tuple(name for name, _ in shape) for shape in shapes}
    assert len(heads) == 1, "members stand in one order"
