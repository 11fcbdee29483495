"""A schema without a hub behind it: every sort of field the request checks price and the executor completes."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from periplus_hub.api.graphql_executor import CompiledExecutor
from periplus_hub.kit.graphql_parsed import parsed
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most, paged
from periplus_hub.kit.graphql_scalars import SCALARS, BigInt


@strawberry.enum
class Color(enum.StrEnum):
    RED = "red"
    DARK_BLUE = "dark-blue"


@strawberry.type
class Inner:
    name: str
    size: int | None

    @classmethod
    def of(cls, text: str) -> "Inner":
        name, _, size = text.partition("=")
        return cls(name=name, size=len(size) or None)


@strawberry.type
class Thing:
    """`label` has a resolver, so a selection of it is never compiled."""

    id: strawberry.ID
    name: str
    note: str | None
    count: int
    share: float | None
    flag: bool | None
    color: Color
    at: datetime | None
    bytes_tx: BigInt
    price: Decimal | None
    tags: list[str]
    sizes: list[int | None] | None
    inner: Inner | None
    core: Inner
    inner_texts: strawberry.Private[list[str]] = field(default_factory=list)
    inners: list[Inner] = parsed("inner_texts", Inner, Inner.of, description="Made of texts.", about=2)

    @strawberry.field
    def label(self) -> str:
        return f"label of {self.name}"


@strawberry.type
class Things:
    nodes: list[Thing] = strawberry.field(directives=[ListSize(assumed_size=50, of_page=True)])
    total: int = strawberry.field(default=0, directives=[Cost(weight=10.0)])


@strawberry.type
class Viewer:
    id: strawberry.ID
    name: str


@dataclass
class Toy:
    """The root value: what the resolvers hand out."""

    things: Any


@strawberry.type
class Query:
    @strawberry.field
    def viewer(self, x: str | None = None) -> Viewer:
        return Viewer(id=strawberry.ID("1"), name=x or "somebody")

    @strawberry.field(directives=paged(50, 10_000))
    def clusters(self, info: strawberry.Info, first: int = 50) -> Things:
        return Things(nodes=info.root_value.things[:first])

    @strawberry.field(directives=at_most(100))
    def things(self, info: strawberry.Info) -> list[Thing]:
        things: list[Thing] = info.root_value.things
        return things

    @strawberry.field(directives=at_most(100))
    def maybe_things(self, info: strawberry.Info) -> list[Thing | None] | None:
        things: list[Thing | None] = info.root_value.things
        return things


def toy_schema(executor: type | None = CompiledExecutor) -> strawberry.Schema:
    """The schema on our executor, or on the stock one for comparison."""
    config = StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True)
    return strawberry.Schema(query=Query, config=config, execution_context_class=executor)
