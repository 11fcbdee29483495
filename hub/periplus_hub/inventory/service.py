"""Bring inventory batches into the tables, in chain order (the door sees to that).

A snapshot replaces what it covers: what of that its parts do not name has ended. The rest of it, like a delta,
changes only what it names.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from periplus_contract.batch import InventoryMark
from periplus_contract.tables import Kind
from periplus_hub.access.scope import system_scope
from periplus_hub.ingest.model import DecodedBatch, Rejected
from periplus_hub.inventory import repository_identities as identities
from periplus_hub.inventory.copy_encoding import CURRENT, PreparedTable, prepare
from periplus_hub.inventory.repository_merge import COUNTED, LISTED_BY, Covered, Grown, Merge, Raw
from periplus_hub.kit.db import WriteConnection


class InventoryApplier:
    """Keeps batches of kind `inventory`; see `periplus_hub.ingest.appliers`."""

    kind = Kind.INVENTORY

    def prepare(self, batch: DecodedBatch) -> tuple[object, tuple[Rejected, ...]]:
        """Encode every section for COPY; in the worker thread."""
        return prepare(batch)

    async def apply(self, c: WriteConnection, group: Sequence[DecodedBatch]) -> None:
        """Write the prepared sections, those of many clusters with one statement."""
        await _Application(await c.raw(), group).run()


def covered_sections(covers: Collection[str]) -> dict[str, list[str]]:
    """The sections of which a snapshot names all there is; of some, the parts of which it does (LISTED_BY)."""
    found: dict[str, list[str]] = {name: [] for name in CURRENT if name in covers and name not in LISTED_BY}
    for section, _, part in (each.partition("/") for each in covers):
        if section in LISTED_BY and part:
            found.setdefault(section, []).append(part)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """One cluster's batch."""

    registration_id: UUID
    mark: InventoryMark
    at: datetime
    sections: dict[str, PreparedTable]
    covered: dict[str, list[str]]

    @classmethod
    def of(cls, batch: DecodedBatch) -> "_Given":
        mark = batch.header.inventory
        if mark is None:
            msg = "the door lets no inventory in without its chain mark"
            raise ValueError(msg)
        return cls(
            registration_id=batch.principal.registration_id,
            mark=mark,
            at=datetime.fromtimestamp(batch.header.window_start_s, UTC),
            sections=cast("dict[str, PreparedTable]", batch.prepared or {}),
            covered=covered_sections(batch.covers),
        )


