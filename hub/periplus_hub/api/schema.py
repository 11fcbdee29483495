"""The whole schema, assembled from every slice's part. Printed to hub/schema.graphql, which reviews diff."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, cast

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types.base import get_object_definition

from periplus_hub.access.graphql import Info
from periplus_hub.api.graphql_executor import CompiledExecutor
from periplus_hub.api.graphql_parts import PARTS
from periplus_hub.api.graphql_subscription import subscription_of
from periplus_hub.kit.graphql import Finder, extend
from periplus_hub.kit.graphql_parts import Part, Topic, finder_of
from periplus_hub.kit.graphql_scalars import SCALARS
from periplus_hub.kit.graphql_types import Node


@dataclass(frozen=True, slots=True)
class Assembled:
    """The parts, put together."""

    schema: strawberry.Schema
    finders: Mapping[str, Finder]
    """How each kind of id is found again; a test demands one for every type with an id."""
    topics: Mapping[str, Topic]


@strawberry.type
class NodeQuery:
    """Relay's entry."""

    @strawberry.field(description="The thing with this id; null when there is none, or not for you.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="An id from an answer of this API.")],  # noqa: A002 - Relay's name
    ) -> Node | None:
        """By the kind that the id begins with."""
        return cast("Node | None", await info.context.find(id))


@cache
def assemble(parts: tuple[Part, ...] = PARTS) -> Assembled:
    """The schema on our executor. No suggestions: they tell strangers what exists."""
    for part in parts:
        for target, extensions in part.extensions.items():
            extend(target, *extensions)
    nodes = {node: finder for part in parts for node, finder in part.finders.items()}
    topics = [topic for part in parts for topic in part.topics]
    schema = strawberry.Schema(
        query=_root("Query", NodeQuery, *(each for part in parts for each in part.queries)),
        mutation=_root("Mutation", *(each for part in parts for each in part.mutations)),
        subscription=subscription_of(topics),
        types=tuple(nodes),
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
        execution_context_class=CompiledExecutor,
    )
    finders = {_name(node): finder_of(node, finder) for node, finder in nodes.items()}
    return Assembled(schema, finders, {topic.name: topic for topic in topics})


def _root(name: str, *types: type) -> type:
    owners: dict[str, type] = {}
    for owner in types:
        for field in _fields(owner):
            if owners.setdefault(field, owner) is not owner:  # merge_types would let one hide the other
                raise TypeError(f"{name}.{field} is in {owners[field].__name__} and in {owner.__name__}")
    return merge_types(name, types)


def _fields(owner: type) -> Iterable[str]:
    return (field.python_name for field in get_object_definition(owner, strict=True).fields)


def _name(node: type) -> str:
    return get_object_definition(node, strict=True).name


def build_schema() -> strawberry.Schema:
    """The hub's own, made once per process."""
    return assemble().schema


def schema_text() -> str:
    """The schema as it is committed."""
    return f"# Generated from the code by `make docs`. Do not edit.\n\n{build_schema().as_str()}\n"
