"""Bring inventory batches into the tables, in chain order (the door sees to that).

A snapshot replaces what it covers: what of that its parts do not name has ended. The rest of it, like a delta,
changes only what it names.
"""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from typing import cast

from periplus_contract.tables import WORKLOADS, Kind
from periplus_hub.access.scope import system_scope
from periplus_hub.ingest.model import DecodedBatch, Rejected
from periplus_hub.inventory import repository_identities as identities
from periplus_hub.inventory.encode import CURRENT, PreparedTable, prepare
from periplus_hub.inventory.repository_merge import COUNTED, Merge, Raw
from periplus_hub.kit.db import WriteConnection


class InventoryApplier:
    """Keeps batches of kind `inventory`; see `periplus_hub.ingest.appliers`."""

    kind = Kind.INVENTORY

    def prepare(self, batch: DecodedBatch) -> tuple[object, tuple[Rejected, ...]]:
        """Encode every section for COPY; in the worker thread."""
        return prepare(batch)

    async def apply(self, c: WriteConnection, batch: DecodedBatch) -> dict[str, int]:
        """Write the prepared sections; nothing is rejected here any more."""
        raw = await c.raw()
        await _Application(raw, batch).run()
        return {}


def covered_sections(covers: Collection[str]) -> dict[str, list[str]]:
    """The sections of which a snapshot names all there is; for workloads, the kinds of which it does."""
    found: dict[str, list[str]] = {name: [] for name in CURRENT if name in covers and name != WORKLOADS.name}
    kinds = [kind for section, _, kind in (each.partition("/") for each in covers) if section == WORKLOADS.name]
    return {**found, WORKLOADS.name: kinds} if kinds else found


class _Application:
    def __init__(self, raw: Raw, batch: DecodedBatch) -> None:
        mark = batch.header.inventory
        if mark is None:
            msg = "the door lets no inventory in without its chain mark"
            raise ValueError(msg)
        self._raw, self._mark = raw, mark
        self._registration_id = batch.principal.registration_id
        self._scope = system_scope(batch.principal.tenant_id, f"spoke:{self._registration_id}")
        self._merge = Merge(raw, self._scope, self._registration_id)
        self._sections = cast("dict[str, PreparedTable]", batch.prepared or {})
        self._covered = covered_sections(batch.covers)
        self._at = datetime.fromtimestamp(batch.header.window_start_s, UTC)
        self._grown: Counter[str] = Counter()

    async def run(self) -> None:
        """Apply the batch as its mark says."""
        if self._mark.mode == "delta":
            await self._delta()
        elif self._mark.part == 1 and await self._merge.is_new():
            await self._first()
        else:
            await self._snapshot()
        if any(self._grown.values()) or self._mark.mode == "snapshot":
            await self._merge.add_counts({name: count for name, count in self._grown.items() if name in COUNTED})

    async def _first(self) -> None:
        """Nothing to merge with and nothing to close."""
        parts = self._mark.parts > 1
        if parts:
            await self._merge.make_stages(self._sections)
        for name, prepared in self._sections.items():
            if prepared.rows:
                self._grown[name] += await self._merge.copy_in(prepared)
            if parts:
                await self._merge.stage(prepared)
                await self._merge.note_uids(name)
        if not parts:
            await self._follow_all()

    async def _snapshot(self) -> None:
        parts, last = self._mark.parts > 1, self._mark.part == self._mark.parts
        if parts and self._mark.part == 1:
            await self._merge.forget_uids()
        await self._merge.make_stages(CURRENT)
        for name, prepared in self._sections.items():
            await self._merge.stage(prepared)
            if parts:
                await self._merge.note_uids(name)
            if prepared.rows:
                self._grown[name] += await self._merge.merge(name)
        if last:
            await self._close_missing(parts=parts)
            await self._follow_all()

    async def _close_missing(self, *, parts: bool) -> None:
        """A covered section that no part carried had no objects."""
        close = self._merge.close_missing_of_parts if parts else self._merge.close_missing
        for name, kinds in self._covered.items():
            self._grown[name] += await close(name, self._at, kinds)
        if parts:
            await self._merge.forget_uids()

    async def _follow_all(self) -> None:
        for section in identities.SECTIONS:
            await identities.follow(self._scope, self._raw, self._registration_id, section, (self._at, None))

    async def _delta(self) -> None:
        await self._merge.make_stages(name for name, prepared in self._sections.items() if prepared.rows)
        for name, prepared in self._sections.items():
            if prepared.rows:
                await self._merge.stage(prepared)
                self._grown[name] += await self._merge.merge(name)
            if prepared.gone.uids:
                self._grown[name] += await self._merge.close_named(name, prepared.gone)
            if name in identities.SECTIONS:
                changes = (self._at, [*prepared.uids, *prepared.gone.uids])
                await identities.follow(self._scope, self._raw, self._registration_id, name, changes)
