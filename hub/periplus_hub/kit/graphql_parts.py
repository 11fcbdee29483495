"""What one slice gives to the GraphQL API. `api.schema` puts the slices' parts together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.graphql import Batch, Context, Finder, from_row, global_id, split_id, uuid_of
from periplus_hub.kit.graphql_types import Node

Reader = Callable[[Context[Any], Mapping[str, Any]], Awaitable[object | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """Something people subscribe to: an event of `kit.events`, and what they are told of it."""

    name: str
    message: type
    read: Reader
    """The message, from the event's payload, as things are now for who listens; None when there is nothing to tell."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """A slice's. The fields of `queries` and `mutations` become root fields."""

    queries: Sequence[type] = ()
    mutations: Sequence[type] = ()
    extensions: Mapping[type, Sequence[type]] = field(default_factory=dict)
    """By type of a slice below, or of a module below: types whose fields it gets."""
    finders: Mapping[type[Node], Finder] = field(default_factory=dict)
    """How the rows of each type that has an id are found again by it."""
    topics: Sequence[Topic] = ()


def by_uuid(batch: Batch[Any, Any, Any]) -> Finder:
    """Finds by the UUID in the id, together with all others of the operation that `batch` is asked for."""

    async def find(context: Context[Any], node_id: str) -> object | None:
        kind, _ = split_id(node_id)
        return await context.load(batch, uuid_of(node_id, kind))

    return find


def by_parts(ask: Callable[[ReadConnection, Any, tuple[str, ...]], Awaitable[object | None]]) -> Finder:
    """Finds by all that the id says behind its kind."""

    async def find(context: Context[Any], node_id: str) -> object | None:
        _, parts = split_id(node_id)
        return await context.read(ask, parts)

    return find


def finder_of(node: type[Node], rows: Finder) -> Finder:
    """Finds instances of `node`, whose rows `rows` finds."""

    async def find(context: Context[Any], node_id: str) -> object | None:
        row = await rows(context, node_id)
        return None if row is None else from_row(node, row)

    return find


def about(node: type[Node], tell: Callable[[Any], object]) -> Reader:
    """Reads what a topic tells of the `node` whose UUID its events carry as `id`; nothing when it is gone again."""

    async def read(context: Context[Any], payload: Mapping[str, Any]) -> object | None:
        found = await context.find(global_id(node.__name__, payload["id"]))
        return None if found is None else tell(found)

    return read
