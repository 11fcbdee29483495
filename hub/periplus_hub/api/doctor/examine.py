"""All checks, in one order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Final

from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import Check, State, unknown
from periplus_hub.api.doctor.database import NOT_ASKED, all_unknown, database
from periplus_hub.api.doctor.fleet import NAMES, fleet, members
from periplus_hub.api.doctor.machine import machine
from periplus_hub.api.doctor.processes import processes
from periplus_hub.api.doctor.servers import flow_server
from periplus_hub.embedded_postgres.supervisor import running_urls
from periplus_hub.kit.clock import Clock, SystemClock
from periplus_hub.kit.db import Database, DatabaseLimits
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Refusal

_FEW: Final = DatabaseLimits(name="doctor", readers=2, writers=1)
_START: Final = "Start the hub: its PostgreSQL runs with it."


async def examine(config: HubConfig) -> list[Check]:
    """Changes nothing, and starts nothing."""
    clock, mine = SystemClock(), version("periplus-hub")
    found = await processes(config, clock.now(), mine)
    async with database_of(config, clock) as db:
        found += await _stored(db, config, mine)
    found += await flow_server(config)
    found += await asyncio.to_thread(lambda: list(machine(config, clock.now())))
    return found


async def _stored(db: Database | None, config: HubConfig, mine: str) -> list[Check]:
    if db is None:
        stopped = Check("postgresql", State.FAILED, f"no hub runs in the data folder {config.data_dir}", _START)
        names = ("postgresql-clock", "schema", "role", "connections", "standbys", "leader", *NAMES)
        return [stopped, *all_unknown(names, NOT_ASKED, _START)]
    found = await database(db, config)
    now = db.clock.now()
    try:
        return found + fleet(await members(db, now), mine, now)
    except (*DATABASE_ERRORS, Refusal):
        remedy = "Look at the checks above."
        return found + [unknown(name, NOT_ASKED, remedy) for name in NAMES]


@contextlib.asynccontextmanager
async def database_of(config: HubConfig, clock: Clock) -> AsyncIterator[Database | None]:
    """None where the hub has its own PostgreSQL and does not run."""
    if config.database_url is not None:
        url = config.database_url.get_secret_value()
    else:
        urls = running_urls(config.data_dir)
        if urls is None:
            yield None
            return
        url = urls.hub
    db = Database(url, clock, _FEW)
    try:
        yield db
    finally:
        await db.dispose()
