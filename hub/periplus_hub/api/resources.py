"""Everything a hub process holds while it runs, opened in order and closed in reverse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from periplus_hub.access.service import Authenticator, ensure_default_tenant
from periplus_hub.api.config import HubConfig
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.fleet.service_gate import SpokeGate
from periplus_hub.kit.clock import Clock, SystemClock
from periplus_hub.kit.db import Database, DatabaseLimits
from periplus_hub.kit.embedded_postgres import EmbeddedPostgres
from periplus_hub.kit.event_bridge import EventBridge
from periplus_hub.kit.events import Events
from periplus_hub.kit.migrate import check_schema, upgrade

_DRIVER: Final = "postgresql+asyncpg://"


@dataclass(frozen=True, slots=True)
class Resources:
    """Shared by listeners and jobs."""

    config: HubConfig
    clock: Clock
    db: Database
    events: Events
    authenticator: Authenticator
    spoke_gate: SpokeGate
    enrolment: Enrolment


@contextlib.asynccontextmanager
async def open_store(config: HubConfig) -> AsyncIterator[str]:
    """The database's URL; with the embedded store, for as long as its server runs."""
    if config.database_url is not None:
        yield driver_url(config.database_url.get_secret_value())
        return
    postgres = EmbeddedPostgres(
        config.data_dir / "postgres", ephemeral=config.ephemeral, account=config.postgres_account
    )
    await postgres.start()
    watch = asyncio.ensure_future(postgres.supervise())
    try:
        yield postgres.url
    finally:
        watch.cancel()
        await postgres.stop()


def driver_url(url: str) -> str:
    """The forms people have in their environment, for our driver."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return _DRIVER + url.removeprefix(scheme)
    return url


@contextlib.asynccontextmanager
async def open_resources(config: HubConfig) -> AsyncIterator[Resources]:
    """Store, schema, pools and the services on them. An embedded store is migrated, another only checked."""
    async with open_store(config) as url:
        clock = SystemClock()
        if config.embedded:
            await upgrade(url)
        limits = DatabaseLimits(readers=config.database_readers, writers=config.database_writers)
        db = Database(url, clock, limits)
        events = Events()
        bridge = None
        try:
            await check_schema(db)
            await ensure_default_tenant(db)
            bridge = asyncio.ensure_future(EventBridge(db, events).run())
            yield Resources(
                config=config,
                clock=clock,
                db=db,
                events=events,
                authenticator=Authenticator(db),
                spoke_gate=SpokeGate(db),
                enrolment=Enrolment(db),
            )
        finally:
            if bridge is not None:
                bridge.cancel()
            await db.dispose()
