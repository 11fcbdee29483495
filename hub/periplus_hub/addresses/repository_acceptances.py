"""Writing acceptances, and which hold."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses import tables
from periplus_hub.addresses.model import Acceptance
from periplus_hub.kit.db import ReadConnection, WriteConnection

_TABLE = tables.overlap_acceptances


async def add_acceptance(c: WriteConnection, scope: Scope, acceptance: Acceptance) -> None:
    """Store a new one."""
    names: Sequence[str] = ("id", "cidr", "reason", "accepted_by", "expires_at", "created_at")
    await c.execute(insert_owned(scope, _TABLE).values(**{name: getattr(acceptance, name) for name in names}))


async def mark_withdrawn(c: WriteConnection, scope: Scope, acceptance_id: UUID, now: datetime) -> bool:
    """Withdraw one that was not withdrawn yet; False when there is none."""
    statement = update(_TABLE).where(
        owned(scope, _TABLE), _TABLE.c.id == acceptance_id, _TABLE.c.withdrawn_at.is_(None)
    )
    return (await c.execute(statement.values(withdrawn_at=now))).rowcount > 0


async def accepted_cidrs(c: ReadConnection, scope: Scope, now: datetime) -> frozenset[str]:
    """Roots with an acceptance in force."""
    statement = select(func.text(_TABLE.c.cidr).label("cidr")).where(
        owned(scope, _TABLE), _TABLE.c.withdrawn_at.is_(None), _TABLE.c.expires_at > now
    )
    return frozenset(row.cidr for row in await c.rows(statement))
