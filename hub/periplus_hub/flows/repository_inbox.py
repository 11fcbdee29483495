"""SQL of the inbox: what is accepted and not in the flow store yet."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Table, func, literal, select, text, union_all, update

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.flows.model import FlowRows, Member, Waiting
from periplus_hub.flows.repository_coverage import note_coverage
from periplus_hub.flows.tables import RING, blocks, inboxes, ring
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.ids import new_id

_MEMBER: Final = ("id", "registration_id", "epoch", "seq", "body")
_WAITING: Final = ("id", "day", "rows", "first_window", "last_window")
_SIZE: Final = text(
    "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
    " WHERE relname LIKE 'flow\\_inbox\\__' AND relnamespace = current_schema()::regnamespace"
)
_ROWS_BYTES: Final = text(
    "SELECT sum(pg_relation_size(oid)) FROM pg_class"
    " WHERE relname LIKE 'flow\\_inbox\\__' AND relnamespace = current_schema()::regnamespace"
)


async def accept(
    c: WriteConnection, scope: Scope, owner: UUID, accepted: Sequence[tuple[DecodedBatch, FlowRows]]
) -> None:
    """Keep batches of the tenant until the flow store has them; `owner` is the process that will see to it.

    The turn of the ring is held until the commit: after it, nobody writes into an inbox that it left.
    """
    active = int(await c.scalar(select(ring.c.active).with_for_update(read=True)))
    rows = [
        {
            "id": new_id(),
            "owner": owner,
            "registration_id": batch.registration_id,
            "epoch": batch.epoch,
            "seq": batch.header.seq,
            "day": day.day,
            "rows": day.rows,
            "first_window": day.first_window,
            "last_window": day.last_window,
            "body": day.body,
        }
        for batch, found in accepted
        for day in found.days
    ]
    if rows:
        await c.execute(insert_owned(scope, inboxes[active], rows))
    await note_coverage(c, scope, accepted)


async def waiting(c: ReadConnection, scope: Scope, owners: Sequence[UUID]) -> list[Waiting]:
    """What these processes took, and no block has."""
    held = select(func.unnest(blocks.c.members)).where(owned(scope, blocks), func.cardinality(blocks.c.members) > 0)

    def of(number: int, table: Table) -> Select[Any]:
        mine = (owned(scope, table), one_of(table.c.owner, owners), table.c.id.not_in(held))
        return select(literal(number).label("inbox"), *(table.c[name] for name in _WAITING)).where(*mine)

    rows = await c.rows(union_all(*(of(number, table) for number, table in enumerate(inboxes))))
    return [Waiting(**row._mapping) for row in rows]


async def members(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> list[Member]:
    """These rows of the inbox, in the order of `ids`; those that are gone are missing."""

    def of(table: Table) -> Select[Any]:
        return select(*(table.c[name] for name in _MEMBER)).where(owned(scope, table), one_of(table.c.id, ids))

    rows = await c.rows(union_all(*map(of, inboxes)))
    by_id = {row.id: Member(**row._mapping) for row in rows}
    return [by_id[each] for each in ids if each in by_id]


async def held_in(c: ReadConnection, scope: Scope, number: int) -> list[UUID]:
    """The tenant's rows in one inbox of the ring."""
    table = inboxes[number]
    return [row.id for row in await c.rows(select(table.c.id).where(owned(scope, table)))]


async def system_inbox_bytes(c: ReadConnection) -> int:
    """How much disk the inboxes take, whosever rows they hold."""
    return int(await c.scalar(_SIZE) or 0)


async def system_is_empty(c: ReadConnection) -> bool:
    """Whether no inbox has had a row since it was emptied."""
    return not await c.scalar(_ROWS_BYTES)


async def system_turn(c: ReadConnection) -> int:
    """Which inbox takes what comes."""
    return int(await c.scalar(select(ring.c.active)))


async def system_next_turn(c: WriteConnection) -> None:
    """The next inbox takes what comes. Waits for those who write into the present one."""
    number = ring.c.number + 1
    await c.execute(update(ring).values(number=number, active=number % RING, since=func.now()))


async def system_empty(c: WriteConnection, number: int) -> None:
    """Forget what is in an inbox that takes nothing: the flow store has it, or there is nothing.

    It waits for nobody, and raises a timeout: behind one who waits for a backup to end, all who read would queue.
    """
    await c.execute(text("SET LOCAL lock_timeout = '100ms'"))
    await c.execute(text(f"TRUNCATE {inboxes[number].name}"))
