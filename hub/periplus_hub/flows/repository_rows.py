"""Statements about raw rows in the flow store."""

from collections.abc import Sequence
from datetime import UTC, datetime
from string import Template
from typing import Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import DAY_S, HOUR_S, Block, BlockTwice, day_of
from periplus_hub.flows.repository_partitions import drop_partition, partitions, sizes
from periplus_hub.kit.column_store import ColumnStore

LANE: Final = "loader"
_COUNT: Final = (
    "SELECT count() AS n FROM flows"
    " WHERE block = {block:UInt64} AND window_start BETWEEN {first:UInt32} AND {last:UInt32}"
)
_COUNTS: Final = (
    "SELECT block, count() AS n FROM flows WHERE block IN {blocks:Array(UInt64)}"
    " AND window_start BETWEEN {first:UInt32} AND {last:UInt32} GROUP BY block"
)
_DELETE: Final = Template("DELETE FROM $flows WHERE block = {block:UInt64}")
_BLOCKS: Final = (
    "SELECT block, toUnixTimestamp(min(window_start)) AS first_window,"
    " toUnixTimestamp(max(window_start)) AS last_window FROM flows WHERE window_start >= {since:UInt32} GROUP BY block"
)
_BATCH: Final = "registration, epoch, seq, toDate(window_start)"
"""What a block holds whole: a batch's rows of one day."""
_ELSEWHERE: Final = Template(
    "($batch) GLOBAL IN (SELECT $batch FROM flows WHERE block NOT IN {unknown:Array(UInt64)}"
    " AND window_start >= {since:UInt32} AND ($batch) GLOBAL IN"
    " (SELECT $batch FROM flows WHERE block IN {unknown:Array(UInt64)} AND window_start >= {since:UInt32}))"
).substitute(batch=_BATCH)
_TWICE: Final = Template("""
    SELECT block, toUnixTimestamp(minIf(window_start, is_elsewhere)) AS first_window,
      toUnixTimestamp(maxIf(window_start, is_elsewhere)) AS last_window, min(is_elsewhere) AS is_all
    FROM (SELECT block, window_start, $elsewhere AS is_elsewhere FROM flows
      WHERE block IN {unknown:Array(UInt64)} AND window_start >= {since:UInt32})
    GROUP BY block HAVING max(is_elsewhere) ORDER BY block
""").substitute(elsewhere=_ELSEWHERE)
_BATCHES_TWICE: Final = Template(
    "SELECT DISTINCT toString(registration) AS registrations, toString(epoch) AS epochs, seq AS seqs FROM flows"
    " WHERE block = {block:UInt64} AND $elsewhere ORDER BY ALL"
).substitute(elsewhere=_ELSEWHERE)
_DELETE_BATCHES: Final = Template(
    "DELETE FROM $flows WHERE block = {block:UInt64} AND has(arrayZip({registrations:Array(UUID)},"
    " {epochs:Array(UUID)}, {seqs:Array(UInt64)}), (registration, epoch, seq))"
)
_BATCHES_AT_ONCE: Final = 100
"""They are parameters of a request, which a server reads from its URL."""
_COUNTS_BY_DAY: Final = "SELECT toYYYYMMDD(window_start) AS partition, count() AS n FROM flows GROUP BY partition"
"""Of rows that are spread: one server does not know the sizes of all."""


async def insert(scope: Scope, store: ColumnStore, block: Block, rows: pa.Table) -> None:
    """Send a block's rows. That it returns is no proof that they are there: `count` is."""
    await store.insert(scope, "flows", rows, token=block.token, lane=LANE)


async def count(scope: Scope, store: ColumnStore, block: Block) -> int:
    """How many rows of the block the store has."""
    given = {"block": block.id, "first": block.first_window, "last": block.last_window}
    found = await store.query(scope, _COUNT, given, lane=LANE)
    return int(found.column("n")[0].as_py())


