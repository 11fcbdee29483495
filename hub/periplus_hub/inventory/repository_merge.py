# ruff: noqa: S608 - statements are put together from the names of our own tables and columns; values are parameters
"""SQL that brings a batch's rows into the tables: set-based, from binary COPY, never a row at a time.

Rows are copied into a session's temporary table of the same shape, because PostgreSQL copies into no table with
row-level security, and merged from there: rows that did not change are not written. A cluster's first snapshot has
nothing to merge with. The statements are text because they are the same for every table but for its columns; they are
made once, from the tables themselves.

The batches of a group go together: every statement is one for all of their clusters, and where it counts, it counts
by cluster. Placeholders: $1 is the tenant, $2 the registrations.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy import Table

from periplus_contract.tables import MEANINGS, WORKLOADS
from periplus_hub.access.scope import Scope
from periplus_hub.inventory import tables
from periplus_hub.inventory.copy_encoding import CURRENT, Gone, PreparedTable
from periplus_hub.kit import binary_copy

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Grown: TypeAlias = "Counter[UUID]"
"""By how many a table's live rows grew, by registration."""
Covered: TypeAlias = tuple[UUID, datetime, str]
"""A cluster that named all there is of a section, when, and of which part of it (empty for most: see LISTED_BY)."""
LISTED_BY: Final = {WORKLOADS.name: "kind", MEANINGS.name: "source"}
"""Sections of which a snapshot names all there is part by part, with the column that says which part a row is of."""
_KEY: Final = ("tenant_id", "registration_id", "uid")
_SAME: Final = "{one}.registration_id = {other}.registration_id AND {one}.uid = {other}.uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The text for one table."""

    stage: str
    make_stage: str
    add: str
    merge: str
    close_missing: str
    close_missing_of_parts: str
    close_named: str
    note_uids: str


def _live(alias: str, table: Table) -> str:
    return f"{alias}.valid_to IS NULL" if "valid_to" in table.c else f"{alias}.uid IS NOT NULL"


def _closing(table: Table, given: str, which: str, at: str) -> str:
    """Close or delete rows `t` of a table, and count them by cluster."""
    if "valid_to" in table.c:
        close = (
            f"UPDATE {table.name} t SET valid_to = greatest(t.valid_from, {at}) FROM {given}"
            f" WHERE {which} AND t.valid_to IS NULL"
        )
    else:
        close = f"DELETE FROM {table.name} t USING {given} WHERE {which}"
    return (
        f"closed AS ({close} RETURNING t.registration_id)"
        " SELECT registration_id, -count(*) AS rows FROM closed GROUP BY registration_id"
    )


def _close_missing(section: str, table: Table, named: str) -> str:
    """Of the clusters $2, what `named` does not hold, at their times $3; of workloads, only those of their parts $4.

    Old and new meet in a full join, which PostgreSQL hashes or merges and never loops over: without statistics of a
    table that was filled a moment ago it would take a few rows for granted, and go through all the new for each old.
    """
    given = "given AS (SELECT * FROM unnest($2::uuid[], $3::timestamptz[], $4::text[]) AS g(registration_id, at, kind))"
    mine = f"x.tenant_id = $1 AND x.registration_id = ANY($2::uuid[]) AND {_live('x', table)}"
    if section in LISTED_BY:
        mine += f" AND (x.registration_id, x.{LISTED_BY[section]}) IN (SELECT g.registration_id, g.kind FROM given g)"
    known = f"SELECT x.ctid AS place, x.registration_id, x.uid FROM {table.name} x WHERE {mine}"
    met = (
        f"met AS MATERIALIZED (SELECT k.place, n.uid AS named FROM ({known}) k"
        f" FULL JOIN ({named}) n ON {_SAME.format(one='n', other='k')})"
    )
    at = "(SELECT g.at FROM given g WHERE g.registration_id = t.registration_id LIMIT 1)"
    return f"WITH {given}, {met}, {_closing(table, 'met', 't.ctid = met.place AND met.named IS NULL', at)}"


def _close_named(table: Table) -> str:
    given = "unnest($2::uuid[], $3::timestamptz[], $4::text[]) AS g(registration_id, at, uid)"
    found = f"found AS MATERIALIZED (SELECT g.at, t.place FROM {given}, {_probe('ctid AS place', table, 'g')})"
    return f"WITH {found}, {_closing(table, 'found', 't.ctid = found.place', 'found.at')}"


def _probe(columns: str, table: Table, key: str) -> str:
    """The row of a key, looked up in the index whatever the planner thinks of a table it has no statistics of yet."""
    same = f"x.registration_id = {key}.registration_id AND x.uid = {key}.uid"
    return f"LATERAL (SELECT x.{columns} FROM {table.name} x WHERE x.tenant_id = $1 AND {same} OFFSET 0) t"


