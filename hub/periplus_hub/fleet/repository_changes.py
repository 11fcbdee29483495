"""Revisions: the word that something changed which addresses collide, in the transaction of the change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import allocation_changes, registrations
from periplus_hub.kit.db import WriteConnection, lock_number

_LOCK: Final = text("SELECT pg_advisory_xact_lock(:number)")


async def record_change(c: WriteConnection, scope: Scope, registration_ids: Sequence[UUID], now: datetime) -> int:
    """Say that these clusters' allocations, domains or states changed; returns the revision, 0 for no clusters.

    Revisions of one tenant are handed out and committed one after the other (the lock holds until commit), so whoever
    sees revision N sees everything below it. Call it last: whoever holds the lock waits for no row.
    """
    # A sequence alone would not do: a transaction with a lower number may commit after one with a higher, and whoever
    # had read the higher would never look at it.
    await c.execute(_LOCK, {"number": lock_number(f"allocation_changes {scope.tenant_id}")})
    ids = list(dict.fromkeys(registration_ids))
    if not ids:
        return 0
    first = {"registration_id": ids[0], "at": now}
    added = insert_owned(scope, allocation_changes).values(**first).returning(allocation_changes.c.revision)
    revision = int(await c.scalar(added))
    if rest := [{"registration_id": each, "at": now, "revision": revision} for each in ids[1:]]:
        await c.execute(insert_owned(scope, allocation_changes), rest)
    return revision


async def record_domain_change(c: WriteConnection, scope: Scope, domain_ids: Sequence[UUID], now: datetime) -> None:
    """Say that the connections of these domains changed. Where no cluster lives in them nothing collides otherwise."""
    active = registrations.c.state == State.ACTIVE.value
    one = select(registrations.c.id).where(owned(scope, registrations), registrations.c.domain_id.in_(domain_ids))
    rows = await c.rows(one.where(active).order_by(registrations.c.id).limit(1))
    await record_change(c, scope, [row.id for row in rows], now)
