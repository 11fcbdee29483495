# ruff: noqa: S608 - statements are put together from the names of our own tables and columns; values are parameters
"""SQL that brings a batch's rows into the tables: set-based, from binary COPY, never a row at a time.

A cluster's first snapshot is copied straight into the tables. Everything later is copied into a session's temporary
table of the same shape and merged from there: rows that did not change are not written. The statements are text
because they are the same for every table but for its columns; they are made once, from the tables themselves.

Placeholders: $1 is the tenant, $2 the registration.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg
from sqlalchemy import Table

from periplus_hub.access.scope import Scope
from periplus_hub.inventory import tables
from periplus_hub.inventory.encode import CURRENT, Gone, PreparedTable

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_KEY: Final = ("tenant_id", "registration_id", "uid")
_MINE: Final = "{alias}.tenant_id = $1 AND {alias}.registration_id = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The text for one table."""

    stage: str
    make_stage: str
    merge: str
    close_missing: str
    close_missing_of_parts: str
    close_named: str
    note_uids: str


def _live(alias: str, table: Table) -> str:
    return f"{alias}.valid_to IS NULL" if "valid_to" in table.c else f"{alias}.uid IS NOT NULL"


def _close(table: Table, condition: str) -> str:
    """Close or delete the rows of a cluster that satisfy `condition`; the text speaks of them as `t`."""
    mine = _MINE.format(alias="t")
    if "valid_to" in table.c:
        return (
            f"UPDATE {table.name} t SET valid_to = greatest(t.valid_from, $3)"
            f" WHERE {mine} AND t.valid_to IS NULL AND {condition}"
        )
    return f"DELETE FROM {table.name} t WHERE {mine} AND {condition} AND $3::timestamptz IS NOT NULL"


def _close_named(table: Table) -> str:
    mine = _MINE.format(alias="t")
    gone = "unnest($3::text[], $4::timestamptz[]) AS g(uid, at)"
    if "valid_to" in table.c:
        return (
            f"UPDATE {table.name} t SET valid_to = greatest(t.valid_from, g.at) FROM {gone}"
            f" WHERE {mine} AND t.uid = g.uid AND t.valid_to IS NULL"
        )
    return f"DELETE FROM {table.name} t USING {gone} WHERE {mine} AND t.uid = g.uid"


def _assignments(table: Table) -> str:
    """What an upsert changes. A pod's time begins when its address was first seen, not when it was first scheduled."""
    parts = []
    for column in table.columns:
        if column.name in _KEY:
            continue
        value = f"excluded.{column.name}"
        if column.name == "valid_from":
            value = "CASE WHEN t.ipv4 IS NULL AND t.ipv6 IS NULL THEN excluded.valid_from ELSE t.valid_from END"
        parts.append(f"{column.name} = {value}")
    return ", ".join(parts)


def _compared(table: Table, alias: str) -> str:
    names = [column.name for column in table.columns if column.name not in (*_KEY, "valid_from")]
    return ", ".join(f"{alias}.{name}" for name in names)


def _statements(section: str, table: Table) -> Statements:
    stage, columns = f"stage_{table.name}", ", ".join(column.name for column in table.columns)
    missing = f"NOT EXISTS (SELECT 1 FROM {stage} s WHERE s.uid = t.uid)"
    noted = (
        "NOT EXISTS (SELECT 1 FROM snapshot_uids n WHERE n.tenant_id = $1 AND n.registration_id = $2"
        f" AND n.section = '{section}' AND n.uid = t.uid)"
    )
    return Statements(
        stage=stage,
        make_stage=f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} (LIKE {table.name}) ON COMMIT DELETE ROWS",
        merge=(
            f"WITH grown AS (SELECT count(*) FILTER (WHERE {_live('s', table)})"
            f" - count(*) FILTER (WHERE t.uid IS NOT NULL AND {_live('t', table)}) AS rows FROM {stage} s"
            f" LEFT JOIN {table.name} t ON {_MINE.format(alias='t')} AND t.uid = s.uid), merged AS ("
            f"INSERT INTO {table.name} AS t ({columns}) SELECT {columns} FROM {stage} ORDER BY uid"
            f" ON CONFLICT (tenant_id, registration_id, uid) DO UPDATE SET {_assignments(table)}"
            f" WHERE ({_compared(table, 't')}) IS DISTINCT FROM ({_compared(table, 'excluded')}))"
            " SELECT rows FROM grown"
        ),
        close_missing=_close(table, missing),
        close_missing_of_parts=_close(table, noted),
        close_named=_close_named(table),
        note_uids=(
            "INSERT INTO snapshot_uids (tenant_id, registration_id, section, uid)"
            f" SELECT $1, $2, '{section}', uid FROM {stage} ON CONFLICT DO NOTHING"
        ),
    )


