"""The compiled-list executor answers exactly what the stock executor answers, for any selection and any data."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import strawberry
from graphql import ExecutionResult, GraphQLResolveInfo
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.api import graphql_executor

from tests.support.graphql_toy import Color, Inner, Thing, Toy, toy_schema
from tests.support.properties import examples

OURS = toy_schema()
STOCK = toy_schema(None)

LEAVES = ["id", "name", "note", "count", "share", "flag", "color", "at", "bytesTx", "price", "tags", "sizes"]
EAST = timezone(timedelta(hours=5, minutes=30))


def run(schema: strawberry.Schema, query: str, things: object, **variables: object) -> tuple[object, object]:
    result = asyncio.run(schema.execute(query, root_value=Toy(things), variable_values=variables))
    assert result.data is not None or any(error.path for error in result.errors)  # valid, that is
    return plain(result.data), [(error.message, error.path) for error in result.errors or ()]


def plain(data: object) -> object:
    """Our rows are structs: as dicts, and nothing else made plainer than it is."""
    return msgspec.to_builtins(data, builtin_types=(datetime, Decimal))


def same(query: str, things: object, **variables: object) -> tuple[object, object]:
    ours, stock = run(OURS, query, things, **variables), run(STOCK, query, things, **variables)
    assert ours == stock
    assert repr(ours) == repr(stock)  # also 1 against True against 1.0, and the order of keys
    return ours


def thing(**values: object) -> Thing:
    inner = Inner(name="i", size=1)
    fields: dict[str, Any] = {
        "id": "1", "name": "n", "note": None, "count": 1, "share": 0.5, "flag": True, "color": Color.RED,
        "at": datetime(2026, 1, 2, tzinfo=UTC), "bytes_tx": 2**70, "price": Decimal("1.10"), "tags": ["a"],
        "sizes": [1, None], "inner": inner, "core": inner,
    }  # fmt: skip
    return Thing(**(fields | values))


odd = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(), st.text(max_size=3), st.just(object),
    st.just(ValueError("odd")), st.lists(st.integers(0, 3), max_size=2), st.just(Decimal("2.0")),
)  # fmt: skip
inners = st.builds(Inner, name=st.text(max_size=3), size=st.none() | st.integers(0, 9))
things_of_type = st.builds(
    thing,
    id=st.text(max_size=4),
    name=st.text(max_size=4),
    note=st.none() | st.text(max_size=4),
    count=st.integers(-(2**31), 2**31 - 1),
    share=st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 9),
    flag=st.none() | st.booleans(),
    color=st.sampled_from([*Color, "red", "dark-blue"]),
    at=st.none() | st.datetimes(timezones=st.sampled_from([UTC, EAST])),
    bytes_tx=st.integers(0, 2**90),
    price=st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    tags=st.lists(st.text(max_size=2), max_size=3),
    sizes=st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3),
    inner=st.none() | inners,
    core=inners,
    inner_texts=st.lists(st.sampled_from(["a=b", "a=", "a", "", "=b", "a=b=c"]), max_size=4),
)


@st.composite
def selections(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.sampled_from([*LEAVES, "__typename"]), max_size=8))
    aliases = draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
    texts = [f"x{at}:{part}" if alias else part for at, (part, alias) in enumerate(zip(parts, aliases, strict=True))]
    texts += draw(st.lists(st.sampled_from([
        "inner{name size}", "core{__typename n:name}", "...f", "... on Thing{count ...f}", "name@skip(if:$yes)",
        "note@include(if:$yes)", "label", "inner{size}", "...@include(if:$no){flag}", "a:core{...g}",
        "class:name", "None:count", "__slots__:note", "inners{name size}", "i:inners{s:size ...g}",
    ]), max_size=4))  # fmt: skip
    return " ".join(draw(st.permutations(texts))) or "id"


QUERY = (
    "query($yes:Boolean=true,$no:Boolean=false){ %s { %s }"
    " used:viewer@skip(if:$yes){id} unused:things@include(if:$no){...f core{...g}} }"
    " fragment f on Thing{id t:__typename inner{name}} fragment g on Inner{size}"
)
ROOTS = st.sampled_from(["things", "maybeThings", "clusters{total nodes"])


def ask(root: str, selection: str) -> str:
    return QUERY % (root, selection + ("}" if "{" in root else ""))


@examples(0.6)
@given(ROOTS, selections(), st.lists(things_of_type, max_size=9))
def test_well_typed_rows(root: str, selection: str, things: list[Thing]) -> None:
    same(ask(root, selection), things)


@examples(0.6)
@given(ROOTS, selections(), st.lists(things_of_type, min_size=4, max_size=6), st.data())
def test_rows_with_odd_values(root: str, selection: str, things: list[Thing], data: st.DataObject) -> None:
    for row in things:
        name = data.draw(st.sampled_from(["id", "name", "note", "count", "share", "flag", "color", "tags", "sizes"]))
        setattr(row, name, data.draw(odd))
    if data.draw(st.booleans()):
        things[data.draw(st.integers(0, 3))] = data.draw(st.sampled_from([None, ValueError("row"), 7]))
    same(ask(root, selection), things)


def test_long_list_of_plain_fields_never_reaches_the_stock_path(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = graphql_executor.StrawberryGraphQLCoreExecutionContext.complete_list_value
    seen: list[str] = []

    def watched(self: object, return_type: object, details: object, info: GraphQLResolveInfo, *rest: object) -> object:
        seen.append(info.field_name)
        return stock(self, return_type, details, info, *rest)

    monkeypatch.setattr(graphql_executor.StrawberryGraphQLCoreExecutionContext, "complete_list_value", watched)
    query = ask("things", " ".join(LEAVES) + " inner{name size} ...f name@skip(if:$yes)")
    data, errors = run(OURS, query, [thing(), thing(inner=None), *[thing()] * 8])
    assert not errors
    assert len(data["things"]) == 10  # type: ignore[index]  # the answer is JSON
    assert seen == []
    run(OURS, ask("things", "label"), [thing()] * 10)
    assert seen == ["things"]


def test_null_where_none_is_allowed_is_reported_at_its_own_path() -> None:
    _, errors = same("{maybeThings{name}}", [thing(), thing(), thing(name=None), thing()])
    assert errors == [("Cannot return null for non-nullable field Thing.name.", ["maybeThings", 2, "name"])]


def test_awaitable_rows_and_iterators_take_the_stock_path() -> None:
    async def later() -> Thing:
        return thing()

    async def results(schema: strawberry.Schema) -> ExecutionResult:
        result: ExecutionResult = await schema.execute("{things{name}}", root_value=Toy([later() for _ in range(5)]))
        return result

    assert plain(asyncio.run(results(OURS)).data) == asyncio.run(results(STOCK)).data
    same("{things{name}}", tuple(thing() for _ in range(5)))
    assert run(OURS, "{things{name}}", iter([thing()] * 5)) == run(STOCK, "{things{name}}", iter([thing()] * 5))


def test_attribute_that_is_missing_is_reported() -> None:
    rows = [thing(core=Inner(name="x", size=1)) for _ in range(5)]
    del rows[3].core.name
    same("{maybeThings{core{name}}}", rows)
