"""The price of an operation, known before it runs.

A field with a resolver costs its `@cost` weight (default 1), a plain attribute nothing. A list multiplies what is
inside it by its `@listSize`: the value of `first` or `last` where it is sliced, else the assumed size. Rows of a
connection are cheap (completed column by column), so one costs ROW.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_introspection_type,
    is_leaf_type,
    is_list_type,
)
from strawberry.types.field import StrawberryField

from periplus_hub.api.graphql_limits import GraphQLRefusal, Limits, over
from periplus_hub.kit.graphql_parsed import parsed_of
from periplus_hub.kit.graphql_prices import Cost, ListSize

ROW: Final = 0.2
"""Price of one row of a list: 10,000 rows are 2,000."""
_LONG: Final = 10**20
_TYPES: Final = 150
_INTROSPECTED: Final = 6
"""Assumed sizes of `__schema.types` and of the introspection lists below it."""


@dataclass(frozen=True, slots=True)
class Price:
    """What the schema says about one field."""

    weight: float
    size: ListSize | None
    texts: bool = False
    """Whether its list costs as little as one of texts, because that is what it is made of."""


def price_of(definition: GraphQLField, parent: GraphQLNamedType, name: str) -> Price:
    """The field's declared price, or the default of its sort."""
    declared = definition.extensions.get("strawberry-definition")
    if not isinstance(declared, StrawberryField):
        listed = is_introspection_type(parent) and is_list_type(get_nullable_type(definition.type))
        return Price(0, ListSize(assumed_size=_TYPES if name == "types" else _INTROSPECTED) if listed else None)
    weights = [directive.weight for directive in declared.directives if isinstance(directive, Cost)]
    sizes = [directive for directive in declared.directives if isinstance(directive, ListSize)]
    default = 0.0 if declared.is_basic_field else 1.0
    texts = parsed_of(declared) is not None
    return Price(weights[0] if weights else default, sizes[0] if sizes else None, texts)


@dataclass(slots=True)
class Pricing:
    """One operation's price, fragments priced once per (fragment, page size)."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, object]
    memo: dict[tuple[str, int | None], float] = field(default_factory=dict)

    def total(self) -> float:
        """Units of cost; 1 for asking at all."""
        root = self.schema.get_root_type(self.operation.operation)
        return 1 + self._selections(self.operation.selection_set, root, None)

    def _selections(self, node: SelectionSetNode | None, parent: GraphQLNamedType | None, size: int | None) -> float:
        if node is None or parent is None:
            return 0
        return sum(self._selection(selection, parent, size) for selection in node.selections)

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType, size: int | None) -> float:
        if isinstance(node, FieldNode):
            return self._field(node, parent, size)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            inner = self.schema.type_map.get(condition.name.value) if condition else parent
            return self._selections(node.selection_set, inner, size)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value, size)
        msg = f"a selection cannot be a {type(node).__name__}"
        raise TypeError(msg)

    def _fragment(self, name: str, size: int | None) -> float:
        key = (name, size)
        if key not in self.memo:
            fragment = self.fragments[name]
            condition = self.schema.type_map.get(fragment.type_condition.name.value)
            self.memo[key] = self._selections(fragment.selection_set, condition, size)
        return self.memo[key]

    def _field(self, node: FieldNode, parent: GraphQLNamedType, size: int | None) -> float:
        name = node.name.value
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return 0  # __typename of a union
        definition = self.schema.get_field(parent, name)
        if definition is None:
            return 0
        price = price_of(definition, parent, name)
        inner = get_named_type(definition.type)
        if price.size is None:
            return price.weight + self._selections(node.selection_set, inner, None)
        if price.size.of_page:
            # `nodes` and `edges` have no size of their own: it is that of the page they are in.
            rows = size if size is not None else price.size.assumed_size
            return price.weight + rows * (ROW + self._selections(node.selection_set, inner, None))
        if is_leaf_type(inner) or price.texts:
            return price.weight
        rows = self._asked(node, price.size)
        # A connection multiplies nothing itself. Its size goes on to `nodes` and `edges` below, so that `totalCount`
        # and `pageInfo` stay cheap.
        if price.size.slicing_arguments:
            return price.weight + self._selections(node.selection_set, inner, rows)
        return price.weight + rows * (ROW + self._selections(node.selection_set, inner, None))

    def _asked(self, node: FieldNode, size: ListSize) -> int:
        """The largest that a slicing argument says."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        names = [name for name in size.slicing_arguments or () if name in given]
        counts = [self._count(node, name, given[name], size) for name in names]
        # Both may be given. What is read is the smaller, what is paid the larger: nothing is to be had by naming two.
        return max((count for count in counts if count is not None), default=size.assumed_size)

    def _count(self, node: FieldNode, name: str, given: ValueNode, size: ListSize) -> int | None:
        value: object = None
        if isinstance(given, IntValueNode):
            value = int(given.value)
        elif isinstance(given, VariableNode):
            value = self._variable(given.name.value)
            if isinstance(value, float):  # graphql-core takes 5e9 for the Int it equals
                value = int(value) if value.is_integer() else None
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        if not 1 <= value <= (size.maximum or value):
            shown = str(value) if abs(value) < _LONG else "far too large a number"
            message = f"'{name}' of '{node.name.value}' is {shown}; it must be 1 to {size.maximum}."
            remedy = "Ask for one page at a time and follow the cursors in pageInfo."
            raise GraphQLRefusal(
                "page-size", message, remedy, limit=size.maximum, found=max(-(2**53), min(value, 2**53))
            )
        return value

    def _variable(self, name: str) -> object:
        if name in self.variables:
            return self.variables[name]
        for definition in self.operation.variable_definitions or ():
            default = definition.default_value
            if definition.variable.name.value == name and isinstance(default, IntValueNode):
                return int(default.value)
        return None


def check_cost(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, object], limits: Limits) -> float:
    """The operation's price; raises GraphQLRefusal when it passes the limit."""
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    cost = Pricing(schema, operation, fragments, variables).total()
    if cost > limits.cost:
        remedy = "Ask for smaller pages (first), or fewer fields with their own resolver inside long lists."
        raise over("too-expensive", "units of cost", limit=limits.cost, found=round(cost), remedy=remedy)
    return cost
