"""What every slice's GraphQL types are made of: context, loaders and ids. No business words here."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar, cast
from uuid import UUID

import strawberry
from graphql import GraphQLResolveInfo
from strawberry.dataloader import DataLoader
from strawberry.types.base import get_object_definition

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database, ReadConnection, WriteConnection
from periplus_hub.kit.errors import Invalid, Unavailable
from periplus_hub.kit.events import Events
from periplus_hub.kit.node_ids import node_id, uuid_part
from periplus_hub.kit.tenancy import OfTenant

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=OfTenant)
NodeT = TypeVar("NodeT")
S = TypeVar("S")
P = ParamSpec("P")

_READERS: Final = 2
"""Read sessions one operation holds at once; its other loaders wait."""


@dataclass(slots=True)
class Context(Generic[V]):
    """One operation's surroundings. `scope` is who asks.

    All its reading fields share one instant, `now`, and the loaders with their caches: fields that asked the clock
    themselves would ask for things that differ by microseconds, each with a statement of its own.
    """

    db: Database
    scope: V
    clock: Clock
    events: Events | None
    request_id: str
    loaders: dict[Hashable, DataLoader[Any, Any]] = field(default_factory=dict)
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READERS))
    columns: ColumnStore | None = None
    finders: Mapping[str, "Finder"] = field(default_factory=dict)
    """By kind: how `find` finds the thing an id names."""
    settings: object = None
    """The hub's: `setting` finds those of a slice in it."""
    still_valid: Callable[[], Awaitable[bool]] | None = None
    """Whether the credential this operation began with still holds; subscriptions ask it again and again."""
    reading: set[asyncio.Future[Any]] = field(default_factory=set)
    """What is read right now. It is read to its end although a field beside it failed: a statement that is broken
    off costs its connection."""
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """From here on all is read anew, as of this instant: when it is an operation's turn, and after a change."""
        self.now = self.clock.now()
        self.loaders.clear()

    def setting(self, kind: type[S]) -> S:
        """A slice's settings; its defaults where the hub was given none."""
        return self.settings if isinstance(self.settings, kind) else kind()

    async def load(self, batch: "Batch[V, K, NodeT]", key: K, *args: Hashable) -> NodeT | None:
        """What `batch` finds for `key`, asked together with all other keys of the same batch and arguments."""
        loader = self.loaders.get((batch, args))
        if loader is None:
            loader = self.loaders[batch, args] = DataLoader(load_fn=self._loader(batch, args), max_batch_size=1_000)
        return cast("NodeT | None", await loader.load(key))

    async def read(
        self,
        ask: Callable[Concatenate[ReadConnection, V, P], Awaitable[S]],
        *args: P.args,
        **named: P.kwargs,
    ) -> S:
        """What the repository function `ask` answers the asker, in a short session of its own."""

        async def read() -> S:
            async with self.readers, self.db.read(self.scope) as c:
                return await ask(c, self.scope, *args, **named)

        reading = asyncio.ensure_future(read())  # allowed: ended by settle or abandon
        self.reading.add(reading)
        reading.add_done_callback(self._ended)
        return await asyncio.shield(reading)

    async def ask(
        self,
        ask: Callable[Concatenate[V, ColumnStore, P], Awaitable[S]],
        *args: P.args,
        **named: P.kwargs,
    ) -> S:
        """What the repository function `ask` finds for the asker in the column store."""
        if self.columns is None:
            raise Unavailable("this process has no flow store", "Ask a hub that serves.")
        return await ask(self.scope, self.columns, *args, **named)

    async def find(self, node_id: str) -> object | None:
        """The thing with this id, as an instance of its type; None when there is none, or not for the asker.

        Raises Invalid for what is no id of this API.
        """
        kind, _ = split_id(node_id)
        finder = self.finders.get(kind)
        if finder is None:
            raise Invalid(f"'{node_id[:80]}' is not an id of this API", "Copy the id from an answer of this API.")
        return await finder(self, node_id)

    def write(self) -> AbstractAsyncContextManager[WriteConnection]:
        """One unit of work, committed on success: what mutations change."""
        return self.db.write(self.scope)

    async def settle(self) -> None:
        """Wait until nothing is read any more, so that an answered operation holds no connection."""
        while self.reading:
            await asyncio.gather(*self.reading, return_exceptions=True)

    async def abandon(self) -> None:
        """Break off what is read: nobody wants it, and its time is over."""
        for each in self.reading:
            each.cancel()
        await self.settle()

    def announce(self, tenant_id: UUID, topic: str, **payload: str) -> None:
        """Tell subscribers; call it after the commit."""
        if self.events is not None:
            self.events.publish(tenant_id, topic, payload)

    def _loader(
        self, batch: "Batch[V, K, NodeT]", args: tuple[Hashable, ...]
    ) -> Callable[[list[K]], Awaitable[list[NodeT | None]]]:
        async def load_all(keys: list[K]) -> list[NodeT | None]:
            found = await self.read(batch, keys, *args)
            return [found.get(key) for key in keys]

        return load_all

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self.reading.discard(work)
        if not work.cancelled():
            work.exception()  # whoever still waits gets it; else it concerns nobody