STATEMENTS: Final = {section: _statements(section, table) for section, table in CURRENT.items()}


class Merge:
    """One batch's writes for one cluster. Each method returns by how many the table's live rows grew."""

    def __init__(self, raw: Raw, scope: Scope, registration_id: object) -> None:
        self._raw = raw
        self._mine = (scope.tenant_id, registration_id)

    async def is_new(self) -> bool:
        """Whether nothing of this cluster was ever stored: then there is nothing to merge with."""
        known = "SELECT NOT EXISTS (SELECT 1 FROM inventory_counts WHERE tenant_id = $1 AND registration_id = $2)"
        return bool(await self._raw.fetchval(known, *self._mine))

    async def copy_in(self, prepared: PreparedTable) -> int:
        """Straight into the table; no row of the cluster may be there."""
        await self._copy(CURRENT[prepared.name].name, prepared)
        if prepared.name != "pods":
            return prepared.rows
        live = "SELECT count(*) FROM pods WHERE tenant_id = $1 AND registration_id = $2 AND valid_to IS NULL"
        return int(await self._raw.fetchval(live, *self._mine))

    async def make_stages(self, sections: Iterable[str]) -> None:
        """The temporary tables of these sections, where this session does not have them; one round trip for all."""
        made = "; ".join(STATEMENTS[section].make_stage for section in sections)
        if made:
            await self._raw.execute(made)

    async def stage(self, prepared: PreparedTable) -> None:
        """Into the session's temporary table, which is empty at the start of every transaction."""
        if prepared.rows:
            await self._copy(STATEMENTS[prepared.name].stage, prepared)

    async def merge(self, section: str) -> int:
        """Staged rows into the table; both halves of the statement see it as it was before."""
        return int(await self._raw.fetchval(STATEMENTS[section].merge, *self._mine))

    async def close_missing(self, section: str, at: datetime) -> int:
        """End what the staged rows do not name."""
        return -_affected(await self._raw.execute(STATEMENTS[section].close_missing, *self._mine, at))

    async def close_missing_of_parts(self, section: str, at: datetime) -> int:
        """End what no part of the snapshot named."""
        return -_affected(await self._raw.execute(STATEMENTS[section].close_missing_of_parts, *self._mine, at))

    async def close_named(self, section: str, gone: Gone) -> int:
        """End what a delta deletes."""
        done = await self._raw.execute(STATEMENTS[section].close_named, *self._mine, gone.uids, gone.at)
        return -_affected(done)

    async def note_uids(self, section: str) -> None:
        """Remember what this part names, for the last one."""
        await self._raw.execute(STATEMENTS[section].note_uids, *self._mine)

    async def forget_uids(self) -> None:
        """Start or end a snapshot in parts."""
        await self._raw.execute("DELETE FROM snapshot_uids WHERE tenant_id = $1 AND registration_id = $2", *self._mine)

    async def add_counts(self, grown: dict[str, int]) -> None:
        """Keep the cluster's live counts, also when nothing grew: from now on they are known."""
        values = [grown.get(name, 0) for name in COUNTED]
        await self._raw.execute(_ADD_COUNTS, *self._mine, *values)

    async def _copy(self, table: str, prepared: PreparedTable) -> None:
        await self._raw.copy_to_table(
            table, source=_whole(prepared.copy), columns=list(prepared.columns), format="binary"
        )


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    """As the driver wants a source: it reads files in another thread, two hops for each."""
    yield data


COUNTED: Final = tuple(
    column.name for column in tables.counts.columns if column.name not in ("tenant_id", "registration_id")
)
_ADD_COUNTS: Final = (
    f"INSERT INTO inventory_counts AS t (tenant_id, registration_id, {', '.join(COUNTED)})"
    f" VALUES ($1, $2, {', '.join(f'${position}' for position in range(3, 3 + len(COUNTED)))})"
    " ON CONFLICT (tenant_id, registration_id) DO UPDATE SET "
    + ", ".join(f"{name} = t.{name} + excluded.{name}" for name in COUNTED)
)


def _affected(status: str) -> int:
    """The row count in a command's status."""
    return int(status.rpartition(" ")[2])
