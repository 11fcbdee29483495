"""Python values inside a statement as arrays: one parameter per column, however many rows there are."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Subquery, any_, bindparam, func, literal, select
from sqlalchemy.types import TypeEngine


def array_table(
    alias: str, columns: Mapping[str, TypeEngine[Any]], values: Iterable[Collection[Any]] | None = None
) -> Subquery:
    """A table of these columns inside a statement; `values` are the cells of each, all of one length.

    Without `values` the statement is built once and given the cells whenever it is executed, as `<alias>_<column>`.
    """
    given = [None] * len(columns) if values is None else list(values)
    cells = (
        func.unnest(_array(f"{alias}_{name}", kind, each)).label(name)
        for (name, kind), each in zip(columns.items(), given, strict=True)
    )
    return select(*cells).subquery(alias)


def _array(name: str, kind: TypeEngine[Any], cells: Collection[Any] | None) -> BindParameter[Any]:
    return bindparam(name, None if cells is None else list(cells), type_=ARRAY(kind), required=cells is None)


def one_of(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether the column's value is among these, which may be many."""
    return column == any_(literal(list(values), ARRAY(column.type)))