Finder = Callable[[Context[Any], str], Awaitable[object | None]]
"""Finds again what an id names; raises Invalid for an id it cannot read."""


class Batch(Protocol[V, K, NodeT]):  # type: ignore[misc]  # variance is not worth three more names
    """A repository function: one statement for all keys."""

    async def __call__(self, c: ReadConnection, scope: V, keys: Sequence[K], /, *args: Any) -> Mapping[K, NodeT]:
        """What was found, by key."""
        ...


class RowBacked:
    """Mixin of object types whose fields may be read from a database row with a column per plain field.

    Long connections hand rows straight to the executor; `typed_by_class` tells it that one row speaks for all.
    """

    typed_by_class = True

    @classmethod
    def is_type_of(cls, value: object, _info: GraphQLResolveInfo[Any]) -> bool:
        """An instance, or a row: whatever is no GraphQL type of its own."""
        return isinstance(value, cls) or get_object_definition(type(value)) is None


def from_row(node: type[NodeT], row: object) -> NodeT:
    """An instance of `node` with its plain fields read from `row`: for unions and interfaces, which need one."""
    values = {each.name: getattr(row, each.name) for each in fields(cast("Any", node)) if each.init}
    return node(**values)


def extend(target: type, *parts: type) -> None:
    """Add the fields of `parts` to `target`: how a slice above enriches a type of a slice below it.

    A second time does nothing: several schemas may be assembled of one part.
    """
    own = get_object_definition(target, strict=True).fields
    known = {each.python_name: each for each in own}
    for part in parts:
        for each in get_object_definition(part, strict=True).fields:
            if known.setdefault(each.python_name, each) is not each:
                raise TypeError(f"{target.__name__} already has a field {each.python_name}")
            if each not in own:
                own.append(each)


def global_id(kind: str, *parts: object) -> strawberry.ID:
    """See `ids.node_id`; callers treat it as opaque."""
    return strawberry.ID(node_id(kind, *parts))


def split_id(text: str) -> tuple[str, tuple[str, ...]]:
    """The kind and the parts of a global id."""
    kind, *parts = text.split(":")
    return kind, tuple(parts)


def uuid_of(text: str, *kinds: str) -> UUID:
    """The UUID in the id of one of `kinds`; raises Invalid naming the text."""
    kind, parts = split_id(text)
    try:
        if kind in kinds and len(parts) == 1:
            return uuid_part(parts[0])
    except ValueError:
        pass
    msg = f"'{text[:80]}' is not the id of a {' or '.join(kinds)}"
    raise Invalid(msg, "Copy the id from an answer of this API.")
