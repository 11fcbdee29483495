"""SQL of blocks, the processes that load them, and the hours they touch."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.flows.model import Block, DirtyHour, Waiting
from periplus_hub.flows.repository_days import touch_day
from periplus_hub.flows.tables import blocks, days, hours, inboxes, loaders
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection

_NAMED: Final = "named"
LOADED: Final = "loaded"


class LeaseLost(Exception):
    """Another process loads what this one took: it was silent for longer than its lease."""


async def name_block(c: WriteConnection, scope: Scope, owner: UUID, block_id: int, rows: Sequence[Waiting]) -> Block:
    """A block of these rows of the inbox, before anything of it is sent. Raises LeaseLost."""
    await _hold_lease(c, owner)
    block = Block(
        id=block_id,
        rows=sum(each.rows for each in rows),
        first_window=min(each.first_window for each in rows),
        last_window=max(each.last_window for each in rows),
        members=tuple(each.id for each in rows),
    )
    values = {
        "id": block.id,
        "owner": owner,
        "state": _NAMED,
        "rows": block.rows,
        "day": rows[0].day,
        "first_window": block.first_window,
        "last_window": block.last_window,
        "members": list(block.members),
        "named_at": func.now(),
    }
    await c.execute(insert_owned(scope, blocks, values))
    return block


async def note_attempt(c: WriteConnection, scope: Scope, block: Block) -> None:
    """Which attempt comes next, before it is made."""
    mine = (owned(scope, blocks), blocks.c.id == block.id)
    await c.execute(update(blocks).where(*mine).values(attempt=block.attempt))


async def note_loaded(c: WriteConnection, scope: Scope, owner: UUID, block: Block) -> None:
    """The store has the block's rows; the hours they are of have to be made anew. Raises LeaseLost."""
    await _hold_lease(c, owner)
    await c.execute(update(blocks).where(owned(scope, blocks), blocks.c.id == block.id).values(state=LOADED))
    await touch(c, scope, block.hours, raw=True)


async def touch(c: WriteConnection, scope: Scope, touched: Iterable[int], *, raw: bool) -> None:
    """These hours have other rows than before (`raw`), or other identities."""
    column = "raw_version" if raw else "identity_version"
    rows = [{"tenant_id": scope.tenant_id, "hour": hour, column: 1} for hour in touched]
    if rows:
        statement = upsert(hours).values(rows)
        changed = {column: hours.c[column] + 1}
        await c.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "hour"], set_=changed))


async def touch_known(c: WriteConnection, scope: Scope, first_s: int, last_s: int) -> None:
    """Hours that have rows and lie in [first, last] have other identities than before."""
    within = (hours.c.hour > first_s - 3_600, hours.c.hour <= last_s)
    values = {"identity_version": hours.c.identity_version + 1}
    await c.execute(update(hours).where(owned(scope, hours), *within).values(values))


async def dirty_hours(c: ReadConnection, scope: Scope, since_s: int) -> list[DirtyHour]:
    """Hours whose edges are not those of their rows and identities, newest first; since `since_s` all rows are kept.

    An hour that lost some of its rows keeps its edges as they are.
    """
    current = hours.c
    stale = or_(
        current.rolled_raw.is_distinct_from(current.raw_version),
        current.rolled_identity.is_distinct_from(current.identity_version),
    )
    columns = (current.hour, current.raw_version, current.identity_version)
    can_be = and_(current.hour >= since_s, or_(~current.raw_lost, current.rolled_raw.is_(None)))
    statement = select(*columns).where(owned(scope, hours), stale, can_be)
    return [DirtyHour(**row._mapping) for row in await c.rows(statement.order_by(current.hour.desc()))]


async def note_rolled(c: WriteConnection, scope: Scope, hour: DirtyHour, edges: int) -> None:
    """The hour's edges, so many, are made of these versions."""
    versions = {"rolled_raw": hour.raw_version, "rolled_identity": hour.identity_version}
    values = {**versions, "rolled_at": func.now(), "edges": edges, "made": hours.c.made + 1}
    await c.execute(update(hours).where(owned(scope, hours), hours.c.hour == hour.hour).values(values))
    await touch_day(c, scope, hour.hour)


async def has_hours(c: ReadConnection, scope: Scope) -> bool:
    """Whether the tenant ever had a row in the flow store of which something is not forgotten yet."""
    return bool(await c.scalar(select(or_(*(exists().where(owned(scope, table)) for table in (hours, days))))))


async def forget_before(c: WriteConnection, scope: Scope, raw_s: int) -> None:
    """The store has no raw rows before then."""
    done = (blocks.c.state == LOADED, blocks.c.last_window < raw_s, func.cardinality(blocks.c.members) == 0)
    await c.execute(delete(blocks).where(owned(scope, blocks), *done))


