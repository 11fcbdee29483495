"""Keyset pages of many parents in one statement: what GraphQL connections read.

A connection inside a list (the pods of fifty clusters) needs one page per parent, and
the number of statements must not depend on the number of parents.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    cast,
    func,
    literal,
    select,
    true,
    tuple_,
)

from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.cursors import Key, encode_cursor
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.windows import Window, other_list, reader, span

T = TypeVar("T")
S_contra = TypeVar("S_contra", contravariant=True)
Where = Callable[[S_contra, Any], Sequence[ColumnElement[bool]]]

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEY: Final = "order_key_{}"
_BITS: Final = ((SmallInteger, 15), (BigInteger, 63), (Integer, 31))
"""Of what a column of whole numbers holds."""


class Rows(list[Row[Any]]):
    """Rows of one result, so with the same columns in the same places: `fields` names them."""

    def __init__(self, rows: Sequence[Row[Any]] = ()) -> None:
        super().__init__(rows)
        self.fields: tuple[str, ...] = rows[0]._fields if rows else ()


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of one parent. Rows have an attribute per column asked for, and their order keys."""

    rows: Sequence[Any] = field(default_factory=Rows)
    has_next: bool = False
    has_previous: bool = False
    order: str = ""
    keys: int = 0
    key: Callable[[Any], Key] | None = None
    """The order key of an item in memory; None for rows."""

    def cursor(self, row: object) -> str:
        """Opaque text from which the next page goes on after `row`."""
        stored = tuple(getattr(row, _KEY.format(at)) for at in range(self.keys))
        return encode_cursor(self.key(row) if self.key else stored, self.order)

    @property
    def start_cursor(self) -> str | None:
        """The first row's cursor; None for an empty page."""
        return self.cursor(self.rows[0]) if self.rows else None

    @property
    def end_cursor(self) -> str | None:
        """The last row's cursor; None for an empty page."""
        return self.cursor(self.rows[-1]) if self.rows else None


def sliced(items: Sequence[T], key: Callable[[T], Key], order: str, window: Window) -> Slice:
    """One page of items in memory that are sorted by `key`, ascending and unique."""
    start, stop = span(items, key, window.ends(reader(order)), window)
    return Slice(items[start:stop], stop < len(items), start > 0, order, key=key)


