"""Completion of a column of leaf values at once, with the very results graphql-core gives value by value.

A column is looked at as a whole: which classes are in it decides whether its values stay as they are, go through the
leaf's own function in one `map`, or are left to the value-by-value path.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from itertools import chain, islice
from math import isfinite
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from periplus_hub.kit.graphql_scalars import COLUMN_WRITERS

Column = Sequence[object]
Completer = Callable[[Column], list[object]]

_INT_MIN: Final = -(2**31)
_INT_MAX: Final = 2**31 - 1
_NULL: Final = type(None)
_EXACT: Final[dict[GraphQLLeafType, type]] = {
    GraphQLString: str,
    GraphQLID: str,
    GraphQLBoolean: bool,
    GraphQLInt: int,
    GraphQLFloat: float,
}


class NotColumnarError(Exception):
    """This column needs the value-by-value path: an error to report, or a value of an unusual kind."""


def completer_of(output: GraphQLOutputType) -> Completer | None:
    """A column completer for a leaf type or a list of leaves, with or without non-null marks; None for others.

    It may return the very list it was given, when nothing in it needs to change.
    """
    required, nullable = is_non_null_type(output), get_nullable_type(output)
    if is_list_type(nullable):
        inner = completer_of(nullable.of_type)
        return None if inner is None else _lists(inner, required=required)
    return _leaf(nullable, required=required) if is_leaf_type(nullable) else None


def _lists(inner: Completer, *, required: bool) -> Completer:
    """Lists and tuples only; all their items are completed as one column."""

    def complete(column: Column) -> list[object]:
        kinds = set(map(type, column))
        if not kinds <= {list, tuple, _NULL} or (required and _NULL in kinds):
            raise NotColumnarError
        lists: list[Any] = [value for value in column if value is not None] if _NULL in kinds else list(column)
        items = list(chain.from_iterable(lists))
        completed = inner(items)
        # Nothing changed, so neither do the lists; a tuple has to become a list, as the stock path makes it.
        if completed is items and tuple not in kinds:
            return list(column)
        each = iter(completed)
        return [None if value is None else list(islice(each, len(value))) for value in column]  # type: ignore[arg-type]  # a list or tuple, see above

    return complete


def _leaf(leaf: GraphQLLeafType, *, required: bool) -> Completer:
    exact = _EXACT.get(leaf)

    def complete(column: Column) -> list[object]:
        kinds = set(map(type, column))
        nulls = _NULL in kinds
        if required and nulls:
            raise NotColumnarError
        # `bool` is an `int` and a string scalar's subclass may write itself otherwise: only exactly the leaf's own
        # class is taken as it is.
        kinds.discard(_NULL)
        if exact is not None and kinds <= {exact}:
            if kinds and not _in_range(leaf, column, nulls=nulls):
                raise NotColumnarError
            return column if isinstance(column, list) else list(column)
        if any(issubclass(kind, Exception) or hasattr(kind, "__await__") for kind in kinds):
            raise NotColumnarError
        if nulls or type(Undefined) in kinds:
            return _with_nulls(leaf, column, kinds, required=required)
        return _written(leaf, column, kinds)

    return complete


def _in_range(leaf: GraphQLLeafType, column: Column, *, nulls: bool) -> bool:
    """Only for columns of nothing but the leaf's own class."""
    values: Any = [value for value in column if value is not None] if nulls else column
    if leaf is GraphQLInt:
        return bool(min(values) >= _INT_MIN and max(values) <= _INT_MAX)
    return leaf is not GraphQLFloat or all(map(isfinite, values))


def _nothing(_column: Column) -> None:
    """What a leaf without a column writer has."""


def _with_nulls(leaf: GraphQLLeafType, column: Column, kinds: set[type], *, required: bool) -> list[object]:
    present = [value for value in column if value is not None and value is not Undefined]
    if required and len(present) < len(column):
        raise NotColumnarError
    written = iter(_written(leaf, present, kinds))
    return [None if value is None or value is Undefined else next(written) for value in column]


def _written(leaf: GraphQLLeafType, column: Column, kinds: set[type]) -> list[object]:
    """Values that are there, through the leaf's own function."""
    write = leaf.coerce_output_value
    try:
        if isinstance(leaf, GraphQLEnumType) and len(kinds) == 1 and isinstance(column[0], str | Enum):
            names = {value: write(value) for value in set(column)}  # few values in many rows
            written = list(map(names.__getitem__, column))
        else:
            whole = COLUMN_WRITERS.get(write, _nothing)
            written = whole(column) or list(map(write, column))
    except Exception as error:  # scalars may raise anything; the stock path meets it again and reports it
        raise NotColumnarError from error
    if None in written:
        raise NotColumnarError
    return written
