"""Rules every part of the schema keeps."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    OperationType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    validate,
)

from periplus_hub.api.graphql_cost import check_cost, price_of
from periplus_hub.api.graphql_documents import parse_measured
from periplus_hub.api.graphql_limits import LIMITS
from periplus_hub.api.schema import assemble, build_schema

from tests.support.graphql_examples import EXAMPLES, Example

SCHEMA = build_schema()._schema
OURS = [each for name, each in SCHEMA.type_map.items() if not name.startswith("__")]
OBJECTS = [each for each in OURS if isinstance(each, GraphQLObjectType | GraphQLInterfaceType)]
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}
MAY_BE_UNKNOWN = {"Query.overlapGroups", "Cluster.overlapGroups"}
"""Null with the error not-computed: an empty list would say that there are none."""
FORWARDS_ONLY = {"OverlapsBetween.overlaps"}
IDS = {"Cluster": "Cluster:x", "Cluster2": "Cluster:y"}


def fields() -> Iterator[tuple[str, str, GraphQLField]]:
    for parent in OBJECTS:
        for name, definition in parent.fields.items():
            yield parent.name, name, definition


def test_everything_is_described() -> None:
    bare = [
        each.name for each in OURS if not each.description and each.name not in {"Query", "Mutation", "Subscription"}
    ]
    for parent, name, definition in fields():
        bare += [] if definition.description else [f"{parent}.{name}"]
        bare += [f"{parent}.{name}({arg})" for arg, given in definition.args.items() if not given.description]
    for each in OURS:
        if isinstance(each, GraphQLInputObjectType):
            bare += [f"{each.name}.{name}" for name, given in each.fields.items() if not given.description]
    assert bare == []


def test_every_list_says_how_long_it_is() -> None:
    unbounded = []
    for parent, name, definition in fields():
        if is_list_type(get_nullable_type(definition.type)):
            size = price_of(definition, SCHEMA.type_map[parent], name).size
            if size is None:
                unbounded.append(f"{parent}.{name}")
    assert unbounded == []


def test_every_connection_is_sliced_and_capped() -> None:
    for parent, name, definition in fields():
        if get_named_type(definition.type).name.endswith("Connection"):
            price = price_of(definition, SCHEMA.type_map[parent], name)
            assert price.size is not None, f"{parent}.{name}"
            assert price.size.slicing_arguments == [each for each in ("first", "last") if each in definition.args]
            assert price.size.maximum in {1_000, 10_000}
            assert {"first", "after"} <= set(definition.args)
            assert f"{parent}.{name}" in FORWARDS_ONLY or {"last", "before"} <= set(definition.args)
            assert is_non_null_type(definition.type) is (f"{parent}.{name}" not in MAY_BE_UNKNOWN)


def test_fields_with_their_own_read_are_not_free() -> None:
    free = {
        f"{parent}.{name}"
        for parent, name, definition in fields()
        if not is_leaf_type(get_named_type(definition.type))
        and "strawberry-definition" in definition.extensions
        and not definition.extensions["strawberry-definition"].is_basic_field
        and price_of(definition, SCHEMA.type_map[parent], name).weight == 0
        and not price_of(definition, SCHEMA.type_map[parent], name).texts
    }
    within_pages = {each for each in free if each.rpartition(".")[2] in {"nodes", "edges", "pageInfo"}}
    assert free - within_pages == {"Completeness.dropped"}


def test_every_node_can_be_found_again() -> None:
    interface = SCHEMA.type_map["Node"]
    assert isinstance(interface, GraphQLInterfaceType)
    kinds = {each.name for each in SCHEMA.get_possible_types(interface)}
    assert kinds == assemble().finders.keys()


def test_every_mutation_answers_problems_as_members_of_its_own_union() -> None:
    mutation = SCHEMA.mutation_type
    assert mutation is not None
    for name, definition in mutation.fields.items():
        union = get_named_type(definition.type)
        assert isinstance(union, GraphQLUnionType), name
        assert union.name == f"{name[0].upper()}{name[1:]}Result"
        assert {"NotFound", "Forbidden", "Conflict", "Invalid"} < {each.name for each in union.types}


def test_enum_values_are_words_in_capitals() -> None:
    enums = [each for each in OURS if isinstance(each, GraphQLEnumType)]
    assert all(value.isupper() for each in enums for value in each.values)


def test_every_root_field_has_an_example() -> None:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    names = {name for root in roots if root for name in root.fields}
    assert {each.field for each in EXAMPLES} == names


def test_the_example_of_a_cluster_has_every_connection_under_it() -> None:
    cluster = SCHEMA.type_map["Cluster"]
    assert isinstance(cluster, GraphQLObjectType)
    text = next(each.text for each in EXAMPLES if each.field == "cluster")
    listed = {name for name, field in cluster.fields.items() if "first" in field.args}
    assert {name for name in listed if f" {name}(first" not in text} == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.field)
def test_examples_pass_the_request_checks(example: Example) -> None:
    document = parse_measured(example.text, LIMITS)
    assert validate(SCHEMA, document) == []
    assert check_cost(SCHEMA, document, {}, LIMITS) <= LIMITS.cost


def test_subscriptions_are_one_stream() -> None:
    assert SCHEMA.subscription_type is not None
    assert list(SCHEMA.subscription_type.fields) == ["changes"]
    assert {each.kind for each in EXAMPLES} == set(OperationType)
