"""What passes in the demonstration: alike in every run, told alike by both ends, and the story that it should tell."""

from collections import Counter, defaultdict
from typing import Any

import pytest

from periplus_contract.flow_words import FlowCollector, Reporter
from periplus_hub.api.demo import objects, traffic
from periplus_hub.api.demo.fleet import CLUSTERS
from periplus_hub.api.demo.traffic import (
    BETWEEN_CLUSTERS,
    MINUTE_S,
    SILENT_NODE,
    WITHOUT_FLOWS,
    SeenFlow,
    connections_between_clusters,
    is_silent,
    nodes_with_agents,
    one_sided,
    paths,
    seen_by,
)

START_S = 1_790_000_040
NODES = [node for nodes in nodes_with_agents().values() for node in nodes]


def seen(minute: int) -> list[SeenFlow]:
    """By all nodes."""
    at_s = START_S + minute * MINUTE_S
    return [flow for node in NODES for flow in seen_by(node, START_S, at_s)]


def ends(flow: SeenFlow) -> tuple[str, str, int]:
    return flow.client, flow.server, flow.port


def between(client: str, server: str) -> tuple[str, str, int]:
    """Ends of the talk between these apps, written as app@cluster."""
    for path in paths():
        if [f"{app}@{cluster}" for cluster, app in (path.talk.client, path.talk.server)] == [client, server]:
            return path.client.address, path.server.address, path.talk.port
    raise AssertionError((client, server))


def test_both_ends_tell_the_same() -> None:
    told: dict[Any, list[SeenFlow]] = defaultdict(list)
    for flow in seen(-10):
        told[ends(flow)].append(flow)
    assert len(told) > len(BETWEEN_CLUSTERS)
    for flows in told.values():
        assert [flow.reporter for flow in sorted(flows, key=lambda flow: flow.reporter)] in (
            [Reporter.CLIENT, Reporter.SERVER],
            [Reporter.BOTH],
        )
        assert len({tuple(sorted(flow.measures.items(), key=str)) for flow in flows}) == 1


def test_every_run_tells_the_same_and_every_minute_something_else() -> None:
    assert seen(-7) == seen(-7)
    assert seen(-7) != seen(-8)


def test_a_cluster_without_agents_tells_nothing() -> None:
    assert WITHOUT_FLOWS in {cluster.name for cluster in CLUSTERS}
    assert set(nodes_with_agents()) == {cluster.name for cluster in CLUSTERS} - {WITHOUT_FLOWS}


def test_one_agent_falls_silent() -> None:
    assert SILENT_NODE in NODES
    silent = {node for node in NODES if is_silent(node, START_S, START_S)}
    assert silent == {SILENT_NODE}
    assert not is_silent(SILENT_NODE, START_S, START_S - 60 * MINUTE_S), "it told before"


@pytest.mark.parametrize(
    ("client", "server", "minutes"),
    [
        ("ledger@payments-dublin", "warehouse@data-virginia", {-180, -60, -1, 0, 60}),
        ("search@shop-dublin", "warehouse@data-virginia", {-180}),
        ("dashboards@data-virginia", "ledger@payments-dublin", {-1, 0, 60}),
        ("inventory@shop-dublin", "ledger@payments-dublin", {60}),
    ],
)
def test_what_passes_when(client: str, server: str, minutes: set[int]) -> None:
    asked = between(client, server)
    assert {minute for minute in (-180, -60, -1, 0, 60) if asked in map(ends, seen(minute))} == minutes


def test_only_where_the_story_says_so_an_address_is_that_of_two_pods() -> None:
    held = Counter(pod["status"]["podIPs"][0]["ip"] for cluster in CLUSTERS for pod in objects.pods(cluster))
    ambiguous = {
        path.talk.client for path in paths() if path.talk in BETWEEN_CLUSTERS and held[path.client.address] > 1
    }
    assert ambiguous == {("shop-frankfurt", "storefront")}
    assert one_sided() == 1
    assert all(held[path.server.address] == 1 for path in paths() if path.talk in BETWEEN_CLUSTERS)


def test_what_no_source_counts_or_times_is_unknown() -> None:
    uncounted = [flow for flow in seen(-1) if not flow.is_measured]
    assert {flow.measures["packets_rx"] for flow in uncounted} == {None}
    assert all(flow.connections for flow in uncounted)
    timed = {flow.collector: flow.measures["rtt_us_sum"] for flow in seen(-1)}
    assert timed[FlowCollector.CONNTRACK] is None
    assert timed[FlowCollector.NETOBSERV]


def test_connections_between_clusters_are_those_that_clients_tell() -> None:
    clients = {path.client.address for path in paths() if path.talk in BETWEEN_CLUSTERS}
    across = {ends_of for ends_of in map(ends, seen(-1)) if ends_of[0] in clients}
    across &= {between(*_named(talk)) for talk in BETWEEN_CLUSTERS}
    told = sum(
        flow.connections
        for minute in (-3, -2, -1)
        for flow in seen(minute)
        if flow.reporter is Reporter.CLIENT and ends(flow) in across
    )
    assert told == connections_between_clusters(START_S, START_S - 3 * MINUTE_S) > 0


def _named(talk: traffic.Talk) -> tuple[str, str]:
    client, server = (f"{app}@{cluster}" for cluster, app in (talk.client, talk.server))
    return client, server
