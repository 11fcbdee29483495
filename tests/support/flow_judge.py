"""Holds what a hub has of a teller's batches against what was told: nothing lost, twice, or settled early."""

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, union_all

from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_blocks, repository_days, repository_inbox
from periplus_hub.flows.tables import inboxes, loaders
from periplus_hub.ingest.tables import batches, outcomes
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.flow_hub import MEMORY_BYTES
from tests.support.flow_teller import Teller, Told, too_early

_RAW: Final = "SELECT seq, count() AS n, sum(bytes_tx) AS tx, sum(bytes_rx) AS rx FROM flows GROUP BY seq"
_EDGES: Final = (
    "SELECT toUnixTimestamp(hour) AS hour, sum(bytes_tx) AS tx, sum(bytes_rx) AS rx FROM edges_hourly GROUP BY hour"
)
_DAYS: Final = "SELECT sum(bytes_tx) AS tx, sum(bytes_rx) AS rx FROM edges_daily"


@dataclass(frozen=True)
class Found:
    """What PostgreSQL and the flow store have."""

    received: Mapping[int, datetime]
    """When each batch of the ledger came."""
    waiting: Collection[int]
    """Batches in the inbox."""
    booked: tuple[int, int]
    """Rows that the accounting has as collected, and as settled."""
    rows: Mapping[int, tuple[int, int, int]]
    """Raw rows of each batch, and their bytes."""
    edges: Mapping[int, tuple[int, int]]
    """Bytes of the edges of each hour."""
    days: tuple[int, int]
    """Bytes of the edges of all days."""


async def look(db: Database, scope: Scope, store_url: str) -> Found:
    """Both at rest, or with nothing left to do."""
    async with db.read(scope) as c:
        received = await c.rows(select(batches.c.seq, batches.c.received_at))
        waiting = await c.rows(union_all(*(select(table.c.seq) for table in inboxes)))
        sums = select(func.sum(outcomes.c.collected).label("collected"), func.sum(outcomes.c.settled).label("settled"))
        booked = await c.one_or_none(sums.where(outcomes.c.kind == Kind.FLOWS.value))
    store = ColumnStore(store_url, memory_bytes=MEMORY_BYTES)
    try:
        rows = (await store.query(scope, _RAW)).to_pylist()
        edges = (await store.query(scope, _EDGES)).to_pylist()
        [days] = (await store.query(scope, _DAYS)).to_pylist()
    finally:
        await store.close()
    return Found(
        received={row.seq: row.received_at for row in received},
        waiting={row.seq for row in waiting},
        booked=(0, 0) if booked is None else (int(booked.collected or 0), int(booked.settled or 0)),
        rows={row["seq"]: (row["n"], row["tx"], row["rx"]) for row in rows},
        edges={row["hour"]: (row["tx"], row["rx"]) for row in edges},
        days=(days["tx"] or 0, days["rx"] or 0),
    )


def wrongs(teller: Teller, found: Found, open_seqs: Collection[int], settle_after: timedelta) -> Iterator[str]:
    """In words. Batches of `open_seqs` may be anywhere on their way, but whole, and once."""
    for batch in teller.told:
        yield from _of_batch(batch, found, batch.seq in open_seqs)
    if strangers := sorted(found.rows.keys() - {batch.seq for batch in teller.told}):
        yield f"rows of batches that nobody sent: {strangers}"
    yield from _of_edges(teller, found, open_seqs)
    ledger = sum(batch.booked for batch in teller.told if batch.seq in found.received)
    if found.booked != (ledger, ledger):
        yield f"{found.booked} rows are booked as collected and settled, and the ledger has {ledger}"
    yield from too_early(teller.watermarks, dict(found.received), settle_after)


def wrong_days(teller: Teller, found: Found, midnight: int) -> Iterator[str]:
    """Once every day that is over was made."""
    over = [batch for batch in teller.told if batch.hour < midnight]
    if found.days != (wanted := _sums(over)):
        yield f"days have {found.days} bytes, not {wanted}"


def _of_batch(batch: Told, found: Found, is_open: bool) -> Iterator[str]:
    if batch.is_known and batch.seq not in found.received:
        yield f"batch {batch.seq} was accepted and is not in the ledger"
    stored = found.rows.get(batch.seq)
    if stored == (batch.rows, batch.tx, batch.rx):
        return
    is_on_its_way = batch.seq in found.waiting or (batch.seq not in found.received and not batch.is_known)
    if stored is not None:
        yield f"batch {batch.seq} has {stored} rows and bytes, not {(batch.rows, batch.tx, batch.rx)}"
    elif not (is_open and is_on_its_way):
        yield f"batch {batch.seq} is not in the store{'' if is_on_its_way else ', nor on its way'}"


def _of_edges(teller: Teller, found: Found, open_seqs: Collection[int]) -> Iterator[str]:
    """An hour's edges are those of all its rows, with or without each batch that is on its way."""
    hours = {batch.hour for batch in teller.told} | found.edges.keys()
    for hour in sorted(hours):
        of_hour = [batch for batch in teller.told if batch.hour == hour]
        fixed = [batch for batch in of_hour if batch.seq not in open_seqs]
        left = [batch for batch in of_hour if batch.seq in open_seqs]
        may_be = {
            _sums([*fixed, *some]) for size in range(len(left) + 1) for some in itertools.combinations(left, size)
        }
        if found.edges.get(hour, (0, 0)) not in may_be:
            yield f"edges of the hour {hour} have {found.edges.get(hour)} bytes, not one of {sorted(may_be)}"


def _sums(told: Collection[Told]) -> tuple[int, int]:
    return sum(batch.tx for batch in told), sum(batch.rx for batch in told)


async def is_done(db: Database, scope: Scope) -> bool:
    """Nothing waits, in blocks or hours."""
    async with db.read(NO_TENANT) as c:
        everybody = [row.id for row in await c.rows(select(loaders.c.id))]
    async with db.read(scope) as c:
        waiting = await repository_inbox.waiting(c, scope, everybody)
        open_blocks = await repository_blocks.open_blocks(c, scope, everybody)
        return not waiting and not open_blocks and not await repository_blocks.dirty_hours(c, scope, 0)


async def has_dirty_days(db: Database, scope: Scope) -> bool:
    """Whether a day that is over is to be made."""
    async with db.read(scope) as c:
        return bool(await repository_days.dirty_days(c, scope, int(db.clock.now().timestamp())))