async def open_blocks(c: ReadConnection, scope: Scope, owners: Sequence[UUID]) -> list[Block]:
    """Named blocks of these processes of which it is not known whether the store has them."""
    mine = (owned(scope, blocks), blocks.c.state != LOADED, one_of(blocks.c.owner, owners))
    return [_block(row) for row in await c.rows(select(blocks).where(*mine).order_by(blocks.c.id))]


async def blocks_holding(c: ReadConnection, scope: Scope) -> list[tuple[Block, bool]]:
    """Blocks whose members the inbox still has, and whether each is loaded."""
    held = (owned(scope, blocks), func.cardinality(blocks.c.members) > 0)
    return [(_block(row), row.state == LOADED) for row in await c.rows(select(blocks).where(*held))]


async def only_in_store(c: ReadConnection, scope: Scope, day: int) -> list[Block]:
    """Blocks of a day that nobody else has any more: the inbox forgot their rows."""
    alone = (blocks.c.state == LOADED, func.cardinality(blocks.c.members) == 0, blocks.c.day == day)
    return [_block(row) for row in await c.rows(select(blocks).where(owned(scope, blocks), *alone))]


async def known_among(c: ReadConnection, scope: Scope, ids: Sequence[int]) -> set[int]:
    """Which of these blocks were named."""
    rows = await c.rows(select(blocks.c.id).where(owned(scope, blocks), one_of(blocks.c.id, ids)))
    return {row.id for row in rows}


async def doubt(c: WriteConnection, scope: Scope, ids: Sequence[int]) -> None:
    """It is not known any more whether the store has these blocks."""
    await c.execute(update(blocks).where(owned(scope, blocks), one_of(blocks.c.id, ids)).values(state=_NAMED))


async def forget_members(c: WriteConnection, scope: Scope) -> None:
    """Of loaded blocks whose rows the inbox does not have any more. All rows of a block go with one inbox."""
    first = blocks.c.members[1]
    held = [exists().where(owned(scope, table), table.c.id == first) for table in inboxes]
    gone = (owned(scope, blocks), func.cardinality(blocks.c.members) > 0, blocks.c.state == LOADED, ~or_(*held))
    await c.execute(update(blocks).where(*gone).values(members=[]))


async def system_renew(c: WriteConnection, owner: UUID, store: str, lease_s: float) -> None:
    """This process loads what it took, for so long; raises LeaseLost when another took over."""
    until = func.now() + timedelta(seconds=lease_s)
    statement = upsert(loaders).values(id=owner, store=store, lease_until=until)
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_={"lease_until": until}, where=loaders.c.heir.is_(None)
    )
    if (await c.execute(statement)).rowcount == 0:
        raise LeaseLost


async def system_rivals(c: ReadConnection, store: str) -> int:
    """How many processes load into other stores than this one at present."""
    live = (loaders.c.heir.is_(None), loaders.c.lease_until > func.now(), loaders.c.store != store)
    return int(await c.scalar(select(func.count()).select_from(loaders).where(*live)) or 0)


async def system_inherit(c: WriteConnection, owner: UUID, store: str) -> list[UUID]:
    """Take over from processes whose lease is over; returns whose rows are ours to load.

    Those who had our embedded store are dead for sure, because we have its folder.
    """
    dead = or_(loaders.c.lease_until < func.now(), and_(loaders.c.store == store, loaders.c.store != ""))
    ended = select(loaders.c.id).where(loaders.c.id != owner, dead)
    # With a dead heir's own, what it had taken over.
    left = or_(loaders.c.heir.is_(None), loaders.c.heir.in_(ended))
    await c.execute(update(loaders).where(loaders.c.id.in_(ended), left).values(heir=owner))
    found = await c.rows(select(loaders.c.id).where(or_(loaders.c.id == owner, loaders.c.heir == owner)))
    return [row.id for row in found]


async def system_end_leases(c: WriteConnection) -> None:
    """None of the processes that this database knows of lives: it was restored."""
    await c.execute(update(loaders).values(lease_until=func.now()))


async def _hold_lease(c: WriteConnection, owner: UUID) -> None:
    """Nobody takes over before this transaction ends."""
    mine = select(loaders.c.id).where(loaders.c.id == owner, loaders.c.heir.is_(None))
    if await c.scalar(mine.with_for_update(read=True)) is None:
        raise LeaseLost


def _block(row: Row[Any]) -> Block:
    return Block(
        id=row.id,
        rows=row.rows,
        first_window=row.first_window,
        last_window=row.last_window,
        members=tuple(row.members),
        attempt=row.attempt,
    )
