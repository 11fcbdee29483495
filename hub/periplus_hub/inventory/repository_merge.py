# ruff: noqa: S608 - statements are put together from the names of our own tables and columns; values are parameters
"""SQL that brings a batch's rows into the tables: set-based, from binary COPY, never a row at a time.

A cluster's first snapshot is copied straight into the tables. Everything later is copied into a session's temporary
table of the same shape and merged from there: rows that did not change are not written. The statements are text
because they are the same for every table but for its columns; they are made once, from the tables themselves.

Placeholders: $1 is the tenant, $2 the registration.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg
from sqlalchemy import Table

from periplus_contract.tables import WORKLOADS
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


def _close(section: str, table: Table, condition: str) -> str:
    """Close or delete the rows of a cluster that satisfy `condition`; the text speaks of them as `t`."""
    mine = _MINE.format(alias="t") + (" AND t.kind = ANY($4::text[])" if section == WORKLOADS.name else "")
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


_TAKEN: Final = (
    "CASE WHEN (t.ipv4, t.ipv6) IS NOT DISTINCT FROM (excluded.ipv4, excluded.ipv6)"
    " OR excluded.ipv4 IS NULL AND excluded.ipv6 IS NULL THEN t.valid_from"
    " ELSE least(greatest(t.valid_from, t.valid_to, excluded.seen_at), excluded.valid_to) END"
)
"""Since when a known pod has the addresses it has now: since it was seen with them, not since it was scheduled."""


_UNTIL: Final = "coalesce(t.valid_to, s.valid_to, s.seen_at)"
"""When a known pod lost the addresses that it does not have any more: its end, or when it was seen without them."""
_LEFT: Final = (
    "json_agg(json_build_object('registration_id', t.registration_id, 'uid', t.uid, 'ipv4', t.ipv4, 'ipv6', t.ipv6,"
    f" 'valid_from', t.valid_from, 'valid_to', {_UNTIL}))"
    f" FILTER (WHERE t.uid IS NOT NULL AND NOT t.host_network AND t.valid_from < {_UNTIL}"
    " AND (t.ipv4, t.ipv6) IS DISTINCT FROM (s.ipv4, s.ipv6)"
    " AND (t.ipv4 IS NOT NULL OR t.ipv6 IS NOT NULL))::text"
)
"""Former addresses, gathered where old and new meet anyway: null in nearly every merge, so keeping them costs those
nothing."""
_KEEP_LEFT: Final = """
    INSERT INTO endpoint_addresses
      (tenant_id, registration_id, owner_kind, owner_uid, ip, role, valid_from, valid_to)
    SELECT $1, l.registration_id, 'pod', l.uid, a.ip, 'PodIP', l.valid_from, l.valid_to
    FROM json_to_recordset($2::text::json) AS l(registration_id uuid, uid text, ipv4 inet, ipv6 inet,
      valid_from timestamptz, valid_to timestamptz), LATERAL (VALUES (l.ipv4), (l.ipv6)) AS a(ip)
    WHERE a.ip IS NOT NULL ON CONFLICT DO NOTHING
"""


_ASSIGNED: Final = {
    ("pods", "valid_from"): _TAKEN,
    **{
        ("clusters", name): f"coalesce(excluded.{name}, t.{name})"
        for name in (
            *("provider", "account", "region", "kubernetes_version", "platform", "distribution"),
            "api_ca_sha256",
        )
    },
    **{
        ("clusters", name): f"CASE WHEN excluded.{name} = '{{}}' THEN t.{name} ELSE excluded.{name} END"
        for name in ("regions", "zones", "cnis")
    },
    **{
        ("sources", name): (
            f"CASE WHEN excluded.state IN ('ok', 'absent') THEN excluded.{name}"
            f" ELSE coalesce(excluded.{name}, t.{name}) END"
        )
        for name in ("objects", "as_of")
    },
}
"""What is not just taken over. What a cluster does not know of itself now, or when a source that fails was last whole,
stays as it was known."""


def _assignments(table: Table) -> str:
    """What an upsert changes."""
    names = [column.name for column in table.columns if column.name not in _KEY]
    return ", ".join(f"{name} = {_ASSIGNED.get((table.name, name), f'excluded.{name}')}" for name in names)


def _compared(table: Table, alias: str) -> str:
    names = [column.name for column in table.columns if column.name not in (*_KEY, "valid_from", "seen_at")]
    return ", ".join(f"{alias}.{name}" for name in names)


def _statements(section: str, table: Table) -> Statements:
    left = _LEFT if table is tables.pods else "NULL"
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
            f" - count(*) FILTER (WHERE t.uid IS NOT NULL AND {_live('t', table)}) AS rows,"
            f" {left} AS addresses_left FROM {stage} s"
            f" LEFT JOIN {table.name} t ON {_MINE.format(alias='t')} AND t.uid = s.uid), merged AS ("
            f"INSERT INTO {table.name} AS t ({columns}) SELECT {columns} FROM {stage} ORDER BY uid"
            f" ON CONFLICT (tenant_id, registration_id, uid) DO UPDATE SET {_assignments(table)}"
            f" WHERE ({_compared(table, 't')}) IS DISTINCT FROM ({_compared(table, 'excluded')}))"
            " SELECT rows, addresses_left FROM grown"
        ),
        close_missing=_close(section, table, missing),
        close_missing_of_parts=_close(section, table, noted),
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
        grown = await self._raw.fetchrow(STATEMENTS[section].merge, *self._mine)
        if grown is None:
            return 0
        if grown["addresses_left"] is not None:
            await self._raw.execute(_KEEP_LEFT, self._mine[0], grown["addresses_left"])
        return int(grown["rows"])

    async def close_missing(self, section: str, at: datetime, kinds: Sequence[str]) -> int:
        """End what the staged rows do not name; of workloads, those of `kinds`."""
        return await self._close(STATEMENTS[section].close_missing, section, at, kinds)

    async def close_missing_of_parts(self, section: str, at: datetime, kinds: Sequence[str]) -> int:
        """End what no part of the snapshot named; of workloads, those of `kinds`."""
        return await self._close(STATEMENTS[section].close_missing_of_parts, section, at, kinds)

    async def _close(self, statement: str, section: str, at: datetime, kinds: Sequence[str]) -> int:
        more = (list(kinds),) if section == WORKLOADS.name else ()
        return -_affected(await self._raw.execute(statement, *self._mine, at, *more))

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
