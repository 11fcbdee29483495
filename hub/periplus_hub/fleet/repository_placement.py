"""Where a cluster that joins again was before."""

from typing import Any

from sqlalchemy import Row, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import network_domains, registrations
from periplus_hub.kit.db import ReadConnection


async def domain_before(c: ReadConnection, scope: Scope, name: str) -> Row[Any] | None:
    """The domain of the last revoked cluster of this name, with that cluster's uid; None when it had only its own."""
    mine = registrations.c.domain_id == network_domains.c.id
    statement = (
        select(network_domains.c.id, network_domains.c.name, network_domains.c.ended_at, registrations.c.cluster_uid)
        .join(registrations, mine & owned(scope, registrations))
        .where(
            owned(scope, network_domains),
            registrations.c.name == name,
            registrations.c.state == State.REVOKED.value,
            ~network_domains.c.implicit,
        )
        .order_by(registrations.c.revoked_at.desc(), registrations.c.id.desc())
        .limit(1)
    )
    return await c.one_or_none(statement)
