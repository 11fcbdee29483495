"""Everything a hub process holds while it runs, opened in order and closed in reverse."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_refusals import Refusals
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.config import HubConfig
from periplus_hub.api.databases import Databases, open_databases
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.fleet.service_gate import SpokeGate
from periplus_hub.kit.clock import Clock, SystemClock
from periplus_hub.kit.db_errors import (
    DATABASE_ERRORS,
    first_cause,
    is_connection_trouble,
    is_login_refused,
    is_no_database,
    is_store_trouble,
)
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.event_bridge import EventBridge
from periplus_hub.kit.events import Events
from periplus_hub.kit.logs import expect
from periplus_hub.kit.migrate import check_schema, upgrade
from periplus_hub.kit.tasks import beside


@dataclass(frozen=True, slots=True)
class Resources:
    """Shared by listeners and jobs."""

    config: HubConfig
    clock: Clock
    databases: Databases
    events: Events
    refusals: Refusals
    authenticator: Authenticator
    spoke_gate: SpokeGate
    enrolment: Enrolment


@contextlib.contextmanager
def naming_the_database() -> Iterator[None]:
    """Say to who starts a hub what keeps it from its database; the driver's text names no password."""
    try:
        yield
    except (*DATABASE_ERRORS, Unavailable) as error:
        remedy = _remedy(error)
        if not remedy:
            raise
        raise Unavailable(f"the database cannot be used: {first_cause(error)}", remedy) from error


def _remedy(error: BaseException) -> str:
    """Empty for what is no trouble with reaching the database."""
    if is_login_refused(error):
        return "Correct the user and password in PERIPLUS_DATABASE_URL, or let pg_hba.conf admit them."
    if is_no_database(error):
        return "Create it with 'createdb', or name another in PERIPLUS_DATABASE_URL."
    if isinstance(error, Unavailable) or is_connection_trouble(error):
        return "Check that PostgreSQL runs and takes connections, and the host and port in PERIPLUS_DATABASE_URL."
    return ""


async def migrated(url: str) -> None:
    """Bring the schema up to date."""
    with naming_the_database():
        await upgrade(url)


@contextlib.asynccontextmanager
async def open_resources(config: HubConfig, url: str) -> AsyncIterator[Resources]:
    """Schema, pools and the services on the store at `url`. An embedded store is migrated, another only checked."""
    if config.embedded:
        await migrated(url)
    expect(is_store_trouble)
    clock = SystemClock()
    databases = open_databases(url, clock, config)
    events = Events()
    try:
        with naming_the_database():
            await check_schema(databases.questions)
            await ensure_default_tenant(databases.questions)
        async with beside(EventBridge(databases.jobs, events).run()):
            refusals = Refusals(databases.doors)
            yield Resources(
                config=config,
                clock=clock,
                databases=databases,
                events=events,
                refusals=refusals,
                authenticator=Authenticator(databases.doors, refusals.note),
                spoke_gate=SpokeGate(databases.doors),
                enrolment=Enrolment(databases.enrolment, events),
            )
    finally:
        await databases.dispose()
