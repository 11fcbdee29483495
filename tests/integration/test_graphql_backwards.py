"""Every list is read to its end and back again, and tells at each page what stands on either side."""

from collections.abc import Iterator
from typing import Any

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.schema import build_schema
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Door, door, seed, token_for

PAGE = "edges{cursor node{__typename}} pageInfo{hasNextPage hasPreviousPage startCursor endCursor} totalCount"
WAYS = {
    "Query": ("", ""),
    "Cluster": ("cluster(id:$cluster){", "}"),
    "NetworkDomain": ("node(id:$domain){... on NetworkDomain{", "}}"),
    "OverlapGroup": ("node(id:$group){... on OverlapGroup{", "}}"),
}
JOINED = "overlapGroups(ifAllJoined:true,"


def lists() -> Iterator[str]:
    """Every list that can be read backwards, as text around its window."""
    types: Any = build_schema()._schema.type_map
    for holder, (before, after) in WAYS.items():
        for name, field in types[holder].fields.items():
            if "before" in field.args:
                yield f"{before}{name}(%s){{{PAGE}}}{after}"
    yield f"{JOINED}%s){{{PAGE}}}"
    yield f"{JOINED}first:1){{nodes{{members(%s){{{PAGE}}}}}}}"
    yield f"{JOINED}first:1){{nodes{{clusters(%s){{{PAGE}}}}}}}"


async def page(hub: Door, token: str, text: str, ids: dict[str, str], cursor: str | None) -> Any:
    used = {"cluster": "Cluster", "domain": "NetworkDomain", "group": "OverlapGroup"}
    head = ", ".join(["$cursor:String", *(f"${name}:ID!" for name in used if f"${name}" in text)])
    variables = {name: ids[kind] for name, kind in used.items() if f"${name}" in text}
    found: Any = (await hub.ask(f"query({head}){{{text}}}", token, cursor=cursor, **variables)).good
    while "pageInfo" not in found:
        found = next(iter(found.values())) if isinstance(found, dict) else found[0]
    return found


@pytest.mark.promise("pages-neither-skip-nor-repeat")
async def test_backwards_is_forwards_turned_round(db: Database, clock: FakeClock, tenant: Scope) -> None:
    hub, fleet, token = door(db, clock), await seed(db, tenant, clusters=3), await token_for(db, tenant, Role.ADMIN)
    longest = 0
    for call in lists():
        whole = await page(hub, token, call % "first:1000,after:$cursor", fleet.ids, None)
        cursors = [edge["cursor"] for edge in whole["edges"]]
        sides = whole["pageInfo"]
        assert (sides["hasNextPage"], sides["hasPreviousPage"], len(cursors)) == (False, False, whole["totalCount"])
        assert [sides["startCursor"], sides["endCursor"]] == ([cursors[0], cursors[-1]] if cursors else [None, None])
        for window, expected in (("first:1,after:$cursor", cursors), ("last:1,before:$cursor", cursors[::-1])):
            forwards, found, cursor = window.startswith("first"), list[str](), None
            for at in range(len(expected)):
                each = await page(hub, token, call % window, fleet.ids, cursor)
                behind, ahead = at > 0, at < len(expected) - 1
                sides = each["pageInfo"]
                told = (sides["hasPreviousPage"], sides["hasNextPage"])
                assert told == ((behind, ahead) if forwards else (ahead, behind)), (call, window, at)
                cursor = sides["endCursor"] if forwards else sides["startCursor"]
                found += [edge["cursor"] for edge in each["edges"]]
            assert found == expected, (call, window)
        longest = max(longest, len(cursors))
        clock.advance(60)
    assert longest >= 3


async def test_both_ends_at_once_are_the_askers_mistake(db: Database, clock: FakeClock, tenant: Scope) -> None:
    await seed(db, tenant)
    hub, token = door(db, clock), await token_for(db, tenant, Role.VIEWER)
    answer = await hub.ask("{clusters(first:1,last:1){nodes{name}}}", token)
    assert answer.codes == ["invalid"]
    nulls = await hub.ask("{clusters(first:null,last:2){nodes{name}}}", token)
    assert [each["name"] for each in nulls.good["clusters"]["nodes"]] == ["cluster-001", "pending"]
