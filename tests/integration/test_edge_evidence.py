"""`edgeEvidence`: the raw rows behind one dependency in one hour, and never rows of another."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.flows import repository_losses
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.jobs import FlowRetentionJob
from periplus_hub.kit.db import Database, count_statements

from tests.integration.test_dependencies import API, AT, WEB, two_clusters
from tests.support.batches import Spoke, gone, node, pod, service, upsert
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows
from tests.support.graphql_hub import Answer, door, token_for

HOUR, DAY = 3_600, 86_400
BEFORE = START - timedelta(days=1)
ASK = """query($source: DependencyEndFilter!, $destination: DependencyEndFilter!, $hour: DateTime!, $first: Int!) {
  edgeEvidence(source: $source, destination: $destination, hour: $hour, first: $first) {
    hour state rawKeptSince source { cluster { name } name } destination { cluster { name } name }
    windows {
      start windowS cluster { name } reporter collector protocol port verdict source destination host sampling bytesTx
      bytesRx packetsTx connectionsOpened failures retransmits
    }
    windowCount leftOutCount namedElsewhereCount
    totals { reporter rows widestWindowS bytesTx bytesRx connectionsOpened failures }
    minutes { timestamps clientBytes serverBytes bothBytes }
    coverage { ratio waitingSince }
  }
}"""
DIALLED = Peer("10.2.0.1")


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def asked(hub: FlowHub, scope: Scope, source: str, destination: str | None, **more: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    ends = {"source": {"name": source}, "destination": {"name": destination}}
    given = {"hour": (START + timedelta(minutes=59)).isoformat(), "first": 100, **ends, **more}
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(ASK, token, **given)


async def evidence(hub: FlowHub, scope: Scope, source: str, destination: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await asked(hub, scope, source, destination, **more)).good["edgeEvidence"]
    return found


def sent(found: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    """Who told what of whom, and how many bytes to the server."""
    return [(each["reporter"], each["source"], each["destination"], int(each["bytesTx"])) for each in found["windows"]]


async def test_each_row_as_it_was_told_and_what_both_sides_told_when(
    hub: FlowHub, clock: FakeClock, tenant: Scope, other_tenant: Scope
) -> None:
    (east, east_spoke), (west, west_spoke) = await two_clusters(hub, tenant)
    clock.advance(HOUR)
    known = {"connections_opened": 2, "failures_refused": 1, "failures_other": 2}
    told = [
        Flow(WEB, DIALLED, AT, port=8080, measures=bytes_of(1_000, 50) | known),
        Flow(WEB, DIALLED, AT + 120, port=8080, collector=4_242, sampling=8, window_s=300, measures=bytes_of(7)),
        Flow(WEB, DIALLED, AT + 60, port=9090, verdict=2, measures={"packets_tx": 4}),
        Flow(WEB, Peer("198.51.100.7"), AT, measures=bytes_of(1)),
    ]
    await east.send(seal_flows(east_spoke, told))
    seen = [Flow(Peer("10.1.0.1"), API, AT, SERVER, 8080, measures=bytes_of(990, 50))]
    await west.send(seal_flows(west_spoke, seen))
    await hub.settle()
    with count_statements() as counted:
        found = await evidence(hub, tenant, "web", "api")
    assert counted.total <= 18
    assert (found["state"], found["hour"]) == ("KEPT", "2026-01-01T00:00:00Z")
    assert (found["source"]["cluster"]["name"], found["destination"]["cluster"]["name"]) == ("east", "west")
    first, second, third, fourth = found["windows"]
    assert first == {
        "start": "2026-01-01T00:00:00Z", "windowS": 60, "cluster": {"name": "east"}, "reporter": "CLIENT",
        "collector": "conntrack", "protocol": 6, "port": 8080, "verdict": "FORWARDED",
        "source": "shop/Deployment/web", "destination": "10.2.0.1", "host": None, "sampling": 1, "bytesTx": "1000",
        "bytesRx": "50",
        "packetsTx": None, "connectionsOpened": "2", "failures": "3", "retransmits": None,
    }  # fmt: skip
    assert (second["reporter"], second["cluster"]["name"], second["source"]) == ("SERVER", "west", "10.1.0.1")
    assert (third["verdict"], third["bytesTx"], third["packetsTx"]) == ("DROPPED", None, "4")
    assert (fourth["collector"], fourth["sampling"], fourth["windowS"]) == ("4242", 8, 300)
    assert (found["windowCount"], found["leftOutCount"]) == ("4", "0")
    totals = {each["reporter"]: each for each in found["totals"]}
    assert [totals["CLIENT"][name] for name in ("rows", "bytesTx", "bytesRx", "connectionsOpened")] == [
        "3", "1007", "50", "2",
    ]  # fmt: skip
    assert (totals["CLIENT"]["widestWindowS"], totals["SERVER"]["bytesTx"]) == (300, "990")
    minutes = found["minutes"]
    assert len(minutes["timestamps"]) == 60
    assert minutes["clientBytes"][:8] == ["1050", None, "7", "0", "0", "0", "0", None]
    assert minutes["serverBytes"][:2] == ["1040", None]
    assert minutes["bothBytes"][:2] == ["0", "0"]
    less = await evidence(hub, tenant, "web", "api", first=1)
    assert (less["windows"], less["windowCount"], less["leftOutCount"]) == ([first], "4", "3")
    assert less["totals"] == found["totals"]
    assert (await asked(hub, other_tenant, "web", "api")).codes == ["not-found"]


async def test_names_that_clients_asked_for_are_shown_and_the_rows_are_those_of_whom_they_meant(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    (east, spoke), _ = await two_clusters(hub, tenant)
    clock.advance(HOUR)
    address, host = "198.51.100.7", "www.example.com"
    told = [
        Flow(WEB, Peer(address), AT, measures=bytes_of(1)),
        Flow(WEB, Peer(address, host=host), AT, measures=bytes_of(2)),
        Flow(WEB, Peer(host=host), AT, measures=bytes_of(4)),
        Flow(Peer(address), WEB, AT, SERVER, measures=bytes_of(8)),
    ]
    await east.send(seal_flows(spoke, told))
    await hub.settle()
    found = await evidence(hub, tenant, "web", "198.51.100.0/24")
    assert {(each["host"], each["bytesTx"]) for each in found["windows"]} == {(None, "1"), (host, "2")}
    found = await evidence(hub, tenant, "web", host)
    assert [(each["destination"], each["host"], each["bytesTx"]) for each in found["windows"]] == [("::", host, "4")]
    [back] = (await evidence(hub, tenant, "198.51.100.0/24", "web"))["windows"]
    assert (back["source"], back["host"], back["bytesTx"]) == (address, None, "8")


async def test_several_are_refused_and_names_of_nobody(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    (east, spoke), _ = await two_clusters(hub, tenant)
    clock.advance(HOUR)
    flows = [Flow(WEB, API, AT, BOTH, measures=bytes_of(5)), Flow(WEB, WEB, AT, BOTH, measures=bytes_of(5))]
    await east.send(seal_flows(spoke, flows))
    await hub.settle()
    assert (await asked(hub, tenant, "web", None)).codes == ["invalid"]
    assert (await asked(hub, tenant, "web", "nobody")).codes == ["not-found"]
    none = await evidence(hub, tenant, "api", "web")
    assert (none["source"], none["windowCount"], none["state"]) == (None, "0", "KEPT")
    later = {"hour": (START + timedelta(hours=5)).isoformat()}
    assert (await asked(hub, tenant, "web", "api", **later)).codes == ["invalid"], "not yet"
    assert (await asked(hub, tenant, "web", "api", first=0)).codes == ["page-size"]
    clock.advance(HOUR)
    silent = await evidence(hub, tenant, "web", "api", hour=(START + timedelta(hours=1)).isoformat())
    assert (silent["source"], silent["minutes"]["clientBytes"][0]) == (None, None)


async def test_minutes_whose_rows_wait_are_not_known(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    (east, spoke), _ = await two_clusters(hub, tenant)
    clock.advance(HOUR)
    await east.send(seal_flows(spoke, [Flow(WEB, API, AT, BOTH, measures=bytes_of(5))]))
    await hub.settle()
    await east.send(seal_flows(spoke, [Flow(WEB, API, AT + 600, BOTH, measures=bytes_of(7))]))
    waiting = await evidence(hub, tenant, "web", "api")
    assert (waiting["coverage"]["waitingSince"], waiting["windowCount"]) == ("2026-01-01T00:00:00Z", "1")
    assert [waiting["minutes"]["bothBytes"][minute] for minute in (0, 10)] == ["5", None]
    await hub.settle()
    whole = await evidence(hub, tenant, "web", "api")
    assert [whole["minutes"]["bothBytes"][minute] for minute in (0, 10)] == ["5", "7"]


async def test_rows_that_are_deleted_are_said_to_be(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    (east, spoke), _ = await two_clusters(hub, tenant)
    clock.advance(HOUR)
    await east.send(seal_flows(spoke, [Flow(WEB, API, AT, BOTH, measures=bytes_of(5))]))
    await hub.settle()
    assert sent(await evidence(hub, tenant, "web", "api")) == [
        ("BOTH", "shop/Deployment/web", "shop/Deployment/api", 5)
    ]
    async with hub.db.write(tenant) as c:
        await repository_losses.mark_raw(c, tenant, 0, [AT])
    lost = await evidence(hub, tenant, "web", "api")
    assert (lost["state"], lost["windowCount"], lost["minutes"]["bothBytes"][:2]) == ("PARTLY_LOST", "1", ["5", None])
    async with hub.db.write(tenant) as c:
        await repository_losses.mark_raw(c, tenant, 0, [])
    clock.advance(8 * DAY)
    over = await evidence(hub, tenant, "web", "api")
    assert (over["state"], over["windows"], over["rawKeptSince"]) == ("EXPIRED", [], "2026-01-02T00:00:00Z")
    assert set(over["minutes"]["bothBytes"]) == {None}
    await FlowRetentionJob(hub.db, hub.store, FlowsConfig(flow_raw_days=1)).run(hub.db.clock.now())
    clock.advance(-2 * DAY)
    gone_early = await evidence(hub, tenant, "web", "api")
    assert (gone_early["state"], gone_early["windowCount"]) == ("EXPIRED", "0"), "kept for less before"


async def test_an_address_that_changed_hands_is_of_each_in_its_time(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    member = await hub.door.member(tenant, "one")
    spoke = Spoke(member.registration, at=BEFORE)
    clock.advance(HOUR)
    kinds = {"workload_kind": "Deployment"}
    old = pod("old", "10.1.0.1", BEFORE, workload_name="old", **kinds)
    other = pod("db", "10.1.0.9", BEFORE, workload_name="db", **kinds)
    await member.send(spoke.snapshot({"pods": [old, other]}))
    spoke.at = START + timedelta(minutes=30)
    new = pod("new", "10.1.0.1", spoke.at, workload_name="new", started_at=spoke.at, **kinds)
    await member.send(spoke.delta({"pods": [gone("old", spoke.at, ended_at=spoke.at), new]}))
    flows = [Flow(Peer("10.1.0.1"), Peer("10.1.0.9"), AT + 60 * each, measures=bytes_of(each)) for each in (1, 29, 31)]
    await member.send(seal_flows(spoke, flows))
    await hub.settle()
    assert [each[-1] for each in sent(await evidence(hub, tenant, "old", "db"))] == [1, 29]
    assert [each[-1] for each in sent(await evidence(hub, tenant, "new", "db"))] == [31]


async def test_what_went_to_a_port_is_of_what_stands_behind_it(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    member = await hub.door.member(tenant, "one")
    clock.advance(HOUR)
    spoke = Spoke(member.registration, at=BEFORE)
    named = [
        pod(name, f"10.1.0.{at}", BEFORE, workload_kind="Deployment", workload_name=name)
        for at, name in enumerate(("web", "api"), 1)
    ]
    ready = upsert(
        "e",
        BEFORE,
        namespace="shop",
        service="service-api",
        target_uid="api",
        target_kind="Pod",
        ports=["http|TCP|8080|"],
    )
    await member.send(
        spoke.snapshot(
            {
                "pods": named,
                "nodes": [node("n", "InternalIP=192.168.1.1", at=BEFORE)],
                "services": [service("api", "10.96.0.1", at=BEFORE, ports=["http|TCP|80|8080|30080|"])],
                "endpoints": [ready],
            }
        )
    )
    ports = (("10.1.0.2", 8080), ("10.96.0.1", 80), ("10.96.0.1", 81), ("192.168.1.1", 30_080), ("192.168.1.1", 22))
    flows = [Flow(Peer("10.1.0.1"), Peer(ip), AT, port=port, measures=bytes_of(port)) for ip, port in ports]
    await member.send(seal_flows(spoke, flows))
    await hub.settle()
    of_api = await evidence(hub, tenant, "web", "api")
    assert {(each["destination"], each["port"]) for each in of_api["windows"]} == {*ports[:2], ports[3]}
    assert {
        (each["destination"], each["port"]) for each in (await evidence(hub, tenant, "web", "service-api"))["windows"]
    } == {ports[2]}
    of_node = await evidence(hub, tenant, "web", "node-n")
    assert {(each["destination"], each["port"]) for each in of_node["windows"]} == {ports[4]}


async def test_what_was_completed_from_the_other_side_has_the_rows_of_both(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    """Behind nodes on both sides: neither cluster sees the other's workload."""
    (east, east_spoke), (west, west_spoke) = await two_clusters(hub, tenant)
    clock.advance(HOUR)
    await east.send(east_spoke.delta({"nodes": [node("e", "InternalIP=192.168.1.1")]}))
    await west.send(west_spoke.delta({"nodes": [node("w", "InternalIP=192.168.2.1")]}))
    await east.send(seal_flows(east_spoke, [Flow(WEB, Peer("192.168.2.1"), AT, port=31_000, measures=bytes_of(40))]))
    await west.send(seal_flows(west_spoke, [Flow(Peer("192.168.1.1"), API, AT, SERVER, 8080, measures=bytes_of(41))]))
    await hub.settle()
    found = await evidence(hub, tenant, "web", "api")
    assert sent(found) == [
        ("CLIENT", "shop/Deployment/web", "192.168.2.1", 40),
        ("SERVER", "192.168.1.1", "shop/Deployment/api", 41),
    ]
