"""One query for every field of every type: the shortest way to it from a root field, with that field's example's
arguments."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
    print_ast,
)

from tests.support.graphql_examples import QUERIES, Example

MAX_DEPTH: Final = 7


@dataclass(frozen=True)
class FieldQuery:
    """`name` is Type.field; the example brings the values of the variables."""

    name: str
    before: str
    after: str
    inside: str
    example: Example

    @property
    def text(self) -> str:
        """The operation."""
        return self.call("")

    def call(self, arguments: str) -> str:
        """The operation with arguments for the field."""
        given = f"({arguments})" if arguments else ""
        return f"{self.before}{self.name.partition('.')[2]}{given}{self.inside}{self.after}"


@dataclass(frozen=True)
class _Way:
    """How to reach a type: text before and after what is selected there."""

    before: str
    after: str
    depth: int
    example: Example

    def to(self, field: str, inside: str) -> "_Way":
        return _Way(f"{self.before}{field}{{{inside}", f"}}{self.after}", self.depth + 1, self.example)


def every_field(schema: GraphQLSchema) -> Iterator[FieldQuery]:
    """Nearest first. A field that needs an argument of its own is no way, and asserted to be a root field."""
    queue = deque((_root(example), _type_of(schema, example)) for example in QUERIES)
    seen: set[str] = set()
    while queue:
        way, kind = queue.popleft()
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            for each in schema.get_possible_types(kind):
                queue.append((_Way(f"{way.before}...on {each.name}{{", f"}}{way.after}", way.depth, way.example), each))
            continue
        if not isinstance(kind, GraphQLObjectType) or kind.name in seen:
            continue
        seen.add(kind.name)
        for name, field in kind.fields.items():
            assert not any(map(is_required_argument, field.args.values())), f"{kind.name}.{name} needs an argument"
            inner = get_named_type(field.type)
            inside = "" if is_leaf_type(inner) else f"{{{_leaves(inner)}}}"
            yield FieldQuery(f"{kind.name}.{name}", way.before, way.after, inside, way.example)
            if not is_leaf_type(inner) and way.depth < MAX_DEPTH:
                queue.append((way.to(name, ""), inner))


def _root(example: Example) -> _Way:
    definition = parse(example.text).definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    field = definition.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    arguments = ", ".join(print_ast(argument) for argument in field.arguments or ())
    variables = ", ".join(print_ast(variable) for variable in definition.variable_definitions or ())
    head = f"query({variables})" if variables else "query"
    call = f"{example.field}({arguments})" if arguments else example.field
    return _Way(f"{head}{{{call}{{", "}}", 1, example)


def _type_of(schema: GraphQLSchema, example: Example) -> object:
    assert schema.query_type is not None
    field: GraphQLField = schema.query_type.fields[example.field]
    return get_named_type(field.type)


def _leaves(kind: object) -> str:
    """The type's own plain fields, so that whatever it holds is seen."""
    if not isinstance(kind, GraphQLObjectType):
        return "__typename"
    plain = [name for name, field in kind.fields.items() if is_leaf_type(get_named_type(field.type)) and not field.args]
    return " ".join(plain[:15]) or "__typename"
