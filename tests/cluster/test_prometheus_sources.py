"""A real Prometheus scrapes exporters that speak each vendor's metrics, and the rows of a window are exact."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_contract.flow_words import FlowCollector, Reporter, Verdict
from periplus_spoke.collectors.metric_rules import WINDOW_S
from periplus_spoke.conversion.flow_sums import Peer
from periplus_spoke.conversion.records import Sealable

from tests.support.clock import QuickTimer
from tests.support.fake_exporter import exposing
from tests.support.flow_rows import NOBODY
from tests.support.metric_readers import Said, of_exporters, of_prometheus, rows, windows
from tests.support.real_prometheus import Line, RealPrometheus, exporting, job, prometheus
from tests.support.vendor_metrics import (
    CILIUM,
    CILIUM_SERVER,
    ISTIO,
    ISTIO_HTTP,
    ISTIO_SERVER,
    NETOBSERV,
    OBI,
    OBI_BACK,
    RETINA,
    SUBMARINER,
    rising,
    window_end_s,
)

WEB = Peer(0, 0, "shop", "Deployment", "web")
DB = Peer(0, 0, "shop", "StatefulSet", "db")
HOST = "db.shop.svc.cluster.local"
"""What Istio says that the client asked for."""


@asynccontextmanager
async def scraped(program: Path, folder: Path, *exporters: list[Line]) -> AsyncIterator[RealPrometheus]:
    """A Prometheus that has what these exporters say."""
    async with AsyncExitStack() as stack:
        served = [await stack.enter_async_context(exporting(*lines)) for lines in exporters]
        server = await stack.enter_async_context(prometheus(program, folder, [job("agents", *served)]))
        for lines in exporters:
            await server.has_line(lines[-1])
        yield server


async def window_of(end_s: int, *urls: str, said: Said | None = None, **settings: Any) -> Sealable:
    """The window that ends then."""
    timer = QuickTimer()
    timer.us = (end_s - 2 * WINDOW_S + 10) * 1_000_000
    [window] = await windows(of_prometheus(*urls, said=said, timer=timer, **settings), 1)
    assert window.window_start_s == end_s - WINDOW_S
    return window


def told(window: Sealable) -> dict[tuple[Peer, Peer, Reporter], Mapping[str, int]]:
    """What is known of each flow."""
    return {
        (row["src"], row["dst"], Reporter(row["reporter"])): {
            name: row[name] for name in ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx") if row[name] is not None
        }
        | {name: row[name] for name in ("connections_opened", "connections_closed") if row[name]}
        for row in rows(window)
    }


def mark_of(window: Sealable) -> FlowsMark:
    assert window.flows is not None
    return window.flows


def istio_with_sidecars(end_s: int) -> list[list[Line]]:
    """Both proxies tell of TCP and of bodies of HTTP."""
    client, server = (
        [
            *rising("istio_tcp_received_bytes_total", labels, 5_000, 5_100 + more, end_s),
            *rising("istio_tcp_sent_bytes_total", labels, 7_000, 7_900 + more, end_s),
            *rising("istio_tcp_connections_opened_total", labels, 10, 13, end_s),
            *rising("istio_tcp_connections_closed_total", labels, 8, 10, end_s),
            *rising("istio_request_bytes_sum", labels | ISTIO_HTTP, 300, 320, end_s),
            *rising("istio_request_bytes_bucket", labels | ISTIO_HTTP | {"le": "+Inf"}, 1, 2, end_s),
            *rising("istio_response_bytes_sum", labels | ISTIO_HTTP, 0, 4_000, end_s),
            *rising("istio_requests_total", labels | ISTIO_HTTP, 1, 2, end_s),
        ]
        for labels, more in ((ISTIO, 0), (ISTIO_SERVER, 3))
    )
    return [client, server]


def istio_ambient(end_s: int) -> list[list[Line]]:
    """The ztunnels of both nodes tell, and the waypoint between them counts the same again."""
    ztunnels = [
        [
            *rising("istio_tcp_received_bytes_total", labels, 0, 120, end_s),
            *rising("istio_tcp_sent_bytes_total", labels, 0, 4_900, end_s),
            *rising("istio_tcp_connections_opened_total", labels, 0, 3, end_s),
            *rising("istio_tcp_connections_closed_total", labels, 0, 2, end_s),
        ]
        for labels in (ISTIO, ISTIO_SERVER)
    ]
    at_waypoint = ISTIO | {"reporter": "waypoint"}
    waypoint = [
        *rising("istio_request_bytes_sum", at_waypoint | ISTIO_HTTP, 0, 120, end_s),
        *rising("istio_tcp_received_bytes_total", at_waypoint, 0, 120, end_s),
        *rising("istio_response_bytes_sum", at_waypoint | ISTIO_HTTP, 0, 4_900, end_s),
    ]
    return [*ztunnels, waypoint]


def istio_of_two_clusters(end_s: int) -> list[list[Line]]:
    """A ztunnel or sidecar tells of a server in another cluster of the mesh, and another one of a client there."""
    to_west = ISTIO | {"destination_cluster": "west"}
    from_west = ISTIO_SERVER | {"source_cluster": "west"}
    return [
        rising("istio_tcp_received_bytes_total", to_west, 0, 120, end_s),
        rising("istio_tcp_sent_bytes_total", from_west, 0, 4_900, end_s),
    ]


def packets_on_two_nodes(prefix: str) -> Callable[[int], list[list[Line]]]:
    """Each node's agent counts both directions on its interfaces."""

    def lines(end_s: int) -> list[list[Line]]:
        return [
            [
                line
                for labels, size, number in ((OBI, 120, 2), (OBI_BACK, 4_900, 5))
                for line in (
                    *rising(f"{prefix}_network_flow_bytes_total", labels | {f"{prefix}_ip": node}, 1, 1 + size, end_s),
                    *rising(
                        f"{prefix}_network_flow_packets_total", labels | {f"{prefix}_ip": node}, 1, 1 + number, end_s
                    ),
                )
            ]
            for node in ("10.0.0.1", "10.0.0.2")
        ]

    return lines


