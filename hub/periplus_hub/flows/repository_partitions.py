"""Statements about partitions of the flow store: each is made elsewhere and put in place whole, and goes whole."""

from string import Template
from typing import Final

from periplus_hub.access.scope import Scope
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.errors import Unavailable

_COUNT: Final = "SELECT count() AS n FROM {table:Identifier}"
_PARTITIONS: Final = Template(
    "SELECT DISTINCT partition FROM $parts"
    " WHERE active AND database = currentDatabase() AND table IN ({table:String}, concat({table:String}, '_local'))"
)
_SIZES: Final = (
    "SELECT partition, sum(rows) AS n FROM system.parts"
    " WHERE active AND database = currentDatabase() AND table = {table:String} GROUP BY partition"
)
_LANE: Final = "loader"


async def clear(scope: Scope, store: ColumnStore, table: str, *, lane: str) -> None:
    """Before anything is put into a table where a partition is made."""
    await store.command(scope, f"TRUNCATE TABLE {table}", lane=lane)


async def rows_of(scope: Scope, store: ColumnStore, table: str, *, lane: str) -> int:
    """How many rows a table has."""
    return int((await store.query(scope, _COUNT, {"table": table}, lane=lane)).column("n")[0].as_py())


async def replace(
    scope: Scope, store: ColumnStore, table: str, source: str, partition: int, *, rows: int, lane: str
) -> None:
    """At once, so that a reader sees it as it was or as it is. What has nothing cannot replace anything.

    Raises Unavailable if the source has not the rows that were put: then another server answers than took them.
    """
    found = await rows_of(scope, store, source, lane=lane)
    if found != rows:
        raise Unavailable(
            f"the flow store has {found:,} of {rows:,} rows that it was given",
            "Let PERIPLUS_FLOW_STORE_URL lead to one server: statements about one hour need the same one.",
        )
    if rows:
        await store.command(scope, f"ALTER TABLE {table} REPLACE PARTITION {partition} FROM {source}", lane=lane)
    else:
        await store.command(scope, f"ALTER TABLE {table} DROP PARTITION {partition}", lane=lane)


async def partitions(scope: Scope, store: ColumnStore, table: str) -> list[int]:
    """Those of a table, in order."""
    statement = _PARTITIONS.substitute(parts=store.everywhere("system.parts"))
    found = await store.query(scope, statement, {"table": table}, lane=_LANE)
    return sorted(map(int, found.column("partition").to_pylist()))


async def sizes(scope: Scope, store: ColumnStore, table: str) -> dict[int, int]:
    """How many rows each partition of a table has."""
    found = await store.query(scope, _SIZES, {"table": table}, lane=_LANE)
    partitions, rows = (found.column(name).to_pylist() for name in ("partition", "n"))
    return {int(each): count for each, count in zip(partitions, rows, strict=True)}


async def drop_partition(scope: Scope, store: ColumnStore, table: str, partition: int, *, lane: str = _LANE) -> None:
    """Forget all of it."""
    await store.command(scope, f"ALTER TABLE {table} DROP PARTITION {partition}", lane=lane)
