"""What came in lately, for whoever looks after spokes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Uuid, select, true

from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, owned
from periplus_hub.ingest.model import RecentBatch
from periplus_hub.ingest.tables import batches
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection

MOST: Final = 64
"""Batches of one registration that are looked at."""


async def recent_batches(
    c: ReadConnection, scope: Scope, registration_ids: Sequence[UUID], since: datetime, kinds: Sequence[Kind]
) -> dict[UUID, list[RecentBatch]]:
    """The newest batches of each of these that arrived after `since`, in the order of their arrival."""
    asked = array_table("asked", {"id": Uuid()}, [registration_ids])
    own = (owned(scope, batches), batches.c.registration_id == asked.c.id, batches.c.kind.in_(kinds))
    newest = (
        select(batches.c.epoch, batches.c.window_start, batches.c.received_at)
        .where(*own, batches.c.received_at > since)
        .order_by(batches.c.received_at.desc())
        .limit(MOST)
        .lateral("newest")
    )
    found: dict[UUID, list[RecentBatch]] = {each: [] for each in registration_ids}
    statement = select(asked.c.id, *newest.c).select_from(asked.join(newest, true())).order_by(newest.c.received_at)
    for row in await c.rows(statement):
        batch = RecentBatch(epoch=row.epoch, window_start_s=row.window_start, received_at=row.received_at)
        found[row.id].append(batch)
    return found
