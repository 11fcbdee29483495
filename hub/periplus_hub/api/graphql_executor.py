"""graphql-core's executor with lists of plain objects completed column by column.

Stock completion costs about 2.7 µs per field. A list whose selections are plain attributes (leaves, lists of leaves,
nested plain objects) is compiled once into columns: each attribute read for all rows, checked and completed as a
column, rows put together from the columns. Everything else (resolvers, arguments, awaitables, abstract types, null
where none is allowed, values that do not serialise) takes the stock path, which then also words the error. Plain
attributes have no side effects, so reading some twice is harmless.

A completed row is a msgspec Struct instead of a dict: it is made ten times faster, the garbage collector need not
follow it, and msgspec writes it as the same JSON object. Nothing in graphql-core reads a completed row again.

This rests on internals of graphql-core 3.3.2 (`complete_list_value`, `collect_subfields`) and is held to the stock
executor's results by property tests.
"""

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Final, cast

import msgspec
from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    get_named_type,
    get_nullable_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.field import StrawberryField

from periplus_hub.api.graphql_columns import Column, Completer, NotColumnarError, completer_of
from periplus_hub.kit.graphql_parsed import Parsed, parsed_of
from periplus_hub.kit.keyset import Rows

_Part = Callable[[Sequence[object], GraphQLResolveInfo[Any]], Column]
"""One response name of a compiled selection: its column for these rows."""
SHORTEST: Final = 4
"""Shorter lists are not worth compiling."""
_ROW_TYPES: Final = 256
"""Kept from one execution to the next; making one takes less than 0.1 ms."""
_NULL: Final = type(None)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A compiled selection set on one object type."""

    object_type: GraphQLObjectType
    row: type[msgspec.Struct]
    parts: tuple[_Part, ...]

    def complete(self, rows: Sequence[object], info: GraphQLResolveInfo[Any]) -> list[object]:
        """The completed rows; raises NotColumnarError when the stock path must decide."""
        kinds = set(map(type, rows))
        # By class and not by row: a list has few classes and many rows.
        if any(kind is _NULL or issubclass(kind, Exception) or hasattr(kind, "__await__") for kind in kinds):
            raise NotColumnarError
        is_type_of = self.object_type.is_type_of
        if is_type_of is not None and not all(is_type_of(row, info) is True for row in self._samples(rows, kinds)):
            raise NotColumnarError
        if not self.parts:
            return [self.row() for _ in rows]
        return list(map(self.row, *(part(rows, info) for part in self.parts)))

    def _samples(self, rows: Sequence[object], kinds: set[type]) -> Sequence[object]:
        """One row per class where the type decides by class alone, else every row."""
        definition = self.object_type.extensions.get("strawberry-definition")
        if not getattr(getattr(definition, "origin", None), "typed_by_class", False):
            return rows
        first: dict[type, object] = {}
        for row in rows:
            first.setdefault(type(row), row)
            if len(first) == len(kinds):
                break
        return list(first.values())


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """See the module's text. Plans live as long as one execution, like the field lists they are compiled from."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._plans: dict[tuple[GraphQLObjectType, int], _Plan | None] = {}

    def complete_list_value(  # noqa: PLR0917 - the signature is graphql-core's
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: AsyncIterable[Any] | Iterable[Any],
        position_context: Any,  # noqa: ANN401 - graphql-core's own type is not exported
    ) -> AwaitableOrValue[list[Any]]:
        """Column by column where possible."""
        if isinstance(result, list | tuple) and len(result) >= SHORTEST:
            completed = self._columnar(return_type.of_type, field_details_list, info, result)
            if completed is not None:
                return completed
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _columnar(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        rows: Sequence[object],
    ) -> list[object] | None:
        nullable = item_type.of_type if is_non_null_type(item_type) else item_type
        try:
            if is_object_type(nullable):
                plan = self._plan(nullable, field_details_list)
                return None if plan is None else plan.complete(rows, info)
            completer = completer_of(item_type)
            return None if completer is None else list(completer(rows))
        except NotColumnarError:
            return None

    def _plan(self, object_type: GraphQLObjectType, field_details_list: FieldDetailsList) -> _Plan | None:
        # By identity, as graphql-core memoises subfields itself: it keeps these lists as long as this executor lives.
        key = (object_type, id(field_details_list))
        if key not in self._plans:
            self._plans[key] = self._compile(object_type, field_details_list)
        return self._plans[key]

    def _compile(self, object_type: GraphQLObjectType, field_details_list: FieldDetailsList) -> _Plan | None:
        grouped, deferred, forbidden = self.collect_subfields(object_type, field_details_list)
        if deferred or forbidden or self._resolvers_are_wrapped():
            return None
        names: list[str] = []
        parts: list[_Part] = []
        for name, details in grouped.items():
            part = self._part(object_type, details)
            if part is None:
                return None
            names.append(name)
            parts.append(part)
        return _Plan(object_type, _row_type(tuple(names)), tuple(parts))

    def _resolvers_are_wrapped(self) -> bool:
        """Whether some extension wraps resolvers: then nothing may be skipped."""
        return self.middleware_manager is not None and bool(self.middleware_manager.middlewares)

    def _part(self, object_type: GraphQLObjectType, details: FieldDetailsList) -> _Part | None:
        name = details[0].node.name.value
        if name == "__typename":
            return _constant(object_type.name)
        definition = self.schema.get_field(object_type, name)
        attribute = None if definition is None else _attribute(definition)
        how = None if definition is None else _parsed(definition)
        if definition is not None and how is not None:
            return self._made_of_texts(definition.type, how, details)
        if definition is None or attribute is None:
            return None
        completer = completer_of(definition.type)
        if completer is not None:
            return _leaves(attribute, completer)
        return self._objects(definition.type, attribute, details)

    def _made_of_texts(self, field_type: GraphQLOutputType, how: Parsed, details: FieldDetailsList) -> _Part | None:
        plan = self._plan(cast("GraphQLObjectType", get_named_type(field_type)), details)
        if plan is None:
            return None

        def complete(rows: Sequence[object], info: GraphQLResolveInfo[Any]) -> Column:
            lists = cast("list[list[str]]", _read(how.attribute, rows))
            if not all(type(texts) is list for texts in lists):
                raise NotColumnarError
            # Rows mostly have the same few texts: each different one is parsed and completed once.
            different = list(dict.fromkeys(chain.from_iterable(lists)))
            made = dict(zip(different, plan.complete(list(map(how.parse, different)), info), strict=True))
            return [[made[text] for text in texts] for texts in lists]

        return complete

    def _objects(self, field_type: GraphQLOutputType, attribute: str, details: FieldDetailsList) -> _Part | None:
        required = is_non_null_type(field_type)
        nullable = get_nullable_type(field_type)
        plan = self._plan(nullable, details) if is_object_type(nullable) else None
        if plan is None:
            return None

        def complete(rows: Sequence[object], info: GraphQLResolveInfo[Any]) -> Column:
            values = _read(attribute, rows)
            present = [value for value in values if value is not None]
            if required and len(present) < len(values):
                raise NotColumnarError
            completed = iter(plan.complete(present, info))
            return [None if value is None else next(completed) for value in values]

        return complete


