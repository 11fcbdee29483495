"""Lists in the order that people choose: every page of it, both ways, and no cursor of another order."""

from datetime import timedelta
from typing import Any

import pytest
from graphql import GraphQLEnumType
from sqlalchemy import update

from periplus_hub.access.scope import Role, Scope, owned
from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.api.schema import build_schema
from periplus_hub.fleet import tables as fleet_tables
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import SEEN, Door, door, seed, token_for

SHOWN = {
    "clusters": ("ClusterOrder", "name state createdAt lastSeenAt"),
    "findings": ("FindingOrder", "severity changedAt openedAt title"),
    "pools": ("PoolOrder", "name capacity used free observedAt cluster{name}"),
    "overlapGroups": ("OverlapGroupOrder", "severity cidr clusterCount pairCount since changedAt"),
}


async def page(hub: Door, token: str, name: str, order: object, window: str, cursor: str | None = None) -> Any:  # noqa: PLR0917 - a page has as many sides
    kind, fields = SHOWN[name]
    text = (
        f"query($order:{kind},$cursor:String){{{name}(orderBy:$order,{window}){{edges{{cursor node{{{fields}}}}}"
        " pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}"
    )
    return await hub.ask(text, token, order=order, cursor=cursor)


async def walk(hub: Door, token: str, name: str, order: object, *, backwards: bool) -> list[str]:
    """The cursors of the whole list, one page after the other."""
    window = "last:2,before:$cursor" if backwards else "first:2,after:$cursor"
    found: list[str] = []
    cursor, more = None, True
    while more:
        got = (await page(hub, token, name, order, window, cursor)).good[name]
        cursors = [edge["cursor"] for edge in got["edges"]]
        found = [*cursors, *found] if backwards else [*found, *cursors]
        sides = got["pageInfo"]
        cursor = sides["startCursor"] if backwards else sides["endCursor"]
        more = sides["hasPreviousPage"] if backwards else sides["hasNextPage"]
    return found


async def varied(db: Database, tenant: Scope) -> None:
    """Clusters heard at different times, one never; pools with different numbers, one without."""
    made = await seed(db, tenant, clusters=5, objects=0)
    async with db.write(tenant) as c:
        for at, cluster in enumerate(made.clusters):
            heard = None if at == 2 else SEEN - timedelta(hours=7 * at % 5)
            table = fleet_tables.registrations
            await c.execute(update(table).where(owned(tenant, table), table.c.id == cluster).values(last_seen_at=heard))
            pools = ipam_tables.pools
            free = None if at == 3 else str(10 ** (3 * at))
            await c.execute(
                update(pools).where(owned(tenant, pools), pools.c.registration_id == cluster).values(free=free)
            )


@pytest.mark.promise("pages-neither-skip-nor-repeat")
async def test_every_order_is_paged_both_ways(db: Database, clock: FakeClock, tenant: Scope) -> None:
    await varied(db, tenant)
    hub, token = door(db, clock), await token_for(db, tenant, Role.VIEWER)
    types = build_schema()._schema.type_map
    for name, (kind, _) in SHOWN.items():
        fields = types[f"{kind}Field"]
        assert isinstance(fields, GraphQLEnumType)
        for field in fields.values:
            whole = {}
            for direction in ("ASC", "DESC"):
                order = {"field": field, "direction": direction}
                edges = (await page(hub, token, name, order, "first:100,after:$cursor")).good[name]["edges"]
                whole[direction] = [str(edge["node"]) for edge in edges]
                cursors = [edge["cursor"] for edge in edges]
                assert await walk(hub, token, name, order, backwards=False) == cursors, (name, order)
                assert await walk(hub, token, name, order, backwards=True) == cursors, (name, order)
            assert whole["DESC"] == whole["ASC"][::-1], (name, field)
            clock.advance(60)


async def test_the_order_is_the_one_that_was_asked_for(db: Database, clock: FakeClock, tenant: Scope) -> None:
    await varied(db, tenant)
    hub, token = door(db, clock), await token_for(db, tenant, Role.VIEWER)
    found = (await page(hub, token, "clusters", {"field": "LAST_SEEN_AT"}, "first:100,after:$cursor")).good
    heard = [edge["node"]["lastSeenAt"] for edge in found["clusters"]["edges"]]
    assert heard[:2] == [None, None]
    assert heard[2:] == sorted(heard[2:])
    found = (await page(hub, token, "pools", {"field": "FREE", "direction": "DESC"}, "first:100,after:$cursor")).good
    free = [edge["node"]["free"] for edge in found["pools"]["edges"]]
    assert free == [str(10**12), str(10**6), str(10**3), "1", None]


@pytest.mark.promise("refusals-say-what-to-do")
async def test_a_cursor_of_another_order_is_the_askers_mistake(db: Database, clock: FakeClock, tenant: Scope) -> None:
    await varied(db, tenant)
    hub, token = door(db, clock), await token_for(db, tenant, Role.VIEWER)
    by_name, by_state = {"field": "NAME"}, {"field": "STATE"}
    cursors = [
        (await walk(hub, token, "clusters", order, backwards=False))[0]
        for order in (None, by_name, by_name | {"direction": "DESC"})
    ]
    for cursor in cursors:
        answer = await page(hub, token, "clusters", by_state, "first:2,after:$cursor", cursor)
        assert answer.codes == ["invalid"]
        assert "belongs to another list or order" in answer.errors[0]["message"]


async def test_what_joining_would_bring_has_one_order(db: Database, clock: FakeClock, tenant: Scope) -> None:
    await seed(db, tenant)
    hub, token = door(db, clock), await token_for(db, tenant, Role.VIEWER)
    answer = await hub.ask("{overlapGroups(ifAllJoined:true,orderBy:{field:CIDR}){nodes{cidr}}}", token)
    assert answer.codes == ["invalid"]
