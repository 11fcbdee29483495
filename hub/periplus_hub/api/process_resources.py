"""Everything a hub process holds while it runs, opened in order and closed in reverse."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import structlog

from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_browser import BrowserSignIn
from periplus_hub.access.service_people import People
from periplus_hub.access.service_refusal_trail import RefusalTrail
from periplus_hub.access.service_sessions import Sessions
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.config import HubConfig
from periplus_hub.api.database_pools import Databases, open_databases
from periplus_hub.api.database_trouble import OWNERS_URL, naming_the_database
from periplus_hub.fleet.service_authentication import SpokeAuthenticator
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.inventory.repository_machines import machines_by_registration
from periplus_hub.kit.clock import Clock, SystemClock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db_errors import is_store_trouble
from periplus_hub.kit.db_urls import Urls
from periplus_hub.kit.event_bridge import EventBridge
from periplus_hub.kit.events import Events
from periplus_hub.kit.logs import expect
from periplus_hub.kit.migrate import check_schema, upgrade
from periplus_hub.kit.roles import owning_role, role_at, unbound_role
from periplus_hub.kit.tasks import beside

_A_ROLE_OF_ITS_OWN: Final = (
    "Give the hub a role that is no superuser and has no BYPASSRLS, and migrate as the owner: see docs/operate."
)
_ANOTHER_OWNER: Final = (
    "Make a role that owns nothing for PERIPLUS_DATABASE_URL, and run 'periplus hub migrate' with the owner's in "
    "PERIPLUS_MIGRATION_DATABASE_URL: see docs/operate/database."
)
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Resources:
    """Shared by listeners and jobs."""

    config: HubConfig
    urls: Urls
    clock: Clock
    databases: Databases
    events: Events
    refusals: RefusalTrail
    authenticator: Authenticator
    browsers: BrowserSignIn | None
    spoke_authenticator: SpokeAuthenticator
    enrolment: Enrolment
    columns: ColumnStore


async def migrated(urls: Urls) -> None:
    """Bring the schema up to date, as its owner, and let the hub's role use it."""
    with naming_the_database():
        role = await role_at(urls.hub)
    with naming_the_database(OWNERS_URL):
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
    enrolment = Enrolment(databases.enrolment, events, machines_by_registration)
    columns = ColumnStore(
        config.flow_store, memory_bytes=config.flow_store_memory_bytes, cluster=config.flow_store_cluster
    )
    try:
        with naming_the_database():
            await check_schema(databases.questions)
            await enrolment.hub_id()
            await ensure_default_tenant(databases.questions)
        async with beside(EventBridge(databases.jobs, events).run()):
            refusals = RefusalTrail(databases.doors)
            people = People.of(databases.doors, config)
            yield Resources(
                config=config,
                urls=urls,
                clock=clock,
                databases=databases,
                events=events,
                refusals=refusals,
                authenticator=Authenticator(databases.doors, refusals.note, people),
                browsers=_browsers(config, people, refusals),
                spoke_authenticator=SpokeAuthenticator(databases.doors),
                enrolment=enrolment,
                columns=columns,
            )
    finally:
        await columns.close()
        await databases.dispose()


def _browsers(config: HubConfig, people: People | None, refusals: RefusalTrail) -> BrowserSignIn | None:
    if people is None:
        return None
    return BrowserSignIn.of(Sessions(people.db, people, config.session_limits, refusals.note), config, config)


async def past_row_security(resources: Resources) -> dict[str, str]:
    """For /readyz, and said in the log: the role for which the database does not keep tenants apart."""
    role = await unbound_role(resources.databases.questions)
    if role is None:
        await _warn_of_the_owner(resources)
        return {}
    why = f"row-level security does not bind {role!r} in PERIPLUS_DATABASE_URL: it is superuser or has BYPASSRLS"
    _log.warning("row_security_not_in_force", reason=why, remedy=_A_ROLE_OF_ITS_OWN)
    return {"row_security": why}


async def _warn_of_the_owner(resources: Resources) -> None:
    """It is bound, but one statement of its own could end that. The embedded server has two roles."""
    if role := await owning_role(resources.databases.questions):
        why = f"{role!r} in PERIPLUS_DATABASE_URL owns the tables: it could lift the row-level security that binds it"
        _log.warning("row_security_can_be_lifted", reason=why, remedy=_ANOTHER_OWNER)
