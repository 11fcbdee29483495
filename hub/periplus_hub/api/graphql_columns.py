"""Completion of a column of leaf values at once, with the very results graphql-core gives value by value."""

from collections.abc import Callable, Sequence
from enum import Enum
from math import isfinite
from typing import Final

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
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

Column = Sequence[object]
Completer = Callable[[Column], list[object]]

_INT_MIN: Final = -(2**31)
_INT_MAX: Final = 2**31 - 1
_NULL: Final = type(None)


class NotColumnarError(Exception):
    """This column needs the value-by-value path: an error to report, or a value of an unusual kind."""


def completer_of(leaf: GraphQLOutputType) -> Completer | None:
    """A column completer for a leaf type or a list of leaves, wrapped in its non-null marks; None for others."""
    if is_non_null_type(leaf):
        inner = completer_of(leaf.of_type)
        return None if inner is None else _without_nulls(inner)
    if is_list_type(leaf):
        inner = completer_of(leaf.of_type)
        return None if inner is None else _lists(inner)
    return _leaf(leaf) if is_leaf_type(leaf) else None


def _without_nulls(inner: Completer) -> Completer:
    def complete(column: Column) -> list[object]:
        completed = inner(column)
        if None in completed:
            raise NotColumnarError
        return completed

    return complete


def _lists(inner: Completer) -> Completer:
    """Lists and tuples only; all their items are completed as one column."""

    def complete(column: Column) -> list[object]:
        if not {type(value) for value in column} <= {list, tuple, _NULL}:
            raise NotColumnarError
        values = [item for value in column if value is not None for item in value]  # type: ignore[attr-defined]  # a list or tuple, see above
        completed = iter(inner(values))
        return [
            None if value is None else [next(completed) for _ in value]  # type: ignore[attr-defined]  # a list or tuple, see above
            for value in column
        ]

    return complete


_EXACT: Final[dict[GraphQLLeafType, type]] = {
    GraphQLString: str,
    GraphQLID: str,
    GraphQLBoolean: bool,
    GraphQLInt: int,
    GraphQLFloat: float,
}


def _leaf(leaf: GraphQLLeafType) -> Completer:
    exact = _EXACT.get(leaf)

    def complete(column: Column) -> list[object]:
        kinds = {type(value) for value in column}
        kinds.discard(_NULL)
        if any(issubclass(kind, Exception) or hasattr(kind, "__await__") for kind in kinds):
            raise NotColumnarError
        if exact is not None and kinds <= {exact} and _in_range(leaf, column):
            return column if isinstance(column, list) else list(column)
        return _each(leaf, column)

    return complete


def _in_range(leaf: GraphQLLeafType, column: Column) -> bool:
    if leaf is GraphQLInt:
        return all(value is None or _INT_MIN <= value <= _INT_MAX for value in column)  # type: ignore[operator]  # only ints are here
    return leaf is not GraphQLFloat or all(value is None or isfinite(value) for value in column)  # type: ignore[arg-type]  # only floats are here


def _each(leaf: GraphQLLeafType, column: Column) -> list[object]:
    """Value by value; enums remember what they saw, because they have few values in many rows."""
    coerce = leaf.coerce_output_value
    seen: dict[object, object] = {}
    completed: list[object] = []
    memoised = isinstance(leaf, GraphQLEnumType)
    try:
        for value in column:
            if value is None or value is Undefined:
                completed.append(None)
            elif memoised and isinstance(value, str | Enum):
                result = seen.get(value)
                if result is None:
                    result = seen[value] = coerce(value)
                completed.append(result)
            else:
                completed.append(coerce(value))
    except Exception as error:  # scalars may raise anything; the stock path meets it again and reports it
        raise NotColumnarError from error
    if completed.count(None) != sum(value is None or value is Undefined for value in column):
        raise NotColumnarError
    return completed
