"""Somebody who types commands to a hub that takes flows from a cluster."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.start_process import start
from periplus_hub.flows import repository_blocks
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.flow_hub import Flow, seal_flows
from tests.support.hub_child import enrolled
from tests.support.hub_process import config_for, hub
from tests.support.spokes_door import Member
from tests.support.terminal import Terminal


@dataclass(frozen=True)
class FlowDesk:
    """The terminal, and `prod-1`, which tells."""

    terminal: Terminal
    member: Member
    spoke: Spoke
    db: Database
    scope: Scope
    http: httpx.AsyncClient

    async def enrol(self, name: str) -> Member:
        """Another cluster, that has told nothing yet."""
        return await enrolled(self.db, self.http, self.scope, name)

    async def tell(self, flows: Sequence[Flow], /, **header: Any) -> None:
        """Send them, and wait until they are among the edges."""
        await self.member.send(seal_flows(self.spoke, flows, **header))
        async with asyncio.timeout(60):
            while True:
                async with self.db.read(self.scope) as c:
                    has_hours = await repository_blocks.has_hours(c, self.scope)
                    if has_hours and not await repository_blocks.dirty_hours(c, self.scope, 0):
                        return
                await asyncio.sleep(0.1)


@asynccontextmanager
async def flow_desk(database_url: str, tmp_path: Path) -> AsyncIterator[FlowDesk]:
    """With a hub of its own, as its administrator."""
    db = Database(database_url, SystemClock())
    try:
        scope = system_scope(await ensure_default_tenant(db), "test")
        config = config_for(database_url, tmp_path, all_in_one=True)
        async with hub(config) as ready, httpx.AsyncClient(base_url=ready["spokes_url"], timeout=60) as http:
            token = str(await start("admin_token", config))
            terminal = Terminal({"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "COLUMNS": "200"})
            member = await enrolled(db, http, scope)
            yield FlowDesk(terminal, member, Spoke(member.registration), db, scope, http)
    finally:
        await db.dispose()