async def counts(scope: Scope, store: ColumnStore, blocks: Sequence[Block]) -> dict[int, int]:
    """How many rows of each of these blocks the store has; those without rows are missing."""
    given = {
        "blocks": [each.id for each in blocks],
        "first": min(each.first_window for each in blocks),
        "last": max(each.last_window for each in blocks),
    }
    found = await store.query(scope, _COUNTS, given, lane=LANE)
    return dict(zip(found.column("block").to_pylist(), found.column("n").to_pylist(), strict=True))


async def delete(scope: Scope, store: ColumnStore, block_id: int) -> None:
    """Remove what the store has of a block."""
    statement = _DELETE.substitute(flows=store.own_rows("flows"))
    await store.command(scope, statement, {"block": block_id}, lane=LANE)


async def blocks_since(scope: Scope, store: ColumnStore, since_s: int) -> dict[int, tuple[int, int]]:
    """The blocks that the store has rows of since then, each with its first and last window."""
    found = await store.query(scope, _BLOCKS, {"since": since_s}, lane=LANE)
    blocks, first, last = (found.column(name).to_pylist() for name in ("block", "first_window", "last_window"))
    return dict(zip(blocks, zip(first, last, strict=True), strict=True))


async def told_twice(scope: Scope, store: ColumnStore, unknown: Sequence[int], since_s: int) -> list[BlockTwice]:
    """Of blocks that are not known those of which others have the same batches and days."""
    found = await store.query(scope, _TWICE, {"unknown": list(unknown), "since": since_s}, lane=LANE)
    return [
        BlockTwice(
            id=row["block"],
            first_window=row["first_window"],
            last_window=row["last_window"],
            is_all=bool(row["is_all"]),
        )
        for row in found.to_pylist()
    ]


async def delete_twice(scope: Scope, store: ColumnStore, block: BlockTwice, unknown: Sequence[int]) -> None:
    """Remove what others have of it. A block is of one day, and so are its batches."""
    given = {"block": block.id, "unknown": list(unknown), "since": day_of(block.first_window)}
    found = await store.query(scope, _BATCHES_TWICE, given, lane=LANE)
    statement = _DELETE_BATCHES.substitute(flows=store.own_rows("flows"))
    for first in range(0, found.num_rows, _BATCHES_AT_ONCE):
        some = found.slice(first, _BATCHES_AT_ONCE)
        batches = {name: some.column(name).to_pylist() for name in some.column_names}
        await store.command(scope, statement, {"block": block.id, **batches}, lane=LANE)


async def rows_by_day(scope: Scope, store: ColumnStore) -> dict[int, int]:
    """How many raw rows of each day since 1970 the store has at most: those that are deleted go with time."""
    if not store.is_cluster:
        return {_day_of(each): rows for each, rows in (await sizes(scope, store, "flows")).items()}
    found = await store.query(scope, _COUNTS_BY_DAY, lane=LANE)
    partitions, rows = (found.column(name).to_pylist() for name in ("partition", "n"))
    return {_day_of(each): count for each, count in zip(partitions, rows, strict=True)}


async def edges_by_hour(scope: Scope, store: ColumnStore) -> dict[int, int]:
    """How many edges of each hour the store has."""
    return await sizes(scope, store, "edges_hourly")


async def drop_before(scope: Scope, store: ColumnStore, before_s: int) -> int:
    """Forget the raw rows of whole days before a time; returns how many days that were."""
    limit = int(datetime.fromtimestamp(day_of(before_s), UTC).strftime("%Y%m%d"))
    old = [each for each in await partitions(scope, store, "flows") if each < limit]
    for partition in old:
        await drop_partition(scope, store, store.own_rows("flows"), partition)
    return len(old)


async def drop_hours_before(scope: Scope, store: ColumnStore, before_s: int) -> None:
    """Forget the edges and identities of hours before a time."""
    for table in ("edges_hourly", "flow_identities"):
        for partition in await partitions(scope, store, table):
            if partition + HOUR_S <= before_s:
                await drop_partition(scope, store, table, partition)


def _day_of(partition: int) -> int:
    return int(datetime.strptime(str(partition), "%Y%m%d").replace(tzinfo=UTC).timestamp()) // DAY_S