@dataclass(frozen=True, eq=False, kw_only=True)
class Listing(Generic[S_contra]):
    """A list to page through: what a row shows, whose it is, and its order (NOT NULL and unique within a parent).

    `where` turns (scope, filter) into conditions and always includes the tenant's.
    """

    name: str
    source: FromClause
    columns: Sequence[ColumnElement[Any]]
    order: Sequence[ColumnElement[Any]]
    where: Where[S_contra]
    parent: ColumnElement[Any] | None = None
    descending: bool = False

    async def slices(
        self, c: ReadConnection, scope: S_contra, parents: Sequence[Any], window: Window, asked: object
    ) -> dict[Any, Slice]:
        """The page of every parent; the parent None means the whole tenant."""
        if None in parents or len(parents) == 1:
            return {parent: await self._page(c, scope, parent, window, asked) for parent in parents}
        parent = self._parent()
        ids = array_table("parents", {"parent": parent.type}, [parents])
        statement = self.page_of(scope, asked, window).where(parent == ids.c.parent)
        inner = statement.lateral("page")
        rows = await c.rows(select(ids.c.parent.label("page_parent"), inner).select_from(ids.join(inner, true())))
        found: dict[Any, list[Row[Any]]] = {parent: [] for parent in parents}
        for row in rows:
            found[row.page_parent].append(row)
        return {parent: self.cut(rows_of, window) for parent, rows_of in found.items()}

    async def counts(self, c: ReadConnection, scope: S_contra, parents: Sequence[Any], asked: object) -> dict[Any, int]:
        """How many rows every parent has."""
        where = self.where(scope, asked)
        if None in parents:
            total = await c.scalar(select(func.count()).select_from(self.source).where(*where))
            return dict.fromkeys(parents, int(total or 0))
        parent = self._parent()
        counted = select(parent.label("parent"), func.count().label("rows"))
        statement = counted.select_from(self.source).where(*where, parent.in_(parents)).group_by(parent)
        found = {row.parent: int(row.rows) for row in await c.rows(statement)}
        return {each: found.get(each, 0) for each in parents}

    async def named(
        self, c: ReadConnection, scope: S_contra, name: ColumnElement[Any], names: Sequence[Any]
    ) -> dict[Any, Row[Any]]:
        """Rows by a column that is unique, with the same columns as in a page: for loaders."""
        statement = select(*self.columns, name.label("row_name")).select_from(self.source)
        rows = await c.rows(statement.where(*self.where(scope, None), name.in_(names)))
        return {row.row_name: row for row in rows}

    async def one(self, c: ReadConnection, scope: S_contra, *conditions: ColumnElement[bool]) -> Row[Any] | None:
        """The row that meets the conditions, with the same columns as in a page."""
        statement = select(*self.columns).select_from(self.source).where(*self.where(scope, None), *conditions)
        return await c.one_or_none(statement.limit(1))

    async def _page(self, c: ReadConnection, scope: S_contra, parent: object, window: Window, asked: object) -> Slice:
        statement = self.page_of(scope, asked, window)
        if parent is not None:
            statement = statement.where(self._parent() == parent)
        return self.cut(await c.rows(statement), window)

    def page_of(self, scope: S_contra, asked: object, window: Window) -> Select[Any]:
        """The statement of one page, with one row more than asked for: callers narrow it to a parent."""
        size = window.checked().size
        keys = [column.label(_KEY.format(at)) for at, column in enumerate(self.order)]
        statement = select(*self.columns, *keys).select_from(self.source).where(*self.where(scope, asked))
        if window.after is not None:
            statement = statement.where(self._beyond(window.after, falling=self.descending))
        if window.before is not None:
            statement = statement.where(self._beyond(window.before, falling=not self.descending))
        falling = self.descending != window.backwards
        ordered = [column.desc() if falling else column.asc() for column in self.order]
        return statement.order_by(*ordered).limit(size + 1)

    def _beyond(self, cursor: str, *, falling: bool) -> ColumnElement[bool]:
        values = reader(self.name)(cursor)
        # Compared by PostgreSQL with the wrong type or out of its range, a value would be a fault of ours in the log.
        if len(values) != len(self.order) or not all(map(_fits, values, self.order)):
            raise other_list()
        left = tuple_(*self.order)
        right = tuple_(*values, types=[column.type for column in self.order])
        # A comparison of rows, which an index of these columns answers as one range.
        return left < right if falling else left > right

    def cut(self, rows: Sequence[Row[Any]], window: Window) -> Slice:
        """The page from the rows of `page_of`, in the list's order however it was read."""
        more, shown = len(rows) > window.size, rows[: window.size]
        if window.backwards:
            return Slice(Rows(shown[::-1]), window.before is not None, more, self.name, len(self.order))
        return Slice(Rows(shown), more, window.after is not None, self.name, len(self.order))

    def _parent(self) -> ColumnElement[Any]:
        if self.parent is None:
            msg = f"{self.name} has no parent"
            raise TypeError(msg)
        return self.parent


def orders(
    listing: Listing[S_contra], by: Mapping[str, ColumnElement[Any]], unique: Sequence[ColumnElement[Any]]
) -> Mapping[tuple[str, bool], Listing[S_contra]]:
    """The same list by each of these columns, rising and falling: keys are (name, falling).

    Where several rows have the same, `unique` columns decide. Nothing may be NULL: see `never_null`.
    """
    return {
        (name, falling): replace(
            listing,
            name=f"{listing.name} by {name} {'falling' if falling else 'rising'}",
            order=[column, *unique],
            descending=falling,
        )
        for name, column in by.items()
        for falling in (False, True)
    }


def never_null(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A time as an order; what never happened comes before everything."""
    return func.coalesce(column, literal(_NEVER, column.type), type_=column.type)


def _fits(value: object, column: ColumnElement[Any]) -> bool:
    """Whether a cursor's value can be compared with the column: not every cursor was made by us."""
    kind = column.type
    bits = next((bits for of, bits in _BITS if isinstance(kind, of)), 0)
    if bits:
        return type(value) is int and -(2**bits) <= value < 2**bits
    return isinstance(value, kind.python_type)


def id_column(kind: str, *parts: ColumnElement[Any]) -> ColumnElement[str]:
    """`Kind:part:part` as the column `id`: the global id, made by the database so that rows need no converting."""
    text: ColumnElement[str] = literal(kind)
    for part in parts:
        text = text.concat(literal(":")).concat(cast(part, Text))
    return text.label("id")


def plain(table: Table, *names: str) -> list[ColumnElement[Any]]:
    """The table's columns under their own names."""
    return [table.c[name] for name in names]


def contains_text(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Whether a text column contains `part`, in any case."""
    return column.icontains(part, autoescape=True)
