"""Makes the edges of an hour: resolve its addresses, merge what both ends reported, replace the hour at once.

An hour is made again whenever it has other rows, or the inventory says something else about it. What is made depends on
the rows and the inventory alone, not on when they came.
"""

import asyncio
from typing import Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_blocks, repository_inventory, repository_marks, repository_rollup
from periplus_hub.flows.engine.merge import merged
from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.engine.pairs import paired
from periplus_hub.flows.engine.resolution import resolved
from periplus_hub.flows.model import DirtyHour, Fleet
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database

_PROTOCOLS: Final = {"TCP": 6, "UDP": 17, "SCTP": 132}


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
            fleet = await repository_inventory.fleet_at(c, scope, hour.hour)
        asked = await repository_rollup.asked(scope, self._store, hour.hour)
        rows = await asyncio.to_thread(_resolved, asked, hour.hour, identities, fleet)
        await repository_rollup.put_identities(scope, self._store, hour.hour, rows)
        await repository_rollup.put_ports(scope, self._store, _stored(ports))
        windows = await repository_rollup.windows(scope, self._store, hour.hour)
        edges = await asyncio.to_thread(_merged, hour.hour, windows)
        crashpoint("flows.before_replace")
        await repository_rollup.put_edges(scope, self._store, hour.hour, edges)
        crashpoint("flows.after_replace")
        async with self._db.write(scope) as c:
            await repository_blocks.note_rolled(c, scope, hour)


def _resolved(asked: pa.Table, hour: int, identities: pa.Table, fleet: Fleet) -> pa.Table:
    return resolved(asked, hour, Owners(identities, fleet))


def _merged(hour: int, windows: pa.Table) -> pa.Table:
    return merged(hour, paired(windows, repository_rollup.EDGE_KEY), repository_rollup.EDGE_KEY)


def _stored(ports: pa.Table) -> pa.Table:
    """In the store's types; ports of protocols without ports are left out."""
    protocol = np.array([_PROTOCOLS.get(text, 0) for text in ports.column("protocol").to_pylist()], dtype=np.uint8)
    kept = ports.append_column("number", pa.array(protocol)).filter(pa.array(protocol != 0))
    registration = kept.column("registration_id").combine_chunks().dictionary_encode()
    ids = pa.array([UUID(each).bytes for each in registration.dictionary.to_pylist()], pa.binary(16))
    texts = ("namespace", "kind", "workload", "to_namespace", "to_kind", "to_workload")
    return pa.table(
        {
            "registration": ids.take(registration.indices),
            **{name: kept.column(name) for name in texts},
            "port": kept.column("port").cast(pa.uint16()),
            "protocol": kept.column("number"),
            "to_port": kept.column("to_port").cast(pa.uint16()),
        }
    )
