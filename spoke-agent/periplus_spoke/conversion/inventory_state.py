"""What the hub should believe, row by row, and what has changed since it was last told.

Laws, held by property tests: a snapshot followed by every delta drained since equals the state; a row appears at
most once per table in one delta; a row that came and went between two drains still appears, in two deltas.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from periplus_contract.tables import Kind, Table
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows
from periplus_spoke.conversion.rows import FIXED_COLUMNS, ORDER, Row, positions

UPSERT: Final = "upsert"
DELETE: Final = "delete"
_ENDED_AT: Final = "ended_at"
_MICROS: Final = 1_000_000


class Change(msgspec.Struct, gc=False):
    """One row of a delta; `row` is None for a delete."""

    row: Row | None
    observed_at_us: int
    ended_at_us: int | None = None
    """Only for a deleted row whose table has `ended_at`: the end its last state named, else the deletion."""


Layer = dict[str, dict[str, Change]]
"""Table name to row uid to change: what becomes one delta."""


class InventoryState:
    """All rows of one cluster. Rows enter by the object that gave them, and leave with it."""

    def __init__(self, tables: tuple[Table, ...] = ORDER) -> None:
        self._tables = tables
        self._rows: dict[str, dict[str, Row]] = {table.name: {} for table in tables}
        self._parts: dict[str, dict[str, tuple[str, ...]]] = {table.name: {} for table in tables}
        self._layers: list[Layer] = []
        self.revisions: dict[str, int] = {table.name: 0 for table in tables}
        """Counts changes per table: equal revisions mean equal rows."""

    def rows(self, table: Table) -> Mapping[str, Row]:
        """The rows of `table` by uid, live: do not keep it across changes."""
        return self._rows[table.name]

    @property
    def changed(self) -> bool:
        """Whether a delta waits."""
        return bool(self._layers)

    @property
    def total(self) -> int:
        """Rows over all tables."""
        return sum(map(len, self._rows.values()))

    def put(self, table: Table, uid: str, row: Row, at_us: int) -> None:
        """Set the one row of an object."""
        rows = self._rows[table.name]
        # Nodes and leases are written every few seconds without a change that a row shows: those are no news.
        if rows.get(uid) == row:
            return
        rows[uid] = row
        self._note(table, uid, Change(row, at_us))

    def put_many(self, table: Table, owner: str, rows: Iterable[tuple[str, Row]], at_us: int) -> None:
        """Set all rows of the object `owner`; those it gave before and no longer gives are deleted."""
        fresh = dict(rows)
        parts = self._parts[table.name]
        for uid in parts.get(owner, ()):
            if uid not in fresh:
                self.drop(table, uid, at_us)
        for uid, row in fresh.items():
            self.put(table, uid, row, at_us)
        if fresh:
            parts[owner] = tuple(fresh)
        else:
            parts.pop(owner, None)

    def drop(self, table: Table, uid: str, at_us: int) -> None:
        """Remove one row; unknown ones are ignored."""
        row = self._rows[table.name].pop(uid, None)
        if row is None:
            return
        ended = row[positions(table)[_ENDED_AT]] if _ENDED_AT in table.column_names else None
        self._note(table, uid, Change(None, at_us, ended if isinstance(ended, int) else at_us))

    def owners(self, table: Table) -> Iterable[str]:
        """Objects that gave rows through `put_many`."""
        return tuple(self._parts[table.name])

    def _note(self, table: Table, uid: str, change: Change) -> None:
        self.revisions[table.name] += 1
        if not self._layers:
            self._layers.append({})
        waiting = self._layers[-1].setdefault(table.name, {})
        known = waiting.get(uid)
        if change.row is None and known is not None and known.row is not None:
            # Its last state was never told: tell it first, then the end, or a short life leaves no trace.
            self._layers.append({table.name: {uid: change}})
            return
        waiting[uid] = change

    def drain(self) -> list[Sealable]:
        """The deltas since the last drain or snapshot, in the order they must be applied."""
        layers, self._layers = self._layers, []
        return [sealable for layer in layers if (sealable := self._delta(layer)) is not None]

    def _delta(self, layer: Layer) -> Sealable | None:
        sections = tuple(
            _section(table, list(layer[table.name].items())) for table in self._tables if layer.get(table.name)
        )
        if not sections:
            return None
        last_us = max(item.observed_at_us for changes in layer.values() for item in changes.values())
        return Sealable(
            kind=Kind.INVENTORY, window_start_s=last_us // _MICROS, window_s=0, sections=sections, mode="delta"
        )

    def snapshot(self, at_us: int, covers: tuple[str, ...] = ()) -> Sealable:
        """Everything, as observed at `at_us`, complete for `covers`; forgets what waited, for it is in here."""
        self._layers = []
        sections = tuple(
            _section(table, [(uid, Change(row, at_us)) for uid, row in self._rows[table.name].items()])
            for table in self._tables
            if self._rows[table.name]
        )
        return Sealable(
            kind=Kind.INVENTORY,
            window_start_s=at_us // _MICROS,
            window_s=0,
            sections=sections,
            mode="snapshot",
            covers=covers,
        )


def _section(table: Table, changes: list[tuple[str, Change]]) -> SectionRows:
    columns: dict[str, list[Cell]] = {
        "op": [DELETE if change.row is None else UPSERT for _, change in changes],
        "uid": [uid for uid, _ in changes],
        "observed_at": [change.observed_at_us for _, change in changes],
    }
    for index, name in enumerate(table.column_names[FIXED_COLUMNS:]):
        columns[name] = [None if change.row is None else change.row[index] for _, change in changes]
    if _ENDED_AT in columns:
        columns[_ENDED_AT] = [
            change.ended_at_us if change.row is None else ended
            for (_, change), ended in zip(changes, columns[_ENDED_AT], strict=True)
        ]
    return SectionRows(table=table, columns=columns, rows=len(changes))