@lru_cache(maxsize=_ROW_TYPES)
def _row_type(names: tuple[str, ...]) -> type[msgspec.Struct]:
    """A row with these response names; its attributes are numbered, because not every name may be one."""
    attributes = {f"at_{number}": name for number, name in enumerate(names)}
    # A row holds only what JSON has, so no cycle goes through it.
    return msgspec.defstruct("Row", attributes, rename=attributes, gc=False)


def _attribute(definition: GraphQLField) -> str | None:
    """The attribute a plain field reads, or None when it has arguments or a resolver."""
    declared = definition.extensions.get("strawberry-definition")
    if definition.args or not isinstance(declared, StrawberryField) or not declared.is_basic_field:
        return None
    return declared.python_name if declared.default_resolver is getattr else None


def _parsed(definition: GraphQLField) -> Parsed | None:
    """How a field without arguments makes its objects of texts; None for any other."""
    declared = definition.extensions.get("strawberry-definition")
    return parsed_of(declared) if isinstance(declared, StrawberryField) and not definition.args else None


def _constant(value: str) -> _Part:
    def column(rows: Sequence[object], _info: GraphQLResolveInfo[Any]) -> Column:
        return [value] * len(rows)

    return column


def _leaves(attribute: str, completer: Completer) -> _Part:
    def column(rows: Sequence[object], _info: GraphQLResolveInfo[Any]) -> Column:
        return completer(_read(attribute, rows))

    return column


def _read(attribute: str, rows: Sequence[object]) -> list[object]:
    try:
        if isinstance(rows, Rows):  # by position: ten times faster than by name
            return list(map(itemgetter(rows.fields.index(attribute)), rows))
        return list(map(attrgetter(attribute), rows))
    except Exception as error:  # a property may raise anything; the stock path reads it again and reports it
        raise NotColumnarError from error
