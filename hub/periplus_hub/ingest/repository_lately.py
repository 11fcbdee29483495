"""What came in lately, for whoever looks after spokes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, select, true

from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, owned
from periplus_hub.ingest.model import Sent
from periplus_hub.ingest.tables import batches
from periplus_hub.kit.db import ReadConnection

MOST: Final = 64
"""Batches of one registration that are looked at."""
_OF_NOW: Final = (Kind.INVENTORY.value, Kind.IPAM.value)
"""Kinds whose window is when they were made: never folded."""


async def sent_lately(
    c: ReadConnection, scope: Scope, registration_ids: Sequence[UUID], since: datetime
) -> dict[UUID, list[Sent]]:
    """The newest batches of each of these that arrived after `since`, in the order of their arrival."""
    ids = bindparam("ids", list(registration_ids), type_=ARRAY(Uuid))
    asked = select(func.unnest(ids).label("id")).subquery("asked")
    mine = (owned(scope, batches), batches.c.registration_id == asked.c.id, batches.c.kind.in_(_OF_NOW))
    newest = (
        select(batches.c.epoch, batches.c.window_start, batches.c.received_at)
        .where(*mine, batches.c.received_at > since)
        .order_by(batches.c.received_at.desc())
        .limit(MOST)
        .lateral("newest")
    )
    found: dict[UUID, list[Sent]] = {each: [] for each in registration_ids}
    statement = select(asked.c.id, *newest.c).select_from(asked.join(newest, true())).order_by(newest.c.received_at)
    for row in await c.rows(statement):
        sent = Sent(epoch=row.epoch, window_start_s=row.window_start, received_at=row.received_at)
        found[row.id].append(sent)
    return found
