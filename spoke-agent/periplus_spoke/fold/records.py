"""What collectors hand to the outbox: columns of one observation, not yet Arrow, not yet sealed."""

from typing import Literal

import msgspec

from periplus_contract.tables import Kind, Table

Cell = str | bool | int | list[str] | tuple[str, ...] | None
"""A value of a column: timestamps are whole microseconds UTC, counts of addresses are decimal text."""


class SectionRows(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of one table, column by column.

    `columns` has one list per column that has any value, each of length `rows`; a column of the table that is
    missing is all null.
    """

    table: Table
    columns: dict[str, list[Cell]]
    rows: int


class Sealable(msgspec.Struct, frozen=True, kw_only=True):
    """One batch without its place in the epoch: the outbox gives it seq, parts and sha256."""

    kind: Kind
    window_start_s: int
    """Unix seconds; for inventory the time of observation."""
    window_s: int
    sections: tuple[SectionRows, ...]
    mode: Literal["snapshot", "delta"] | None = None
    """Only for inventory."""
    covers: tuple[str, ...] = ()
    """What it states completely, by names of `periplus_contract.covers`."""

    @property
    def rows(self) -> int:
        """Rows over all sections."""
        return sum(section.rows for section in self.sections)
