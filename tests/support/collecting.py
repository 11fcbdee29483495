"""A sink that believes what collectors tell it, as a hub does."""

import asyncio
from collections.abc import Callable
from typing import Any

from periplus_contract.covers import meanings, workloads
from periplus_contract.tables import MEANINGS, TABLES, WORKLOADS, Kind
from periplus_spoke.collectors.naming.registry import TELLING_SOURCES
from periplus_spoke.conversion import mirrored_services, remote_endpoints
from periplus_spoke.conversion.records import Sealable

WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "ReplicaSet", "Job")
EVERYTHING = frozenset(
    (
        *(table.name for table in TABLES[Kind.INVENTORY] if table not in {WORKLOADS, MEANINGS}),
        *map(workloads, WORKLOAD_KINDS),
        *map(meanings, TELLING_SOURCES),
        meanings(remote_endpoints.SOURCE),
        meanings(mirrored_services.SOURCE),
    )
)
"""What a snapshot covers when every kind could be listed."""


class BelievingSink:
    """Applies snapshots and deltas; `tables` is table name to uid to row."""

    def __init__(self) -> None:
        self.told: list[Sealable] = []
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self._changed = asyncio.Event()

    async def emit(self, sealable: Sealable) -> None:
        self.told.append(sealable)
        if sealable.mode == "snapshot":
            self._forget(sealable.covers)
        for section in sealable.sections:
            rows = self.tables.setdefault(section.table.name, {})
            for index in range(section.rows):
                row = {name: cells[index] for name, cells in section.columns.items() if isinstance(cells, list)}
                if row.get("op") == "delete":
                    rows.pop(str(row["uid"]), None)
                else:
                    rows[str(row.get("uid", index))] = row
        self._changed.set()

    def _forget(self, covers: tuple[str, ...]) -> None:
        for name, rows in self.tables.items():
            self.tables[name] = {
                uid: row
                for uid, row in rows.items()
                if name not in covers
                and (name != WORKLOADS.name or workloads(str(row["kind"])) not in covers)
                and (name != MEANINGS.name or meanings(str(row["source"])) not in covers)
            }

    def source(self, name: str) -> dict[str, Any]:
        """A row of `sources`, or nothing."""
        return self.tables.get("sources", {}).get(name) or {}

    def named(self, table: str) -> set[str]:
        """The names in a table."""
        return {str(row["name"]) for row in self.tables.get(table, {}).values()}

    async def until(self, condition: Callable[["BelievingSink"], bool], timeout_s: float = 30) -> None:
        """Return once `condition` holds after something was told."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()