def retina(end_s: int) -> list[list[Line]]:
    """The node of the client tells what left it, that of the server what came, and what came from outside."""
    outside = RETINA | {name: "unknown" for name in RETINA if name.startswith("source_")}
    return [
        [
            *rising("networkobservability_adv_forward_bytes", RETINA | {"direction": "egress"}, 10, 130, end_s),
            *rising("networkobservability_adv_forward_count", RETINA | {"direction": "egress"}, 1, 3, end_s),
        ],
        [
            *rising("networkobservability_adv_forward_bytes", RETINA | {"direction": "ingress"}, 10, 130, end_s),
            *rising("networkobservability_adv_forward_bytes", outside | {"direction": "ingress"}, 0, 77, end_s),
            *rising("networkobservability_adv_forward_count", outside | {"direction": "ingress"}, 0, 1, end_s),
            *rising("networkobservability_forward_bytes", {"cluster": "east", "direction": "egress"}, 0, 9e6, end_s),
        ],
    ]


def submariner(end_s: int) -> list[list[Line]]:
    return [
        [
            *rising("submariner_gateway_tx_bytes", SUBMARINER, 0, 120, end_s),
            *rising("submariner_gateway_rx_bytes", SUBMARINER, 0, 4_900, end_s),
        ]
    ]


PAIR = (WEB, DB, Reporter.BOTH)
PAIR_OF_ISTIO = (WEB, DB._replace(host=HOST), Reporter.BOTH)
IN_WEST = Peer(0, 0, "shop", "Workload", "web", "istio=west")
GATEWAYS = (Peer(0, 0xFFFF0A000001), Peer(0, 0xFFFF0A090001, cluster="submariner=west"), Reporter.CLIENT)


@pytest.mark.parametrize(
    ("exporters", "expected", "collector"),
    [
        (
            istio_with_sidecars,
            {PAIR_OF_ISTIO: {"bytes_tx": 120, "bytes_rx": 4_900, "connections_opened": 3, "connections_closed": 2}},
            FlowCollector.ISTIO,
        ),
        (
            istio_ambient,
            {PAIR_OF_ISTIO: {"bytes_tx": 120, "bytes_rx": 4_900, "connections_opened": 3, "connections_closed": 2}},
            FlowCollector.ISTIO,
        ),
        (
            istio_of_two_clusters,
            {
                (WEB, IN_WEST._replace(workload="db", host=HOST), Reporter.CLIENT): {"bytes_tx": 120},
                (IN_WEST, DB, Reporter.SERVER): {"bytes_rx": 4_900},
            },
            FlowCollector.ISTIO,
        ),
        (
            packets_on_two_nodes("obi"),
            {PAIR: {"bytes_tx": 120, "bytes_rx": 4_900, "packets_tx": 2, "packets_rx": 5}},
            FlowCollector.OBI,
        ),
        (
            packets_on_two_nodes("beyla"),
            {PAIR: {"bytes_tx": 120, "bytes_rx": 4_900, "packets_tx": 2, "packets_rx": 5}},
            FlowCollector.OBI,
        ),
        (
            retina,
            {
                (WEB, DB, Reporter.BOTH): {"bytes_tx": 120, "packets_tx": 2},
                (NOBODY, DB, Reporter.SERVER): {"bytes_tx": 77, "packets_tx": 1},
            },
            FlowCollector.RETINA,
        ),
        (submariner, {GATEWAYS: {"bytes_tx": 120, "bytes_rx": 4_900}}, FlowCollector.SUBMARINER),
    ],
    ids=["istio-sidecars", "istio-ambient", "istio-two-clusters", "obi", "beyla", "retina", "submariner"],
)
async def test_each_byte_is_told_once(
    exporters: Callable[[int], list[list[Line]]],
    expected: dict[tuple[Peer, Peer, Reporter], dict[str, int]],
    collector: FlowCollector,
    prometheus_program: Path,
    tmp_path: Path,
) -> None:
    end_s, said = window_end_s(), Said()
    async with scraped(prometheus_program, tmp_path / "p", *exporters(end_s)) as server:
        window = await window_of(end_s, server.url, said=said)
    assert told(window) == expected
    assert {row["collector"] for row in rows(window)} == {collector}
    assert (mark_of(window).lost, mark_of(window).conditions, said) == ({}, (), {})


