"""Times of which nothing is known: said by every answer about flows, so that nothing there does not read as nothing."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for
from tests.support.spokes_door import Member

AT, HOUR, DAY = seconds(START), 3_600, 86_400
WEB, CRON, API = (Peer(workload=f"shop/Deployment/{name}") for name in ("web", "cron", "api"))
KNOWN = "coverage { keptFrom begunLaterCount clustersBegunLater { since cluster { name } } }"
EVERYTHING = f"""query($since: DateTime, $until: DateTime) {{
  coverage(since: $since, until: $until) {KNOWN.removeprefix("coverage ")}
  dependencies(since: $since, until: $until) {{ {KNOWN} }}
  dependencyMap(since: $since, until: $until) {{ {KNOWN} }}
  topFlows(since: $since, until: $until) {{ {KNOWN} }}
  flowSeries(since: $since, until: $until) {{ {KNOWN} }}
  clusterLinks(since: $since, until: $until) {{ {KNOWN} }}
  edge(source: {{name: "web"}}, destination: {{name: "api"}}, since: $since, until: $until) {{ {KNOWN} }}
  blastRadius(of: {{name: "web"}}, since: $since, until: $until) {{ incomplete {{ gap amount }} {KNOWN} }}
}}"""
SHORT = FlowsConfig(flow_raw_days=1, flow_hourly_days=2, flow_daily_days=20)


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def tell(hub: FlowHub, member: Member, spoke: Spoke, at: int, src: Peer = WEB) -> None:
    await member.renew()
    await member.send(seal_flows(spoke, [Flow(src, API, at, BOTH, measures=bytes_of(1))]))
    await hub.settle()


async def ask(hub: FlowHub, scope: Scope, since: datetime, until: datetime | None = None) -> dict[str, Any]:
    """What all questions say alike of the time, and the gaps of the reach of a failure."""
    token = await token_for(hub.db, scope, Role.VIEWER)
    knocking = door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store, settings=SHORT)
    asked = {"since": since.isoformat(), "until": None if until is None else until.isoformat()}
    found = (await knocking.ask(EVERYTHING, token, **asked)).good
    told = [found["coverage"], *(each["coverage"] for name, each in found.items() if name != "coverage")]
    assert all(each == told[0] for each in told)
    return {**told[0], "gaps": {each["gap"]: each["amount"] for each in found["blastRadius"]["incomplete"]}}


def begun(known: dict[str, Any]) -> list[tuple[str, str]]:
    assert known["begunLaterCount"] == len(known["clustersBegunLater"])
    return [(each["cluster"]["name"], each["since"]) for each in known["clustersBegunLater"]]


@pytest.mark.promise("no-false-all-clear")
async def test_a_cluster_that_told_later_than_asked_is_named(
    hub: FlowHub, clock: FakeClock, tenant: Scope, other_tenant: Scope
) -> None:
    east, west = await hub.door.member(tenant, "east"), await hub.door.member(tenant, "west")
    east_spoke, west_spoke = Spoke(east.registration), Spoke(west.registration)
    await tell(hub, east, east_spoke, AT)
    clock.advance(2 * HOUR)
    await tell(hub, east, east_spoke, AT + HOUR)
    await tell(hub, west, west_spoke, AT + HOUR + 1_200, CRON)
    before = await ask(hub, tenant, START - timedelta(hours=1))
    assert begun(before) == [("east", "2026-01-01T00:00:00Z"), ("west", "2026-01-01T01:20:00Z")]
    assert before["gaps"]["BEGUN_LATER"] == "2"
    assert begun(await ask(hub, tenant, START)) == [("west", "2026-01-01T01:20:00Z")]
    for since in (START + timedelta(minutes=80), START + timedelta(minutes=90)):
        known = await ask(hub, tenant, since)
        assert begun(known) == [], "all of what was asked for is known, or told before"
        assert "BEGUN_LATER" not in known["gaps"]
    early = await ask(hub, tenant, START, START + timedelta(minutes=59))
    assert begun(early) == [], "of this time it told nothing at all, which is another list"


@pytest.mark.promise("no-false-all-clear")
async def test_whoever_told_in_the_week_before_did_not_begin_later(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    east = await hub.door.member(tenant, "east")
    spoke = Spoke(east.registration)
    await tell(hub, east, spoke, AT)
    clock.advance(12 * DAY)
    await tell(hub, east, spoke, AT + 12 * DAY - 600)
    assert begun(await ask(hub, tenant, START + timedelta(days=6))) == []
    [(name, since)] = begun(await ask(hub, tenant, START + timedelta(days=8)))
    assert (name, since) == ("east", "2026-01-12T23:50:00Z"), "nothing is known of the week before"


@pytest.mark.promise("no-false-all-clear")
async def test_of_what_is_not_kept_any_more_nothing_is_known(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    east = await hub.door.member(tenant, "east")
    clock.advance(40 * DAY + HOUR)
    await tell(hub, east, Spoke(east.registration), AT + 40 * DAY)
    old = await ask(hub, tenant, START + timedelta(days=1))
    assert old["keptFrom"] == "2026-01-21T00:00:00Z"
    assert {"NOT_KEPT", "BEGUN_LATER", "COVERAGE"} <= set(old["gaps"])
    kept = await ask(hub, tenant, START + timedelta(days=20))
    assert kept["keptFrom"] is None
    assert "NOT_KEPT" not in kept["gaps"]
    assert (await ask(hub, tenant, START + timedelta(days=19, hours=23)))["keptFrom"] == "2026-01-21T00:00:00Z"


async def test_statements_do_not_grow_with_clusters_that_began_later(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    clock.advance(600)
    counts: list[int] = []
    for numbers in (range(1), range(1, 6)):
        for number in numbers:
            member = await hub.door.member(tenant, f"cluster-{number}")
            await tell(hub, member, Spoke(member.registration), AT, CRON if number else WEB)
        with count_statements() as counted:
            assert len(begun(await ask(hub, tenant, START - timedelta(days=1)))) == numbers.stop
        counts.append(counted.total)
    assert counts[0] == counts[1]