_TAKEN: Final = (
    "CASE WHEN (t.ipv4, t.ipv6) IS NOT DISTINCT FROM (excluded.ipv4, excluded.ipv6)"
    " OR excluded.ipv4 IS NULL AND excluded.ipv6 IS NULL THEN t.valid_from"
    " ELSE least(greatest(t.valid_from, t.valid_to, excluded.seen_at), excluded.valid_to) END"
)
"""Since when a known pod has the addresses it has now: since it was seen with them, not since it was scheduled."""


_UNTIL: Final = "coalesce(t.valid_to, s.valid_to, s.seen_at)"
"""When a known pod lost the addresses that it does not have any more: its end, or when it was seen without them."""
_LEFT: Final = (
    "json_agg(json_build_object('registration_id', s.registration_id, 'uid', t.uid, 'ipv4', t.ipv4, 'ipv6', t.ipv6,"
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
    ("address_meanings", "valid_from"): "CASE WHEN t.valid_to IS NULL THEN t.valid_from ELSE excluded.valid_from END",
    **{
        (table, name): f"coalesce(excluded.{name}, t.{name})"
        for table, names in {
            "pods": ("workload_kind", "workload_name"),
            "clusters": (
                *("provider", "account", "region", "kubernetes_version", "platform", "distribution"),
                "api_ca_sha256",
            ),
        }.items()
        for name in names
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
"""What is not just taken over. What a spoke does not know now (whose a pod is, where its cluster is, when a source that
fails was last whole) stays as it was known."""


def _assignments(table: Table) -> str:
    """What an upsert changes."""
    names = [column.name for column in table.columns if column.name not in _KEY]
    return ", ".join(f"{name} = {_ASSIGNED.get((table.name, name), f'excluded.{name}')}" for name in names)


def _compared(table: Table, alias: str) -> str:
    names = [column.name for column in table.columns if column.name not in (*_KEY, "valid_from", "seen_at")]
    return ", ".join(f"{alias}.{name}" for name in names)


def _add(stage: str, table: Table) -> str:
    columns = _columns_of(table)
    return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {stage}"


def _columns_of(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _merge(stage: str, table: Table) -> str:
    columns = _columns_of(table)
    is_pods = table is tables.pods
    # Both parts of the statement see the table as it was before: `grown` still finds the row that `merged` overwrites.
    known = "uid, x.ipv4, x.ipv6, x.host_network, x.valid_from, x.valid_to" if is_pods else "uid"
    if not is_pods and "valid_to" in table.c:
        known = "uid, x.valid_to"
    return (
        f"WITH grown AS (SELECT s.registration_id, count(*) FILTER (WHERE {_live('s', table)})"
        f" - count(*) FILTER (WHERE t.uid IS NOT NULL AND {_live('t', table)}) AS rows,"
        f" {_LEFT if is_pods else 'NULL'} AS addresses_left FROM {stage} s"
        f" LEFT JOIN {_probe(known, table, 's')} ON true GROUP BY s.registration_id), merged AS ("
        f"INSERT INTO {table.name} AS t ({columns}) SELECT {columns} FROM {stage} ORDER BY registration_id, uid"
        f" ON CONFLICT (tenant_id, registration_id, uid) DO UPDATE SET {_assignments(table)}"
        f" WHERE ({_compared(table, 't')}) IS DISTINCT FROM ({_compared(table, 'excluded')}))"
        " SELECT registration_id, rows, addresses_left FROM grown"
    )


def _statements(section: str, table: Table) -> Statements:
    stage = f"stage_{table.name}"
    staged = f"SELECT s.registration_id, s.uid FROM {stage} s"
    noted = (
        "SELECT u.registration_id, u.uid FROM snapshot_uids u"
        f" WHERE u.tenant_id = $1 AND u.section = '{section}' AND u.registration_id = ANY($2::uuid[])"
    )
    return Statements(
        stage=stage,
        make_stage=f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} (LIKE {table.name}) ON COMMIT DELETE ROWS",
        add=_add(stage, table),
        merge=_merge(stage, table),
        close_missing=_close_missing(section, table, staged),
        close_missing_of_parts=_close_missing(section, table, noted),
        close_named=_close_named(table),
        note_uids=(
            "INSERT INTO snapshot_uids (tenant_id, registration_id, section, uid)"
            f" SELECT tenant_id, registration_id, '{section}', uid FROM {stage} ON CONFLICT DO NOTHING"
        ),
    )


STATEMENTS: Final = {section: _statements(section, table) for section, table in CURRENT.items()}


class Merge:
    """One group's writes."""

    def __init__(self, raw: Raw, scope: Scope) -> None:
        self._raw = raw
        self._tenant_id = scope.tenant_id
        self._staged: set[str] = set()

    async def known(self, registration_ids: Sequence[UUID]) -> set[UUID]:
        """Those of which something was ever stored: of others there is nothing to merge with."""
        known = "SELECT registration_id FROM inventory_counts WHERE tenant_id = $1 AND registration_id = ANY($2)"
        return {row["registration_id"] for row in await self._raw.fetch(known, self._tenant_id, registration_ids)}

    async def make_stages(self, sections: Iterable[str]) -> None:
        """The temporary tables of these sections, where this session does not have them; one round trip for all."""
        made = "; ".join(STATEMENTS[section].make_stage for section in sections)
        if made:
            await self._raw.execute(made)

    async def stage(self, section: str, prepared: Sequence[PreparedTable]) -> None:
        """Into the session's temporary table, in place of what the group had in it before."""
        # The temporary tables live as long as the session and empty themselves at the commit; a section may be staged
        # twice in one transaction, for clusters that are added and those that are merged.
        if section in self._staged:
            await self._raw.execute(f"TRUNCATE {STATEMENTS[section].stage}")
        self._staged.add(section)
        await self._copy(STATEMENTS[section].stage, prepared)

    async def add(self, section: str) -> None:
        """Staged rows into the table; no row of their clusters may be there."""
        await self._raw.execute(STATEMENTS[section].add)

    async def merge(self, section: str) -> Grown:
        """Staged rows into the table; both halves of the statement see it as it was before."""
        rows = await self._raw.fetch(STATEMENTS[section].merge, self._tenant_id)
        for row in rows:
            # Text and not JSON values on the way back: they go straight into the next statement.
            if row["addresses_left"] is not None:
                await self._raw.execute(_KEEP_LEFT, self._tenant_id, row["addresses_left"])
        return Counter({row["registration_id"]: row["rows"] for row in rows})

    async def close_missing(self, section: str, covered: Sequence[Covered]) -> Grown:
        """End what the staged rows of these clusters do not name, at the time they were seen so."""
        return await self._counted(STATEMENTS[section].close_missing, *_columns(covered))

    async def close_missing_of_parts(self, section: str, covered: Sequence[Covered]) -> Grown:
        """End what no part of these clusters' snapshots named."""
        return await self._counted(STATEMENTS[section].close_missing_of_parts, *_columns(covered))

    async def close_named(self, section: str, gone: Mapping[UUID, Gone]) -> Grown:
        """End what deltas delete."""
        ids = [registration_id for registration_id, each in gone.items() for _ in each.uids]
        at = [at for each in gone.values() for at in each.at]
        uids = [uid for each in gone.values() for uid in each.uids]
        return await self._counted(STATEMENTS[section].close_named, ids, at, uids)

    async def note_uids(self, section: str) -> None:
        """Remember what the staged part names, for the last one."""
        await self._raw.execute(STATEMENTS[section].note_uids)

    async def forget_uids(self, registration_id: UUID) -> None:
        """Start or end a snapshot in parts."""
        mine = (self._tenant_id, registration_id)
        await self._raw.execute("DELETE FROM snapshot_uids WHERE tenant_id = $1 AND registration_id = $2", *mine)

    async def add_counts(self, grown: Mapping[UUID, Mapping[str, int]]) -> None:
        """Keep the clusters' live counts, also when nothing grew: from now on they are known."""
        values = [
            (self._tenant_id, registration_id, *(counts.get(name, 0) for name in COUNTED))
            for registration_id, counts in grown.items()
        ]
        await self._raw.executemany(_ADD_COUNTS, values)

    async def _counted(self, statement: str, *arguments: object) -> Grown:
        rows = await self._raw.fetch(statement, self._tenant_id, *arguments)
        return Counter({row["registration_id"]: row["rows"] for row in rows})

    async def _copy(self, table: str, prepared: Sequence[PreparedTable]) -> None:
        if prepared:
            columns = list(prepared[0].columns)
            await self._raw.copy_to_table(table, source=_whole(prepared), columns=columns, format="binary")


async def _whole(prepared: Iterable[PreparedTable]) -> AsyncIterator[bytes]:
    """As the driver wants a source: it reads files in another thread, two hops for each."""
    yield b"".join([binary_copy.HEADER, *(each.copy for each in prepared), binary_copy.TRAILER])


def _columns(covered: Sequence[Covered]) -> tuple[list[UUID], list[datetime], list[str]]:
    """As parallel arrays."""
    return [each[0] for each in covered], [each[1] for each in covered], [each[2] for each in covered]


COUNTED: Final = tuple(
    column.name for column in tables.counts.columns if column.name not in ("tenant_id", "registration_id")
)
_ADD_COUNTS: Final = (
    f"INSERT INTO inventory_counts AS t (tenant_id, registration_id, {', '.join(COUNTED)})"
    f" VALUES ($1, $2, {', '.join(f'${position}' for position in range(3, 3 + len(COUNTED)))})"
    " ON CONFLICT (tenant_id, registration_id) DO UPDATE SET "
    + ", ".join(f"{name} = t.{name} + excluded.{name}" for name in COUNTED)
)
