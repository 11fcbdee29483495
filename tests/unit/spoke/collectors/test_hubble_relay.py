"""Hubble Relay as it is configured: whether it is read, where it is, and who counts connections."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from periplus_spoke.collectors.hubble import CONDITION, HubbleCollector
from periplus_spoke.collectors.hubble_relay import counts_connections, hubble_flows, relay_address
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource, State
from periplus_spoke.grpc.address import Address, Tls
from periplus_spoke.kit.config import load
from periplus_spoke.kit.errors import ConfigError

from tests.support.clock import FakeClock
from tests.support.collector_contract import SinkThatCanShut, running
from tests.support.fake_relay import FakeRelay, fake_relay

HUB: dict[str, object] = {"hub": "https://hub.example"}
RELAY = FlowSource(kind="hubble", state="found", namespace="kube-system", service="hubble-relay", port=80)


class Shown:
    """A cluster of which only its sources of flows are known."""

    def __init__(self, *sources: Chosen) -> None:
        self.sources = sources
        self.inventory = self

    def flow_sources(self) -> tuple[Chosen, ...]:
        return self.sources


def configured(cluster: Any, told: dict[str, str] | None = None, **settings: object) -> HubbleCollector | None:
    said = {} if told is None else told
    return hubble_flows(load(HUB | settings, {}), cluster, FakeClock(), random.Random(1), said.__setitem__)


def test_it_runs_where_a_relay_is_configured_and_hubble_may_be_read() -> None:
    assert configured(Shown()) is None
    assert configured(Shown(), hubble_relay="http://relay", flow_sources="istio,obi") is None
    assert configured(Shown(), hubble_relay="http://relay") is not None
    assert configured(Shown(), hubble_relay="auto", flow_sources="conntrack,hubble") is not None


AGENTS: dict[State, Chosen] = {
    state: Chosen(FlowSource(kind="conntrack", state=state), "") for state in ("found", "unknown", "absent")
}


@pytest.mark.parametrize(
    ("settings", "agents", "counts"),
    [
        ({}, "absent", True),
        ({}, "found", False),
        ({}, "unknown", False),
        ({"flow_sources": "hubble"}, "unknown", True),
        ({"flow_sources": "hubble,obi"}, "absent", True),
        ({"flow_sources": "hubble,conntrack"}, "absent", False),
        ({"flow_sources": "istio,hubble"}, "absent", True),
        ({"flow_sources": "istio"}, "absent", False),
        ({"prometheus_urls": "http://prometheus:9090"}, "absent", True),
        ({"hubble_relay": ""}, "absent", False),
        ({"hubble_relay": "auto"}, "absent", False),
    ],
)
def test_one_source_counts_connections(settings: dict[str, object], agents: State, counts: bool) -> None:
    config = msgspec.structs.replace(load(HUB | {"hubble_relay": "http://relay"}, {}), **parsed(settings))
    assert counts_connections(config, (AGENTS[agents],)) is counts


def parsed(settings: dict[str, object]) -> dict[str, Any]:
    """As they are loaded; '' for one that is not given."""
    given = {name: value for name, value in settings.items() if value}
    loaded = load(HUB | given, {})
    return {name: getattr(loaded, name) for name in settings}


def test_a_relay_that_is_found_counts_connections() -> None:
    config = load(HUB | {"hubble_relay": "auto"}, {})
    assert counts_connections(config, (AGENTS["absent"], Chosen(RELAY, "chosen")))


def test_agents_that_see_nothing_count_nothing() -> None:
    past = Chosen(FlowSource(kind="conntrack", state="found", missing="packets take another way"), "unreadable")
    assert counts_connections(load(HUB | {"hubble_relay": "http://relay"}, {}), (past,))


async def test_where_none_is_found_or_may_be_read_it_waits_without_trouble() -> None:
    async with fake_relay(FakeRelay()) as relay:
        clock, told, cluster = FakeClock(), {CONDITION: "not said"}, Shown(AGENTS["absent"])
        auto = load(HUB | {"hubble_relay": "auto"}, {})
        anything: Any = cluster
        collector = hubble_flows(auto, anything, clock, random.Random(1), told.__setitem__)
        assert collector is not None
        sink = SinkThatCanShut()
        async with running(collector, sink):
            await clock.run_until(collector.settled)
            assert (told[CONDITION], sink.told, relay.accepted) == ("", [], 0)
            cluster.sources = (Chosen(RELAY, "not-chosen"), AGENTS["absent"])
            collector.settled.clear()
            await clock.run_until(collector.settled)
            assert (told[CONDITION], sink.told, relay.accepted) == ("", [], 0)


def test_the_address_and_how_the_relay_is_known() -> None:
    assert relay_address(load(HUB | {"hubble_relay": "http://relay"}, {})) == Address("relay", 80)
    files = {"hubble_ca": "/ca", "hubble_certificate": "/crt", "hubble_key": "/key"}
    tls = Tls(Path("/ca"), "ui.hubble-relay.cilium.io", Path("/crt"), Path("/key"))
    config = load(HUB | {"hubble_relay": "https://[fd00::1]:4245", **files}, {})
    assert relay_address(config) == Address("fd00::1", 4245, tls)
    assert Address("fd00::1", 4245).authority == "[fd00::1]:4245"
    found = load(HUB | {"hubble_relay": "auto", **files}, {})
    assert relay_address(found) is None
    # Files are given to be used: a Service on another port must not turn encryption off.
    assert relay_address(found, RELAY) == Address("hubble-relay.kube-system.svc", 80, tls)
    plain = load(HUB | {"hubble_relay": "auto"}, {})
    assert relay_address(plain, RELAY) == Address("hubble-relay.kube-system.svc", 80)
    encrypted = FlowSource(
        kind="hubble", state="found", namespace="cilium", service="hubble-relay", port=443, is_tls=True
    )
    assert relay_address(found, encrypted) == Address("hubble-relay.cilium.svc", 443, tls)


@pytest.mark.parametrize(
    "settings",
    [
        {"hubble_relay": "relay:80"},
        {"hubble_relay": "http://relay/path"},
        {"hubble_relay": "https://relay", "hubble_certificate": "/crt"},
        {"hubble_relay": "http://relay", "hubble_ca": "/ca"},
        {"hubble_ca": "/ca"},
    ],
)
def test_what_cannot_be_meant_stops_the_start(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load(HUB | settings, {})