def netobserv_agent(size: int, rate: int, end_s: int) -> list[Line]:
    """One node's agent, which looks at one of so many packets."""
    return [
        Line("netobserv_agent_sampling_rate", {}, rate, end_s - 15),
        *rising("netobserv_workload_ingress_bytes_total", NETOBSERV, 0, size, end_s),
        *rising("netobserv_workload_egress_bytes_total", NETOBSERV, 40, 40 + size, end_s),
    ]


async def test_sampled_bytes_are_scaled_once_over_all_agents(prometheus_program: Path, tmp_path: Path) -> None:
    end_s = window_end_s()
    agents = [netobserv_agent(size, 50, end_s) for size in (3, 4)]
    async with scraped(prometheus_program, tmp_path / "p", *agents) as server:
        window = await window_of(end_s, server.url)
    assert told(window) == {PAIR: {"bytes_tx": 350}}
    assert [row["sampling"] for row in rows(window)] == [50]


async def test_bytes_of_agents_that_sample_differently_are_unknown(prometheus_program: Path, tmp_path: Path) -> None:
    end_s = window_end_s()
    agents = [netobserv_agent(3, 50, end_s), netobserv_agent(4, 1, end_s)]
    async with scraped(prometheus_program, tmp_path / "p", *agents) as server:
        window = await window_of(end_s, server.url)
    assert told(window) == {PAIR: {}}
    assert (mark_of(window).unmeasured, mark_of(window).conditions) == (1, (flow_words.SAMPLING_UNKNOWN,))


async def test_verdicts_of_cilium_are_connections_and_denials(prometheus_program: Path, tmp_path: Path) -> None:
    end_s, name = window_end_s(), "hubble_policy_verdicts_total"
    lines = [
        *rising(name, CILIUM, 10, 13, end_s),
        *rising(name, CILIUM | {"action": "redirected"}, 0, 2, end_s),
        *rising(name, CILIUM | {"action": "dropped", "match": "none"}, 0, 9, end_s),
        *rising(name, CILIUM | {"match": "l7/http"}, 0, 400, end_s),
        *rising("hubble_flows_processed_total", {"type": "Trace", "verdict": "FORWARDED"}, 0, 7_000, end_s),
    ]
    of_server = rising(name, CILIUM_SERVER | {"match": "none"}, 0, 5, end_s)
    async with scraped(prometheus_program, tmp_path / "p", lines, of_server) as server:
        window = await window_of(end_s, server.url)
    there, here = Peer(0, 0xFFFF0A090008), Peer(0, 0xFFFF0A010007)
    found = {
        (row["src"], row["dst"], row["verdict"]): (row["connections_opened"], row["failures_other"])
        for row in rows(window)
    }
    assert found == {
        (here, DB, Verdict.FORWARDED): (5, None),
        (WEB, there, Verdict.FORWARDED): (5, None),
        (WEB, there, Verdict.DROPPED): (None, 9),
    }
    assert (mark_of(window).unmeasured, mark_of(window).conditions) == (3, ())


def now(lines: list[Line], *, at_s: int) -> str:
    """The page of an exporter, as it was then."""
    past = [line for line in lines if line.at_s is not None and line.at_s <= at_s]
    return "".join({(line.metric, *line.labels.items()): line._replace(at_s=None).text() for line in past}.values())


@pytest.mark.parametrize("exporters", [istio_with_sidecars, istio_ambient, packets_on_two_nodes("obi"), retina])
async def test_exporters_read_directly_tell_the_same_as_a_prometheus_that_scrapes_them(
    exporters: Callable[[int], list[list[Line]]], prometheus_program: Path, tmp_path: Path
) -> None:
    end_s = window_end_s()
    served = exporters(end_s)
    async with scraped(prometheus_program, tmp_path / "p", *served) as server, AsyncExitStack() as stack:
        by_prometheus = await window_of(end_s, server.url)
        pages = [
            await stack.enter_async_context(
                exposing(lambda turn, lines=lines: now(lines, at_s=end_s - WINDOW_S if turn == 0 else end_s))
            )
            for lines in served
        ]
        [direct, *_] = await windows(of_exporters(*(each.url for each in pages)), 1)
    assert rows(direct) == rows(by_prometheus)
    assert mark_of(direct) == mark_of(by_prometheus)
