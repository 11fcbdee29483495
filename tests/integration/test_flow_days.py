"""Days: what all hours of a day say together, kept when they are not any more, and asked instead of them."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.flows import repository_added_up, service_days
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.jobs import FlowDaysJob, FlowRetentionJob
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for
from tests.support.spokes_door import Member

AT, HOUR, DAY = seconds(START), 3_600, 86_400
WEB, API, DB = (Peer(workload=f"shop/Deployment/{name}") for name in ("web", "api", "db"))
DROPPED = 2
SHORT = FlowsConfig(flow_raw_days=1, flow_hourly_days=2, flow_daily_days=40)
SUMS = ("windows", "bytes_tx", "bytes_rx", "connections_opened", "rtt_us_sum", "rtt_count", "client_bytes")
KEY = ("src_workload", "dst_workload", "dst_port", "verdict", "src_rule", "dst_rule")
EVERYTHING = """query($since: DateTime, $until: DateTime) {
  dependencies(first: 50, since: $since, until: $until) {
    edges {
      source { name rules } destination { name rules } verdict ports { protocol port } bytesTx bytesRx packetsTx
      connectionsOpened failures rttUs retransmits isPartUnmeasured state silentSince onlySeenBy firstSeen lastSeen
    }
    edgeCount coverage { ratio waitingSince sampling clusters { ratio rows toldFrom toldUntil observed nodes } }
  }
  topFlows(first: 50, since: $since, until: $until, by: BYTES) {
    sources { names } destinations { names } ports verdicts values arePartUnmeasured flowCount total
  }
  dependencyMap(since: $since, until: $until, level: WORKLOAD) {
    totals { verdicts sums { bytesTx bytesRx connectionsOpened failures } }
  }
  blastRadius(of: {name: "api"}, since: $since, until: $until) { reached { end { name } } isComplete }
  edge(source: {name: "web"}, destination: {name: "api"}, since: $since, until: $until) {
    ports { port verdict bytesTx } portCount rules { sourceRule bytes } reportedBy
  }
}"""
GRAIN = "query($since: DateTime, $until: DateTime) { coverage(since: $since, until: $until) { ratio wholeDaysUntil } }"
SERIES = """query($since: DateTime, $until: DateTime) {
  flowSeries(since: $since, until: $until) { stepS timestamps values coverage { ratio wholeDaysUntil } }
  edge(source: {name: "web"}, destination: {name: "api"}, since: $since, until: $until) {
    history { stepS timestamps bytesTx }
  }
}"""


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


async def ask(hub: FlowHub, scope: Scope, document: str, config: FlowsConfig | None = None, **asked: Any) -> Any:
    token = await token_for(hub.db, scope, Role.VIEWER)
    clock = cast("FakeClock", hub.db.clock)
    given = {name: None if at is None else datetime.fromtimestamp(at, UTC).isoformat() for name, at in asked.items()}
    knocking = door(hub.db, clock, columns=hub.store, settings=config or FlowsConfig())
    return (await knocking.ask(document, token, **given)).good


async def make_days(hub: FlowHub) -> None:
    await hub.settle()
    await FlowDaysJob(hub.db, hub.store).run(hub.db.clock.now())


async def forget(hub: FlowHub, config: FlowsConfig = SHORT) -> None:
    await FlowRetentionJob(hub.db, hub.store, config).run(hub.db.clock.now())


async def send(hub: FlowHub, member: Member, spoke: Spoke, flows: Sequence[Flow]) -> None:
    """Each in a batch of its own, so that it says of its own minute alone that it was told."""
    await member.renew()
    for flow in flows:
        assert (await member.send(seal_flows(spoke, [flow]))).result == "accepted"


def a_day(at: int) -> list[Flow]:
    """Of three hours: other ports and verdicts, measures that one row knows and another does not."""
    known = {"connections_opened": 2, "rtt_us_sum": 900, "rtt_count": 3, "packets_tx": 4, "retransmits": 1}
    return [
        Flow(WEB, API, at, BOTH, measures=bytes_of(100, 7) | known),
        Flow(WEB, API, at + 60, BOTH, port=80, measures={"failures_refused": 1}, verdict=DROPPED),
        Flow(API, DB, at + 5 * HOUR, BOTH, port=5432, measures=bytes_of(10), sampling=8),
        Flow(WEB, API, at + 5 * HOUR, BOTH, measures=bytes_of(3, 3)),
        Flow(WEB, API, at + 23 * HOUR + 59 * 60, BOTH, measures=known),
    ]


async def days(hub: FlowHub, scope: Scope) -> list[dict[str, Any]]:
    return await hub.rows(scope, "SELECT * FROM edges_daily ORDER BY ALL")


async def of_hours(hub: FlowHub, scope: Scope) -> list[tuple[Any, ...]]:
    """What the days should be, added up here."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for row in await hub.rows(scope, "SELECT *, toUnixTimestamp(hour) AS at FROM edges_hourly"):
        key = (row["at"] // DAY * DAY, *(row[name] for name in KEY))
        sums = found.setdefault(key, [0] * len(SUMS))
        for place, name in enumerate(SUMS):
            sums[place] += row[name]
    return sorted((*key, *sums) for key, sums in found.items())


async def of_days(hub: FlowHub, scope: Scope) -> list[tuple[Any, ...]]:
    rows = await hub.rows(scope, "SELECT *, toUnixTimestamp(hour) AS at FROM edges_daily")
    return sorted((row["at"], *(row[name] for name in (*KEY, *SUMS))) for row in rows)


async def test_a_day_is_the_sum_of_its_hours_and_is_made_again_when_one_of_them_is(
    hub: FlowHub, clock: FakeClock, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    clock.advance(DAY - 60)
    await send(hub, member, spoke, a_day(AT)[:4])
    await make_days(hub)
    assert await days(hub, tenant) == [], "the day is not over"
    clock.advance(DAY + 60)
    await send(hub, member, spoke, [a_day(AT)[4], Flow(WEB, DB, AT + DAY, BOTH, measures=bytes_of(1))])
    await make_days(hub)
    whole = await days(hub, tenant)
    assert await of_days(hub, tenant) == await of_hours(hub, tenant)
    web = next(row for row in whole if row["dst_port"] == 443 and row["src_workload"] == "web" and row["bytes_tx"] > 1)
    assert (web["bytes_tx"], web["bytes_rx"], web["connections_opened"], web["windows"]) == (103, 10, 4, 3)
    assert (web["first_window"], web["last_window"]) == (AT, AT + DAY)
    await send(hub, member, spoke, [Flow(WEB, API, AT + 7 * HOUR, BOTH, measures=bytes_of(1_000))])
    await make_days(hub)
    late = await days(hub, tenant)
    assert await of_days(hub, tenant) == await of_hours(hub, tenant)
    assert late != whole
    await hub.store.command(tenant, "TRUNCATE TABLE edges_daily", lane="days")
    monkeypatch.setattr(repository_added_up, "MOST_ROWS", 1)
    async with hub.db.write(tenant) as c:
        await service_days.repository_days.touch_day(c, tenant, AT)
        await service_days.repository_days.touch_day(c, tenant, AT + DAY)
    await make_days(hub)
    assert await days(hub, tenant) == late, "made anew, and in parts, it is the same"


async def test_an_hour_that_is_made_while_its_day_is_makes_it_again(
    hub: FlowHub, clock: FakeClock, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    clock.advance(DAY)
    await send(hub, member, spoke, a_day(AT))
    await hub.settle()
    make = service_days.repository_daily.make

    async def meanwhile(*given: Any) -> None:
        await make(*given)
        monkeypatch.setattr(service_days.repository_daily, "make", make)
        await send(hub, member, spoke, [Flow(WEB, API, AT + 7 * HOUR, BOTH, measures=bytes_of(1_000))])
        await hub.settle()

    monkeypatch.setattr(service_days.repository_daily, "make", meanwhile)
    await make_days(hub)
    assert await of_days(hub, tenant) != await of_hours(hub, tenant)
    await make_days(hub)
    assert await of_days(hub, tenant) == await of_hours(hub, tenant)


async def test_answers_of_days_are_those_of_their_hours(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    """Also of a time of which hours are kept in part, and of one that looks back into the days."""
    member = await hub.door.member(tenant, "east")
    spoke = Spoke(member.registration)
    clock.advance(4 * DAY)
    seen = [flow for day in range(4) for flow in a_day(AT + day * DAY)]
    await send(hub, member, spoke, seen)
    await send(hub, member, spoke, [Flow(DB, WEB, AT + HOUR, BOTH, measures=bytes_of(1))])
    await make_days(hub)
    asked = [
        {"since": AT, "until": AT + DAY - 1},
        {"since": AT, "until": AT + 4 * DAY - 1},
        {"since": AT + DAY, "until": None},
        {"since": AT + 3 * DAY + 5 * HOUR, "until": None},
        {"since": AT + 3 * DAY + 5 * HOUR, "until": AT + 3 * DAY + 6 * HOUR},
    ]
    of_hours = [await ask(hub, tenant, EVERYTHING, **each) for each in asked]
    assert {len(each["dependencies"]["edges"]) for each in of_hours} == {4}
    await forget(hub)
    kept = await hub.rows(tenant, "SELECT min(toUnixTimestamp(hour)) AS first FROM edges_hourly")
    assert kept == [{"first": AT + 2 * DAY}]
    for each, expected in zip(asked, of_hours, strict=True):
        assert await ask(hub, tenant, EVERYTHING, SHORT, **each) == expected, each
        assert await ask(hub, tenant, EVERYTHING, **each) == expected, "what is gone is gone, whatever is set now"


async def test_the_answer_says_that_it_is_of_whole_days(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    member = await hub.door.member(tenant, "east")
    clock.advance(5 * DAY)
    await send(hub, member, Spoke(member.registration), [flow for day in range(5) for flow in a_day(AT + day * DAY)])
    await make_days(hub)
    await forget(hub)
    until = "2026-01-05T00:00:00Z"
    grain = (await ask(hub, tenant, GRAIN, SHORT, since=AT + 5 * HOUR))["coverage"]
    assert grain["wholeDaysUntil"] == until
    of_day = await ask(hub, tenant, GRAIN, SHORT, since=AT + 5 * HOUR, until=AT + 6 * HOUR)
    assert of_day == await ask(hub, tenant, GRAIN, SHORT, since=AT, until=AT + DAY - 1)
    assert of_day["coverage"]["ratio"] == pytest.approx(4 / 1_440), "four minutes of the whole day were told"
    kept = await ask(hub, tenant, GRAIN, SHORT, since=AT + 4 * DAY)
    assert kept["coverage"]["wholeDaysUntil"] is None


async def test_a_year_is_told_day_by_day(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    member = await hub.door.member(tenant, "east")
    spoke = Spoke(member.registration)
    config = FlowsConfig(flow_raw_days=1, flow_hourly_days=200, flow_daily_days=1_000)
    for _ in range(4):
        clock.advance(90 * DAY)
        now = seconds(clock.now())
        await send(hub, member, spoke, [*a_day(now - DAY), Flow(WEB, API, now, BOTH, measures=bytes_of(1))])
        await make_days(hub)
        await forget(hub, config)
    year = (await ask(hub, tenant, SERIES, config, since=AT, until=None))["flowSeries"]
    assert (year["stepS"], len(year["timestamps"])) == (DAY, 361)
    values = {
        (seconds(datetime.fromisoformat(at)) - AT) // DAY: value
        for at, value in zip(year["timestamps"], year["values"], strict=True)
        if value is not None
    }
    assert values == {day + past: str(value) for day in (90, 180, 270, 360) for past, value in ((-1, 123), (0, 1))}
    assert 0 < year["coverage"]["ratio"] < 0.001
    short = await ask(hub, tenant, SERIES, config, since=AT + 359 * DAY, until=None)
    assert short["flowSeries"]["stepS"] == short["edge"]["history"]["stepS"] == HOUR
    assert short["flowSeries"]["coverage"]["wholeDaysUntil"] is None
    old = await ask(hub, tenant, SERIES, config, since=AT + 89 * DAY, until=AT + 91 * DAY - 1)
    assert old["edge"]["history"]["stepS"] == DAY
    assert [each and int(each) for each in old["edge"]["history"]["bytesTx"]] == [103, 1]


async def test_a_day_has_nothing_only_where_each_of_its_hours_was_told(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    member = await hub.door.member(tenant, "east")
    spoke = Spoke(member.registration)
    clock.advance(4 * DAY)
    await send(hub, member, spoke, [Flow(API, DB, AT + hour * HOUR, BOTH, measures=bytes_of(1)) for hour in range(24)])
    await send(hub, member, spoke, [Flow(API, DB, AT + DAY + HOUR, BOTH, measures=bytes_of(1))])
    await make_days(hub)
    to_api = 'flowSeries(filter: {destination: {name: "api"}}, since: $since, until: $until) { values }'

    async def values(config: FlowsConfig, since: int) -> list[str | None]:
        document = f"query($since: DateTime, $until: DateTime) {{ {to_api} }}"
        found: list[str | None] = (await ask(hub, tenant, document, config, since=since, until=None))["flowSeries"][
            "values"
        ]
        return found

    many = AT - 92 * DAY
    assert (await values(FlowsConfig(), many))[92:95] == ["0", None, None], "of hours that are kept"
    await forget(hub)
    assert (await values(SHORT, AT))[:3] == ["0", None, None], "of those that are not"


async def test_hours_stay_until_their_day_is_made_and_days_go_when_their_time_is_over(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    member = await hub.door.member(tenant, "east")
    spoke = Spoke(member.registration)
    clock.advance(3 * DAY)
    await send(hub, member, spoke, a_day(AT))
    await hub.settle()
    clock.advance(10 * DAY)
    await forget(hub)
    assert await of_hours(hub, tenant) != []
    await make_days(hub)
    made = await of_days(hub, tenant)
    assert made == await of_hours(hub, tenant)
    await forget(hub)
    assert (await of_hours(hub, tenant), await of_days(hub, tenant)) == ([], made)
    await send(hub, member, spoke, [Flow(WEB, API, AT + HOUR, BOTH, measures=bytes_of(50))])
    await hub.settle()
    await forget(hub)
    found = await ask(hub, tenant, EVERYTHING, SHORT, since=AT, until=AT + DAY - 1)
    assert found["dependencies"]["coverage"]["waitingSince"] == "2026-01-01T00:00:00Z", "what came too late is not told"
    assert await of_days(hub, tenant) == made
    clock.advance(40 * DAY)
    await forget(hub)
    assert await of_days(hub, tenant) == []
    nothing = await ask(hub, tenant, GRAIN, SHORT, since=AT, until=AT + DAY - 1)
    assert nothing["coverage"]["ratio"] == 0, "nothing is known, which is not that nothing passed"


def test_what_is_coarse_is_kept_for_as_long_as_what_is_fine() -> None:
    with pytest.raises(ValueError, match="flow_hourly_days"):
        FlowsConfig(flow_raw_days=30, flow_hourly_days=20)
    with pytest.raises(ValueError, match="flow_daily_days"):
        FlowsConfig(flow_hourly_days=400, flow_daily_days=399)
    assert FlowsConfig().flow_daily_days >= timedelta(days=5 * 365).days
