"""Somebody who types commands to a real hub."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start
from periplus_hub.fleet.service import create_domain
from periplus_hub.kit.db import Database

from tests.support.hub_process import config_for, hub
from tests.support.overlap_fleet import Fleet


@dataclass
class Terminal:
    """Somebody who types."""

    env: dict[str, str]

    async def type(self, *arguments: str, code: int = 0) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, command_line(), arguments, env=self.env)
        assert result.exit_code == code, (result.output, result.stderr, result.exception)
        return result

    async def documents(self, *arguments: str) -> Any:
        """What a program is told."""
        return json.loads((await self.type(*arguments, "--json")).stdout)


@dataclass
class FleetTerminal(Terminal):
    """Beside the fleet they ask about."""

    fleet: Fleet


@dataclass
class RangesTerminal(Terminal):
    """About ranges that people enter."""

    async def listed(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.documents("ranges", "list", *arguments)
        return found


@asynccontextmanager
async def asking(
    database_url: str, tmp_path: Path, *, all_in_one: bool = False, **settings: Any
) -> AsyncIterator[dict[str, str]]:
    """The environment of somebody who asks a hub, while it runs, as its administrator."""
    config = config_for(database_url, tmp_path, all_in_one=all_in_one, **settings)
    async with hub(config) as ready:
        token = str(await start("admin_token", config))
        yield {"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "COLUMNS": "200"}


@asynccontextmanager
async def ranges_terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[RangesTerminal]:
    """Two network domains, `vpc` and `office`, and nothing entered yet."""
    scope = system_scope(await ensure_default_tenant(db), "test")
    async with db.write(scope) as c:
        for name in ("vpc", "office"):
            await create_domain(c, scope, name)
    async with asking(database_url, tmp_path) as env:
        yield RangesTerminal(env)
