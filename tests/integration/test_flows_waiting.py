"""Flows that were accepted and are not among edges yet: no answer reads as if they had not been."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for

AT = seconds(START)
HOUR_S = 3_600
WEB, API, DB = (Peer(workload=f"shop/Deployment/{name}") for name in ("web", "api", "db"))
ASK = """query {
  dependencies(first: 9) { edges { source { name } state } coverage { ratio waitingSince } }
  flowSeries { timestamps values coverage { waitingSince } }
}"""
BLAST = """query($name: String!) {
  blastRadius(of: {name: $name}, since: "2026-01-01T00:00:00Z") {
    reached { hop } isComplete incomplete { gap } coverage { waitingSince }
  }
}"""


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


async def ask(hub: FlowHub, scope: Scope, text: str = ASK, **variables: Any) -> dict[str, Any]:
    token = await token_for(hub.db, scope, Role.VIEWER)
    api = door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store)
    return (await api.ask(text, token, **variables)).good


def flow(source: Peer, destination: Peer, at: int, tx: int = 1, minutes: int = 60) -> list[Flow]:
    return [Flow(source, destination, at + 60 * each, BOTH, measures=bytes_of(tx)) for each in range(minutes)]


async def test_what_no_store_has_yet_is_not_said_to_be_none(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    east = await hub.door.member(tenant, "east")
    await east.send(seal_flows(Spoke(east.registration), flow(WEB, API, AT, minutes=10)))
    clock.advance(720)
    waiting = await ask(hub, tenant)
    assert waiting["dependencies"]["edges"] == []
    assert waiting["dependencies"]["coverage"] == {"ratio": 1.0, "waitingSince": "2026-01-01T00:00:00Z"}
    assert waiting["flowSeries"]["values"][-1] is None
    await hub.load()
    assert (await ask(hub, tenant))["dependencies"]["coverage"]["waitingSince"] == "2026-01-01T00:00:00Z"
    await hub.roll_up()
    settled = await ask(hub, tenant)
    assert settled["dependencies"]["coverage"] == {"ratio": 1.0, "waitingSince": None}
    assert settled["flowSeries"]["values"][-1] == "10"


async def test_nothing_is_silent_while_what_came_since_waits(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    east = await hub.door.member(tenant, "east")
    spoke = Spoke(east.registration)
    await east.send(seal_flows(spoke, flow(WEB, API, AT)))
    await hub.settle()
    for hour in (1, 2):
        clock.advance(HOUR_S)
        await east.send(seal_flows(spoke, flow(WEB, API, AT + hour * HOUR_S)))
    clock.advance(HOUR_S)
    waiting = (await ask(hub, tenant))["dependencies"]
    assert waiting["edges"] == [{"source": {"name": "web"}, "state": "UNKNOWN"}]
    assert waiting["coverage"]["waitingSince"] == "2026-01-01T01:00:00Z"
    await hub.settle()
    assert (await ask(hub, tenant))["dependencies"]["edges"] == [{"source": {"name": "web"}, "state": "ACTIVE"}]


async def test_an_hour_that_has_more_than_its_edges_is_not_told_whole(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    east = await hub.door.member(tenant, "east")
    spoke = Spoke(east.registration)
    await east.send(seal_flows(spoke, []))
    await east.send(seal_flows(spoke, [*flow(WEB, API, AT), *flow(DB, API, AT)]))
    await hub.settle()
    clock.advance(HOUR_S)
    token = await token_for(hub.db, tenant, Role.VIEWER)
    api = door(hub.db, clock, columns=hub.store)
    of_db = 'query { flowSeries(filter: {destination: {name: "db"}}) { values } }'
    assert (await api.ask(of_db, token)).good["flowSeries"]["values"][-2] == "0"
    await east.send(seal_flows(spoke, flow(WEB, DB, AT + 60, minutes=5)))
    assert (await api.ask(of_db, token)).good["flowSeries"]["values"][-2] is None
    await hub.settle()
    assert (await api.ask(of_db, token)).good["flowSeries"]["values"][-2] == "5"


async def test_nobody_is_not_said_while_flows_wait(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    east = await hub.door.member(tenant, "east")
    spoke = Spoke(east.registration)
    await east.send(seal_flows(spoke, flow(WEB, API, AT)))
    await hub.settle()
    clock.advance(HOUR_S)
    assert (await ask(hub, tenant, BLAST, name="web"))["blastRadius"]["isComplete"]
    await east.send(seal_flows(spoke, flow(DB, WEB, AT)))
    found = (await ask(hub, tenant, BLAST, name="web"))["blastRadius"]
    assert (found["reached"], found["isComplete"], found["incomplete"]) == ([], False, [{"gap": "WAITING"}])
    await hub.settle()
    again = (await ask(hub, tenant, BLAST, name="web"))["blastRadius"]
    assert (again["reached"], again["isComplete"]) == ([{"hop": 1}], True)