class _Application:
    def __init__(self, raw: Raw, group: Sequence[DecodedBatch]) -> None:
        self._raw = raw
        self._scope = system_scope(group[0].principal.tenant_id, "spokes")
        self._merge = Merge(raw, self._scope)
        self._group = [_Given.of(batch) for batch in group]
        self._grown: defaultdict[UUID, Counter[str]] = defaultdict(Counter)

    async def run(self) -> None:
        """Apply each batch as its mark says."""
        # A group has one batch of each cluster, so their order among clusters means nothing, and each statement takes
        # many.
        deltas = [each for each in self._group if each.mark.mode == "delta"]
        snapshots = [each for each in self._group if each.mark.mode != "delta"]
        if snapshots:
            await self._snapshots(snapshots)
        if deltas:
            await self._deltas(deltas)
        grown = {mine: {name: counts[name] for name in COUNTED} for mine, counts in self._grown.items()}
        changed = {mine: counts for mine, counts in grown.items() if any(counts.values())}
        counted = {each.registration_id: grown.get(each.registration_id, {}) for each in snapshots} | changed
        if counted:
            await self._merge.add_counts(counted)

    async def _snapshots(self, snapshots: Sequence[_Given]) -> None:
        known = await self._merge.known([each.registration_id for each in snapshots if each.mark.part == 1])
        new = [each for each in snapshots if each.mark.part == 1 and each.registration_id not in known]
        if new:
            await self._first(new)
        whole = [each for each in snapshots if each not in new and each.mark.parts == 1]
        if whole:
            await self._replace(whole)
        for part in snapshots:
            # One by one: the temporary tables hold one part, and what its uids are is noted per cluster for the last
            # part.
            if part.mark.parts > 1 and part not in new:
                await self._replace_part(part)

    async def _first(self, new: Sequence[_Given]) -> None:
        """Nothing to merge with and nothing to close."""
        await self._merge.make_stages(CURRENT)
        for section in CURRENT:
            tables = _tables(new, section)
            if tables:
                await self._merge.stage(section, list(tables.values()))
                await self._merge.add(section)
            self._grow(section, Counter({mine: table.live for mine, table in tables.items()}))
        await self._note_parts([each for each in new if each.mark.parts > 1])
        whole = [(each.registration_id, each.at) for each in new if each.mark.parts == 1]
        for section in identities.SECTIONS if whole else ():
            await identities.follow(self._scope, self._raw, section, whole, first=True)

    async def _note_parts(self, parts: Sequence[_Given]) -> None:
        """What first parts name, for their last ones."""
        for section in CURRENT:
            tables = list(_tables(parts, section).values())
            if tables:
                await self._merge.stage(section, tables)
                await self._merge.note_uids(section)

    async def _replace(self, whole: Sequence[_Given]) -> None:
        """A covered section that a snapshot does not carry had no objects."""
        await self._merge.make_stages(CURRENT)
        for section in CURRENT:
            tables = list(_tables(whole, section).values())
            if tables:
                await self._merge.stage(section, tables)
                self._grow(section, await self._merge.merge(section))
            covered = _covered(whole, section)
            if covered:
                self._grow(section, await self._merge.close_missing(section, covered))
        await self._follow_all(whole)

    async def _replace_part(self, part: _Given) -> None:
        """Its rows now; what no part named ends with the last one."""
        # An earlier snapshot that never came to its end may have left uids: what it named would be kept alive by this
        # one.
        if part.mark.part == 1:
            await self._merge.forget_uids(part.registration_id)
        await self._merge.make_stages(CURRENT)
        for section, table in part.sections.items():
            if table.rows:
                await self._merge.stage(section, [table])
                await self._merge.note_uids(section)
                self._grow(section, await self._merge.merge(section))
        if part.mark.part == part.mark.parts:
            for section in part.covered:
                self._grow(section, await self._merge.close_missing_of_parts(section, _covered([part], section)))
            await self._merge.forget_uids(part.registration_id)
            await self._follow_all([part])

    async def _follow_all(self, snapshots: Sequence[_Given]) -> None:
        seen = [(each.registration_id, each.at) for each in snapshots]
        for section in identities.SECTIONS:
            await identities.follow(self._scope, self._raw, section, seen)

    async def _deltas(self, deltas: Sequence[_Given]) -> None:
        at = {each.registration_id: each.at for each in deltas}
        upserts = {section: _tables(deltas, section) for section in CURRENT}
        await self._merge.make_stages(section for section, tables in upserts.items() if tables)
        for section, tables in upserts.items():
            if tables:
                await self._merge.stage(section, list(tables.values()))
                self._grow(section, await self._merge.merge(section))
            touched = {each.registration_id: each.sections[section] for each in deltas if section in each.sections}
            gone = {mine: table.gone for mine, table in touched.items() if table.gone.uids}
            if gone:
                self._grow(section, await self._merge.close_named(section, gone))
            if section in identities.SECTIONS and touched:
                rows = [
                    (mine, at[mine], uid) for mine, table in touched.items() for uid in (*table.uids, *table.gone.uids)
                ]
                await identities.follow_touched(self._scope, self._raw, section, rows)

    def _grow(self, section: str, grown: Grown) -> None:
        for registration_id, rows in grown.items():
            self._grown[registration_id][section] += rows


def _covered(given: Iterable[_Given], section: str) -> list[Covered]:
    return [
        (each.registration_id, each.at, kind)
        for each in given
        if section in each.covered
        for kind in each.covered[section] or [""]
    ]


def _tables(given: Iterable[_Given], section: str) -> dict[UUID, PreparedTable]:
    """The section of those who upsert any of it."""
    return {
        each.registration_id: table
        for each in given
        if (table := each.sections.get(section)) is not None and table.rows
    }
