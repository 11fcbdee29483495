"""Everything a hub process holds while it runs, opened in order and closed in reverse."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

import structlog

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
    is_denied,
    is_login_refused,
    is_no_database,
    is_store_trouble,
)
from periplus_hub.kit.db_urls import Urls
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.event_bridge import EventBridge
from periplus_hub.kit.events import Events
from periplus_hub.kit.logs import expect
from periplus_hub.kit.migrate import check_schema, upgrade
from periplus_hub.kit.roles import role_at, unbound_role
from periplus_hub.kit.tasks import beside

_A_ROLE_OF_ITS_OWN: Final = (
    "Give the hub a role that is no superuser and has no BYPASSRLS, and migrate as the owner: see docs/operate."
)
_URL: Final = "PERIPLUS_DATABASE_URL"
_OWNERS_URL: Final = "PERIPLUS_MIGRATION_DATABASE_URL"
_DENIED: Final = {
    _URL: "Run 'periplus hub migrate': it gives the role its rights.",
    _OWNERS_URL: f"Migrate as the owner of the database: name it in {_OWNERS_URL}.",
}
_log: Final = structlog.get_logger(__name__)


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
def naming_the_database(setting: str = _URL) -> Iterator[None]:
    """Say to who starts a hub what keeps it from its database; the driver's text names no password."""
    try:
        yield
    except (*DATABASE_ERRORS, Unavailable) as error:
        remedy = _remedy(error, setting)
        if not remedy:
            raise
        raise Unavailable(f"the database cannot be used: {first_cause(error)}", remedy) from error


def _remedy(error: BaseException, setting: str) -> str:
    """Empty for what is no trouble with reaching the database."""
    if is_login_refused(error):
        return f"Correct the user and password in {setting}, or let pg_hba.conf admit them."
    if is_denied(error):
        return _DENIED[setting]
    if is_no_database(error):
        return f"Create it with 'createdb', or name another in {setting}."
    if isinstance(error, Unavailable) or is_connection_trouble(error):
        return f"Check that PostgreSQL runs and takes connections, and the host and port in {setting}."
    return ""


async def migrated(urls: Urls) -> None:
    """Bring the schema up to date, as its owner, and let the hub's role use it."""
    with naming_the_database():
        role = await role_at(urls.hub)
    with naming_the_database(_OWNERS_URL):
        await upgrade(urls.owner, role)


@contextlib.asynccontextmanager
async def open_resources(config: HubConfig, urls: Urls) -> AsyncIterator[Resources]:
    """Schema, pools and the services on the store. An embedded store is migrated, another only checked."""
    if config.embedded:
        await migrated(urls)
    expect(is_store_trouble)
    clock = SystemClock()
    databases = open_databases(urls.hub, clock, config)
    events = Events()
    enrolment = Enrolment(databases.enrolment, events)
    try:
        with naming_the_database():
            await check_schema(databases.questions)
            await enrolment.hub_id()
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
                enrolment=enrolment,
            )
    finally:
        await databases.dispose()


async def past_row_security(resources: Resources) -> dict[str, str]:
    """For /readyz, and said in the log: the role for which the database does not keep tenants apart."""
    role = await unbound_role(resources.databases.questions)
    if role is None:
        return {}
    why = f"row-level security does not bind {role!r} in PERIPLUS_DATABASE_URL: it is superuser or has BYPASSRLS"
    _log.warning("row_security_not_in_force", reason=why, remedy=_A_ROLE_OF_ITS_OWN)
    return {"row_security": why}
