"""Types every slice's part of the schema shares: Relay's Node and connections, and the problems mutations answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar, cast

import strawberry

from periplus_hub.kit.errors import Conflict as ConflictRefusal
from periplus_hub.kit.errors import Forbidden as ForbiddenRefusal
from periplus_hub.kit.errors import NotFound as NotFoundRefusal
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.graphql_prices import Cost, ListSize
from periplus_hub.kit.keyset import Listing, Slice
from periplus_hub.kit.windows import Window

T = TypeVar("T")

First = Annotated[int | None, strawberry.argument(description="How many to return, from the start or behind `after`.")]
After = Annotated[str | None, strawberry.argument(description="A cursor of this list: only what stands behind it.")]
Last = Annotated[
    int | None,
    strawberry.argument(description="How many to return, from the end or before `before`. Not together with `first`."),
]
Before = Annotated[str | None, strawberry.argument(description="A cursor of this list: only what stands before it.")]


@strawberry.enum(description="Which end of an order comes first.")
class OrderDirection(StrEnum):
    """Of an order that people choose."""

    ASC = "asc"
    DESC = "desc"


class OrderBy(Protocol):
    """An input that chooses an order."""

    @property
    def field(self) -> StrEnum:
        """By what."""
        ...

    @property
    def direction(self) -> OrderDirection:
        """Which end first."""
        ...


def order_of(chosen: OrderBy | None) -> tuple[str, bool] | None:
    """The key into `keyset.orders`; None for the list's own order."""
    return None if chosen is None else (chosen.field.value, chosen.direction is OrderDirection.DESC)


@strawberry.interface(description="Anything with an id that `node` finds again.")
class Node:
    """Relay's Node: ids are `Kind:…` texts, opaque to callers."""

    id: strawberry.ID = strawberry.field(description="Opaque, unique in this API, never reused.")


@strawberry.type(description="Where a page begins and ends, and whether there is more on either side.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(
        description="Whether more follow. Of a page read backwards: whether it ends before a cursor."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether more stand before it. Of a page read forwards: whether it begins behind a cursor."
    )
    start_cursor: str | None = strawberry.field(
        description="Pass it as `before`, with `last`, to go back; null when the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="Pass it as `after`, with `first`, to go on; null when the page is empty."
    )

    @classmethod
    def of(cls, page: Slice) -> "PageInfo":
        """Of a page."""
        return cls(
            has_next_page=page.has_next, has_previous_page=page.has_previous,
            start_cursor=page.start_cursor, end_cursor=page.end_cursor,
        )  # fmt: skip


class PageSource(Protocol):
    """Where a connection's page and total come from. Asking twice is free."""

    async def page(self) -> Slice:
        """The rows, and how to go on."""
        ...

    async def total(self) -> int:
        """The whole list's length."""
        ...


@dataclass(frozen=True, slots=True)
class Pages:
    """A listing's pages: loaders read those of all siblings together."""

    context: Context[Any]
    listing: Listing[Any]
    parent: object
    window: Window
    asked: object = None

    async def page(self) -> Slice:
        """The page, read together with those of all siblings."""
        found = await self.context.load(self.listing.slices, self.parent, self.window, self.asked)
        return found or Slice()

    async def total(self) -> int:
        """The whole list's length: a count of its own."""
        return await self.context.load(self.listing.counts, self.parent, self.asked) or 0


@strawberry.type(description="A node and its place in the list.")
class Edge(Generic[T]):
    """Relay's edge."""

    cursor: str = strawberry.field(description="Pass it as `after` or `before` to go on from this node.")
    node: T = strawberry.field(description="The node itself.")


@strawberry.type(description="A page of a list. `nodes` is short for `edges { node }`.")
class Connection(Generic[T]):
    """Reads nothing until a field is asked for."""

    pages: strawberry.Private[PageSource]

    @strawberry.field(
        description="The page's nodes.", directives=[Cost(weight=0), ListSize(assumed_size=50, of_page=True)]
    )
    async def nodes(self) -> list[T]:
        """Rows stand in for nodes: see kit.graphql.RowBacked."""
        return cast("list[T]", (await self.pages.page()).rows)

    @strawberry.field(
        description="The page's nodes with their cursors.",
        directives=[Cost(weight=0), ListSize(assumed_size=50, of_page=True)],
    )
    async def edges(self) -> list[Edge[T]]:
        """Relay's edges."""
        page = await self.pages.page()
        return [Edge(cursor=page.cursor(row), node=cast("T", row)) for row in page.rows]

    @strawberry.field(description="Where the page begins and ends.", directives=[Cost(weight=0)])
    async def page_info(self) -> PageInfo:
        """Relay's pageInfo."""
        return PageInfo.of(await self.pages.page())

    @strawberry.field(
        description="How many the whole list has; counted anew, so it has its own price.", directives=[Cost(weight=10)]
    )
    async def total_count(self) -> int:
        """A count over the whole list."""
        return await self.pages.total()


@strawberry.interface(description="Why a mutation did not happen, and what to do. Nothing was changed.")
class Problem:
    """An expected failure."""

    code: str = strawberry.field(description="Stable slug, for programs.")
    message: str = strawberry.field(description="What went wrong, naming the thing.")
    remedy: str = strawberry.field(description="What to do about it.")


@strawberry.type(description="There is no such thing, or not for you.")
class NotFound(Problem):
    """See errors.NotFound."""


@strawberry.type(description="Your role does not allow it.")
class Forbidden(Problem):
    """See errors.Forbidden."""


@strawberry.type(description="It cannot be done in the state things are in.")
class Conflict(Problem):
    """See errors.Conflict."""


@strawberry.type(description="The input breaks a rule.")
class Invalid(Problem):
    """See errors.Invalid, and every other refusal."""


Problems = NotFound | Forbidden | Conflict | Invalid
_KINDS: Final[Sequence[tuple[type[Refusal], type[Problems]]]] = (
    (NotFoundRefusal, NotFound),
    (ForbiddenRefusal, Forbidden),
    (ConflictRefusal, Conflict),
)


def problem_of(refusal: Refusal) -> Problems:
    """The refusal as a member of a result union."""
    kind = next((kind for of, kind in _KINDS if isinstance(refusal, of)), Invalid)
    return kind(code=refusal.slug, message=refusal.message, remedy=refusal.remedy)
