"""Statements about raw rows in the flow store."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import DAY_S, HOUR_S, Block
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
_DELETE: Final = "DELETE FROM flows WHERE block = {block:UInt64}"
_PARTITIONS: Final = (
    "SELECT DISTINCT partition FROM system.parts"
    " WHERE active AND database = currentDatabase() AND table = {table:String}"
)


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
    await store.command(scope, _DELETE, {"block": block_id}, lane=LANE)


async def drop_before(scope: Scope, store: ColumnStore, before_s: int) -> int:
    """Forget the raw rows of whole days before a time; returns how many days that were."""
    found = await store.query(scope, _PARTITIONS, {"table": "flows"}, lane=LANE)
    limit = _as_partition(before_s)
    old = [each for each in found.column("partition").to_pylist() if each < limit]
    for partition in old:
        await store.command(scope, f"ALTER TABLE flows DROP PARTITION {int(partition)}", lane=LANE)
    return len(old)


async def drop_hours_before(scope: Scope, store: ColumnStore, before_s: int) -> None:
    """Forget the edges and identities of hours before a time."""
    for table in ("edges_hourly", "flow_identities"):
        found = await store.query(scope, _PARTITIONS, {"table": table}, lane=LANE)
        for partition in map(int, found.column("partition").to_pylist()):
            if partition + HOUR_S <= before_s:
                await store.command(scope, f"ALTER TABLE {table} DROP PARTITION {partition}", lane=LANE)


def _as_partition(time_s: int) -> str:
    return datetime.fromtimestamp(time_s // DAY_S * DAY_S, UTC).strftime("%Y%m%d")
