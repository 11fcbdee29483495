"""Cursors are texts that callers hand back; whatever they made of them, the answer is a page or a refusal."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.schema import build_schema
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Door, door, seed, token_for

HOSTILE: list[tuple[str, object]] = [
    ("i", 2**63),
    ("i", 10**30),
    ("i", float("inf")),
    ("i", True),
    ("s", "\0"),
    ("s", "\ud800"),
    ("t", "2026-01-01T00:00:00"),
    ("t", "0001-01-01T00:00:00+23:59"),
    ("u", 5),
    ("x", "00" * 900),
    ("n", "fe80::%x/128"),
    ("n", "10.0.0.0/8"),
    ("?", 5),
]


def lists() -> Iterator[str]:
    """Every paged list that needs nothing but a cursor, in every direction it has."""
    schema = build_schema()._schema
    for holder, before, after in ((schema.query_type, "", ""), (schema.type_map["Cluster"], "cluster(id:$c){", "}")):
        fields: dict[str, Any] = holder.fields  # type: ignore[union-attr]  # both are objects
        for name, field in fields.items():
            if "after" in field.args:
                for way in ("first:1,after:$after", *(["last:1,before:$after"] if "before" in field.args else [])):
                    call = f"{before}{name}({way}){{edges{{cursor}}}}{after}"
                    unused = "... @include(if:false){cluster(id:$c){id}}"
                    yield f"query($after:String,$c:ID){{{unused} {call}}}"


def sorted_lists() -> Iterator[str]:
    """The lists that have orders, in each of them."""
    schema = build_schema()._schema
    fields: dict[str, Any] = schema.query_type.fields  # type: ignore[union-attr]  # there is one
    for name, field in fields.items():
        if "orderBy" in field.args:
            chosen: Any = schema.type_map[f"{field.args['orderBy'].type.name}Field"]
            for each in chosen.values:
                unused = "... @include(if:false){cluster(id:$c){id}}"
                yield (
                    f"query($after:String,$c:ID){{{unused} {name}(first:1,after:$after,orderBy:{{field:{each}}})"
                    "{edges{cursor}}}"
                )


def forged(cursor: str) -> Iterator[str]:
    """`cursor` with each of its values replaced by each hostile one, and with values too many and too few."""
    mark, *values = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    for at in range(len(values)):
        for hostile in HOSTILE:
            yield packed([mark, *values[:at], hostile, *values[at + 1 :]])
    yield packed([mark, *values, *values])
    yield packed([mark, *values[:-1]])
    yield packed([mark, {"i": 1}])
    yield packed([mark, ["i"]])
    yield packed({"mark": mark})
    yield cursor[:-3]


def packed(parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


async def cursor_of(hub: Door, document: str, token: str, cluster: str) -> str | None:
    found = json.dumps((await hub.ask(document, token, c=cluster)).good)
    return found.partition('"cursor": "')[2].partition('"')[0] or None


@pytest.mark.promise("refusals-say-what-to-do")
async def test_no_forged_cursor_is_a_fault_of_the_hub(db: Database, clock: FakeClock, tenant: Scope) -> None:
    hub, fleet, token = door(db, clock), await seed(db, tenant), await token_for(db, tenant, Role.ADMIN)
    cluster, tried, broken = fleet.ids["Cluster"], 0, []
    for document in (*lists(), *sorted_lists()):
        genuine = await cursor_of(hub, document, token, cluster)
        for cursor in forged(genuine) if genuine else ():
            with capture_logs():
                answer = await hub.ask(document, token, c=cluster, after=cursor)
            tried += 1
            if not set(answer.codes) <= {"invalid"}:
                broken.append((document, base64.urlsafe_b64decode(cursor + "=="), answer.codes))
        clock.advance(60)
    assert broken == []
    assert tried > 1_000
