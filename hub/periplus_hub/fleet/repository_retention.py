"""Which clusters there are for jobs, and what of the fleet may be forgotten."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select

from periplus_hub.access.scope import Scope, owned, system_scope
from periplus_hub.fleet.tables import agents, credentials, domain_moves, join_tokens, network_domains, registrations
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.purge import Stale
from periplus_hub.kit.tables import metadata


async def system_registrations(
    c: ReadConnection, *, revoked_before: datetime | None = None
) -> list[tuple[Scope, UUID]]:
    """Every registration of every tenant, or those revoked before; with the scope of its tenant."""
    statement = select(registrations.c.tenant_id, registrations.c.id)
    if revoked_before is not None:
        statement = statement.where(registrations.c.revoked_at < revoked_before)
    rows = await c.rows(statement.order_by(registrations.c.tenant_id, registrations.c.id))
    return [(system_scope(row.tenant_id, "job:retention"), row.id) for row in rows]


def rows_of_registration(scope: Scope, registration_id: UUID) -> Sequence[Stale]:
    """All rows of all slices that name the registration, but not the registration itself."""
    return [
        (table, owned(scope, table) & (table.c.registration_id == registration_id))
        for table in metadata.sorted_tables
        if "registration_id" in table.c and "tenant_id" in table.c
    ]


def the_registration(scope: Scope, registration_id: UUID) -> Stale:
    """The registration itself."""
    return registrations, owned(scope, registrations) & (registrations.c.id == registration_id)


def leftovers(scope: Scope, before: datetime) -> Sequence[Stale]:
    """Join tokens that ran out, moves of clusters, and ended domains that nothing speaks of any more."""
    lived = exists().where(owned(scope, registrations), registrations.c.domain_id == network_domains.c.id)
    left = exists().where(owned(scope, domain_moves), domain_moves.c.domain_id == network_domains.c.id)
    return [
        (join_tokens, owned(scope, join_tokens) & (join_tokens.c.expires_at < before)),
        (domain_moves, owned(scope, domain_moves) & (domain_moves.c.left_at < before)),
        (network_domains, owned(scope, network_domains) & (network_domains.c.ended_at < before) & ~or_(lived, left)),
    ]


def silent_agents(scope: Scope, registration_id: UUID, before: datetime) -> Sequence[Stale]:
    """Agents of nodes that were last heard before, whether they ended or their node is gone."""
    return [
        (agents, owned(scope, agents) & (agents.c.registration_id == registration_id) & (agents.c.heard_at < before))
    ]


def expired_credentials(scope: Scope, registration_id: UUID, before: datetime) -> Sequence[Stale]:
    """Those that nobody can use any more."""
    mine = owned(scope, credentials) & (credentials.c.registration_id == registration_id)
    return [(credentials, mine & (credentials.c.expires_at <= before))]
