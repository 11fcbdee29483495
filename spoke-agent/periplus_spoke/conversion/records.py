"""What collectors hand to the outbox: columns of one observation, not yet Arrow, not yet sealed."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from periplus_contract.batch import FlowsMark
from periplus_contract.tables import Kind, Table
from periplus_spoke.conversion.ready import ReadyColumn

Cell = str | bool | int | list[str] | tuple[str, ...] | None
"""A value of a column: timestamps are whole microseconds UTC, counts of addresses are decimal text."""
Values: TypeAlias = "list[Cell] | array[int] | ReadyColumn"
"""A column: cell by cell, or ready to be sent (numbers as an `array` of the type's code, anything as Arrow)."""


class SectionRows(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of one table, column by column.

    `columns` has one entry per column that has any value, each of length `rows`; a column of the table that is
    missing is all null.
    """

    table: Table
    columns: Mapping[str, Values]
    rows: int

    def cut(self, start: int, end: int) -> "SectionRows":
        """Rows [start, end)."""
        if (start, end) == (0, self.rows):
            return self
        columns = {name: values[start:end] for name, values in self.columns.items()}
        return SectionRows(table=self.table, columns=columns, rows=end - start)

    def take(self, rows: Sequence[int]) -> "SectionRows":
        """The rows of these numbers, in this order."""
        return SectionRows(
            table=self.table, columns={name: _taken(each, rows) for name, each in self.columns.items()}, rows=len(rows)
        )


def cells(values: Values) -> "Sequence[Cell]":
    """A column, cell by cell."""
    return values.cells() if isinstance(values, ReadyColumn) else values


def _taken(values: Values, rows: Sequence[int]) -> Values:
    if isinstance(values, array):
        numbers = values[:0]
        numbers.extend(values[row] for row in rows)
        return numbers
    of = cells(values)
    return [of[row] for row in rows]


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
    flows: FlowsMark | None = None
    """Only for flows, and always for those."""

    @property
    def rows(self) -> int:
        """Rows over all sections."""
        return sum(section.rows for section in self.sections)
