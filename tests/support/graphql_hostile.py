"""Every argument of every field, given every value at the edge of its type and beyond it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    parse_value,
    print_ast,
)

from tests.support.graphql_examples import EXAMPLES, Example
from tests.support.graphql_fields import every_field

_INTS: Final = (2**31 - 1, -(2**31), 2**15, 10**30, -(2**63) - 1, -(2**31) - 1, -1, 0, 2**31, 2**63)
_TEXTS: Final = ("2" * 8_000, "", "\\", "%", "'", "\U0001f6a2", "\u202e")
_FEW: Final = 4
"""Of a field below the root, whose arguments are read by the same code: the most telling come first."""
_NOBODY: Final = UUID(int=2**122)
_LITERALS: Final[dict[str, tuple[str, ...]]] = {
    "Int": (*map(str, _INTS), "9" * 5_000, "-" + "9" * 5_000, "0." + "9" * 5_000, "1e400", "1.5", '"1"', "true"),
    "Boolean": ("true", "1", '"true"'),
    "DateTime": tuple(f'"{text}"' for text in (
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59Z", "2106-02-07T06:28:16Z",
        "9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z", "0",
    )),
    "Cidr": ('"0.0.0.0/0"', '"::/0"', '"255.255.255.255/32"', '"::ffff:0:0/96"', '"10.0.0.0/33"', "1"),
    "IpAddress": ('"0.0.0.0"', '"::"', '"255.255.255.255"', '"::ffff:10.0.0.1"', '"010.0.0.1"', "1"),
}  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """An operation with one value replaced."""

    name: str
    text: str
    example: Example


def every_argument(schema: GraphQLSchema) -> Iterator[Hostile]:
    """Of root fields within their examples, of every other field at the end of the shortest way to it."""
    for example in EXAMPLES:
        if example.kind is not OperationType.SUBSCRIPTION:
            yield from _of_root(schema, example)
    for field in every_field(schema):
        holder, _, name = field.name.partition(".")
        arguments = schema.type_map[holder].fields[name].args  # type: ignore[attr-defined]  # every_field yields objects'
        for argument, definition in arguments.items():
            for literal in islice(_values(schema, definition), _FEW):
                called = field.call(f"{argument}: {literal}")
                yield Hostile(f"{field.name}({argument})", called, field.example)


def _of_root(schema: GraphQLSchema, example: Example) -> Iterator[Hostile]:
    definition = parse(example.text).definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    root = schema.get_root_type(example.kind)
    assert root is not None
    for name, argument in root.fields[example.field].args.items():
        for literal in _values(schema, argument):
            yield Hostile(f"{example.field}({name})", _with(definition, name, literal), example)


def _with(operation: OperationDefinitionNode, argument: str, literal: str) -> str:
    """The operation with one argument of its root field replaced or added, and only the variables it still uses."""
    field = operation.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    arguments = {each.name.value: print_ast(each.value) for each in field.arguments or ()} | {argument: literal}
    given = ", ".join(f"{name}: {value}" for name, value in arguments.items())
    inside = print_ast(field.selection_set) if field.selection_set else ""
    variables = [print_ast(each) for each in operation.variable_definitions or ()]
    used = [each for each in variables if each.partition(":")[0] in given + inside]
    head = f"({', '.join(used)})" if used else ""
    return f"{operation.operation.value}{head} {{ {field.name.value}({given}) {inside} }}"


def _values(schema: GraphQLSchema, given: GraphQLArgument | GraphQLInputField) -> Iterator[str]:
    kind = get_named_type(given.type)
    listed = is_list_type(get_nullable_type(given.type))
    yield from (f"[{literal}]" if listed else literal for literal in _literals(schema, kind))
    yield from ("null", "[]", "[null]") if listed else ("null",)


def _literals(schema: GraphQLSchema, kind: object) -> Iterator[str]:
    if isinstance(kind, GraphQLInputObjectType):
        for name, field in kind.fields.items():
            rest = [f"{each}: {_plain(other)}" for each, other in kind.fields.items() if each != name]
            for literal in _values(schema, field):
                yield f"{{{', '.join([f'{name}: {literal}', *rest])}}}"
    elif isinstance(kind, GraphQLEnumType):
        yield from (*kind.values, "NO_SUCH", "1")
    elif getattr(kind, "name", "") in _LITERALS:
        yield from _LITERALS[kind.name]  # type: ignore[attr-defined]  # it has one
    else:
        yield from (print_ast(parse_value(_quoted(text))) for text in (*_TEXTS, *_ids()))


def _ids() -> Iterator[str]:
    yield from (f"Pool:{_NOBODY}:a:b:{number}:c" for number in (4, 10**5, 10**30, -1, "x"))
    yield from (f"Completeness:{_NOBODY}:{number}:ipam" for number in (0, 2**63, 10**30, -1, "\u00b2"))
    yield from (f"Allocation:{_NOBODY}:pod:{cidr}" for cidr in ("fd00%3A%3A/8", "10.0.0.1/8", "%00", "fe80%3A%3A%x/64"))
    for kind in ("Cluster", "NetworkDomain", "Pod", "DomainLink", "No"):
        for rest in (_NOBODY, 10**30, f"{_NOBODY}:{10**30}", ":::::"):
            yield f"{kind}:{rest}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(field: GraphQLInputField) -> str:
    """A value that the field takes."""
    if is_list_type(get_nullable_type(field.type)):
        return "[]"
    kind = get_named_type(field.type)
    if isinstance(kind, GraphQLEnumType):
        return str(next(iter(kind.values)))
    plain: dict[str, str] = {
        "Int": "1",
        "Boolean": "true",
        "DateTime": '"2026-01-31T12:00:00Z"',
        "Cidr": '"10.0.0.0/16"',
    }
    return plain.get(kind.name, '"text"')
