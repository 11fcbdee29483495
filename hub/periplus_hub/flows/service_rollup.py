"""Makes the edges of an hour: resolve its addresses, merge what both ends reported, replace the hour at once.

An hour is made again whenever it has other rows, or the inventory says something else about it. What is made depends on
the rows and the inventory alone, not on when they came.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.access.scope import Scope
from periplus_hub.flows import (
    repository_blocks,
    repository_exports,
    repository_inventory,
    repository_marks,
    repository_meanings,
    repository_rollup,
)
from periplus_hub.flows.engine.agreement import agreed
from periplus_hub.flows.engine.by_host import resolved_by_host
from periplus_hub.flows.engine.cluster_names import ClusterNames, Named
from periplus_hub.flows.engine.host_services import HostServices
from periplus_hub.flows.engine.merge import merged
from periplus_hub.flows.engine.numbered_ends import NumberedEnds, is_own_name, named, numbered_ends
from periplus_hub.flows.engine.once import counted_once
from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.engine.pairs import paired
from periplus_hub.flows.engine.resolution import resolved
from periplus_hub.flows.engine.told_ends import Surroundings, resolved_told
from periplus_hub.flows.engine.workload_kinds import WorkloadKinds
from periplus_hub.flows.model import DirtyHour, Fleet, NumberedHour
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database

MOST_ROWS: Final = 3_000_000
"""Of an hour that are merged together: some hundred bytes each."""
_SALT_BITS: Final = 64


class RollUp:
    """Keeps every hour's edges those of its rows."""

    def __init__(self, db: Database, store: ColumnStore) -> None:
        self._db = db
        self._store = store

    async def refresh(self, scope: Scope, since_s: int) -> int:
        """Make every hour since then anew that has to be, newest first; returns how many."""
        async with self._db.read(scope) as c:
            dirty = await repository_blocks.dirty_hours(c, scope, since_s)
        for hour in dirty:
            await self._make(scope, hour)
        return len(dirty)

    async def follow_inventory(self, scope: Scope) -> None:
        """Find out which hours the inventory says something else about now."""
        async with self._db.write(scope) as c:
            about = await repository_marks.inventory_since(c, scope)
            if about is not None:
                await repository_blocks.touch_known(c, scope, *about)

    async def _make(self, scope: Scope, hour: DirtyHour) -> None:
        """The versions were read before anything else, so that what comes meanwhile makes it dirty again."""
        async with self._db.read(scope) as c:
            identities = await repository_inventory.identities(c, scope, hour.hour)
            ports = await repository_inventory.ports(c, scope)
            nodes = await repository_inventory.node_localities(c, scope, hour.hour)
            clusters = await repository_inventory.clusters_at(c, scope, hour.hour)
            meanings = await repository_meanings.meanings(c, scope, hour.hour, clusters)
        extent = await repository_rollup.extent(scope, self._store, hour.hour)
        salt, asked = await self._asked(scope, hour.hour, has_hosts=extent.has_hosts)
        owners = await asyncio.to_thread(Owners, identities, clusters[0], meanings, nodes)
        services = None
        if extent.has_hosts:
            async with self._db.read(scope) as c:
                exports = await repository_exports.exports(c, scope, hour.hour, clusters)
            services = await asyncio.to_thread(HostServices, owners, ports, exports)
        owned_by = await asyncio.to_thread(_resolved, asked, hour.hour, owners, clusters, services)
        kept = owned_by.drop_columns(["lookup", "locality"])
        await repository_rollup.put_identities(scope, self._store, hour.hour, kept)
        ends = await asyncio.to_thread(numbered_ends, asked, owned_by, ports, owners)
        await repository_rollup.put_ends(scope, self._store, ends)
        numbered = NumberedHour(
            hour=hour.hour,
            salt=salt,
            rules=len(ends.rules) // 2,
            measures=extent.measures,
            has_hosts=extent.has_hosts,
        )
        edges = await self._put_edges(scope, numbered, ends, parts=extent.rows // MOST_ROWS + 1)
        crashpoint("flows.before_replace")
        await repository_rollup.replace_edges(scope, self._store, hour.hour, edges)
        crashpoint("flows.after_replace")
        async with self._db.write(scope) as c:
            await repository_blocks.note_rolled(c, scope, hour, edges)

    async def _asked(self, scope: Scope, hour: int, *, has_hosts: bool) -> tuple[int, pa.Table]:
        """Who the hour's rows are about, with a salt by which no two of them have one hash. Nobody can foretell it."""
        salt = 0
        while True:
            asked = await repository_rollup.asked(scope, self._store, hour, salt, has_hosts=has_hosts)
            if pc.count_distinct(asked.column("lookup")).as_py() == asked.num_rows:
                return salt, asked
            salt = secrets.randbits(_SALT_BITS) | 1

    async def _put_edges(self, scope: Scope, rows: NumberedHour, ends: NumberedEnds, *, parts: int) -> int:
        """In parts, so that memory is bounded; returns how many."""
        store, hour = self._store, rows.hour
        await repository_rollup.clear_edges(scope, store)
        both = await repository_rollup.both(scope, store, rows)
        count = await repository_rollup.put_edges(scope, store, await asyncio.to_thread(named, hour, both, ends))
        for part in range(parts):
            told = await repository_rollup.windows(scope, store, rows, part, parts)
            if told.num_rows:
                edges = await asyncio.to_thread(_merged, told, ends, hour, rows.measures)
                count += await repository_rollup.put_edges(scope, store, edges)
        return count


def _resolved(
    asked: pa.Table, hour: int, owners: Owners, clusters: tuple[Fleet, Named], services: HostServices | None
) -> pa.Table:
    """`services` only where anybody was asked for by a name."""
    elsewhere = pc.not_equal(asked.column("cluster"), "")
    is_told = is_own_name(asked)
    alone = asked.filter(pc.invert(pc.or_(elsewhere, is_told))).combine_chunks()
    by_name = pc.not_equal(alone.column("host"), "")
    found = resolved(alone.filter(pc.invert(by_name)), hour, owners)
    if services is not None:
        by_host = resolved_by_host(alone.filter(by_name).combine_chunks(), hour, owners, services)
        found = pa.concat_tables([found, by_host.select(found.column_names)])
    told = asked.filter(elsewhere).combine_chunks()
    if not told.num_rows:
        return found
    fleet, named = clusters
    names = told.column("cluster").cast(pa.string()).combine_chunks().unique()
    ours = asked.filter(is_told).rename_columns({"registration": "owner"})
    around = Surroundings(
        owners=owners,
        clusters=ClusterNames(named, fleet, names),
        kinds=WorkloadKinds(ours, owners.names.rows),
        services=services,
    )
    return pa.concat_tables([found, resolved_told(told, hour, around)])


def _merged(told: pa.Table, ends: NumberedEnds, hour: int, measures: Sequence[str]) -> pa.Table:
    whole = paired(counted_once(told, ends), ends)
    return named(hour, merged(agreed(whole, ends.localities), measures), ends)
