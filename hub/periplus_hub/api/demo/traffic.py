"""Who talks to whom in the demonstration, minute by minute. Pure and deterministic.

What passes within clusters is dull. The story is between them: a database that everybody needs, an integration that
fell silent, a dashboard that began to read the ledger by itself, and a storefront whose calls the other side cannot
attribute, because its pods have addresses that another cluster's pods have, too.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from periplus_contract.flow_words import FlowCollector, Reporter
from periplus_hub.api.demo import objects
from periplus_hub.api.demo.fleet import CLUSTERS, DemoCluster

MINUTE_S: Final = 60
WITHOUT_FLOWS: Final = "hr-dublin"
"""Nobody installed agents there."""
SILENT_NODE: Final = "platform-stage-node-2"
"""Its agent tells nothing any more, since then:"""
_SILENT_SINCE_MINUTE: Final = -40
_UNMEASURED: Final = "factory-poznan"
"""The kernels of its nodes do not count bytes."""
_TIMED: Final = frozenset(cluster.name for cluster in CLUSTERS if cluster.provider == "aws")
_PACKET_BYTES: Final = 1_200
_PORT: Final = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One workload that asks another. Minutes are counted from the start of the demonstration."""

    client: tuple[str, str]
    """Cluster and app."""
    server: tuple[str, str]
    port: int = _PORT
    connections: int
    """In a minute."""
    bytes_to: int
    """With one connection."""
    bytes_back: int
    failures: int = 0
    """In a minute, refused."""
    round_trip_us: int = 300
    from_minute: int | None = None
    until_minute: int | None = None

    def passes_in(self, minute: int) -> bool:
        """Whether it goes on then."""
        return (self.from_minute is None or minute >= self.from_minute) and (
            self.until_minute is None or minute < self.until_minute
        )


BETWEEN_CLUSTERS: Final = (
    Talk(
        client=("payments-dublin", "ledger"),
        server=("data-virginia", "warehouse"),
        port=5432,
        connections=40,
        bytes_to=260_000,
        bytes_back=18_000,
        round_trip_us=78_400,
    ),
    Talk(
        client=("shop-dublin", "cart"),
        server=("payments-dublin", "payments"),
        port=8443,
        connections=90,
        bytes_to=6_400,
        bytes_back=21_000,
        failures=2,
        round_trip_us=900,
    ),
    # Another cluster's pods have its addresses, too: to the server these calls are ambiguous.
    Talk(
        client=("shop-frankfurt", "storefront"),
        server=("payments-dublin", "payments"),
        port=8443,
        connections=35,
        bytes_to=6_100,
        bytes_back=19_500,
        round_trip_us=24_700,
    ),
    Talk(
        client=("payments-dublin", "fraud"),
        server=("data-virginia", "ingest"),
        port=9092,
        connections=12,
        bytes_to=88_000,
        bytes_back=1_500,
        round_trip_us=79_100,
    ),
    Talk(
        client=("shop-dublin", "search"),
        server=("data-virginia", "warehouse"),
        port=5432,
        connections=20,
        bytes_to=2_100,
        bytes_back=64_000,
        round_trip_us=77_900,
        until_minute=-95,
    ),
    Talk(
        client=("data-virginia", "dashboards"),
        server=("payments-dublin", "ledger"),
        port=5432,
        connections=6,
        bytes_to=900,
        bytes_back=410_000,
        round_trip_us=78_800,
        from_minute=-25,
    ),
    Talk(
        client=("shop-dublin", "inventory"),
        server=("payments-dublin", "ledger"),
        port=5432,
        connections=9,
        bytes_to=700,
        bytes_back=120_000,
        round_trip_us=950,
        from_minute=2,
    ),
)


@dataclass(frozen=True, slots=True)
class Pod:
    """Where a workload runs."""

    address: str
    node: str


@dataclass(frozen=True, slots=True)
class Path:
    """A Talk between two pods."""

    talk: Talk
    client: Pod
    server: Pod


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFlow:
    """What one node saw of one Talk in one minute: a row of the contract, with its measures by name."""

    client: str
    server: str
    port: int
    at_s: int
    reporter: Reporter
    collector: FlowCollector
    measures: dict[str, int | None]

    @property
    def connections(self) -> int:
        """How many were opened."""
        return self.measures["connections_opened"] or 0

    @property
    def is_measured(self) -> bool:
        """Whether its bytes are known."""
        return self.measures["bytes_tx"] is not None


@cache
def talks() -> tuple[Talk, ...]:
    """Everything that ever passes."""
    return (*BETWEEN_CLUSTERS, *itertools.chain.from_iterable(map(_within, CLUSTERS)))


def _within(cluster: DemoCluster) -> Iterator[Talk]:
    """Each app asks the next one."""
    for number, (asks, answers) in enumerate(itertools.pairwise(cluster.apps)):
        client, server = (cluster.name, asks), (cluster.name, answers)
        yield Talk(
            client=client, server=server, connections=15 + 7 * number, bytes_to=3_000, bytes_back=9_000 + 4_000 * number
        )


@cache
def paths() -> tuple[Path, ...]:
    """Every Talk with its pods, those of the two ends on different nodes where that can be."""
    return tuple(map(_path, talks()))


def _path(talk: Talk) -> Path:
    # Where it can, an end is a pod whose address no other pod of the fleet has.
    clients, servers = (
        sorted(_pods()[cluster][app], key=lambda pod: _holders()[pod.address])
        for cluster, app in (talk.client, talk.server)
    )
    apart = [(one, other) for one in clients for other in servers if one.node != other.node]
    client, server = apart[0] if apart else (clients[0], servers[0])
    return Path(talk, client, server)


@cache
def _holders() -> Counter[str]:
    """How many pods have an address."""
    return Counter(pod.address for apps in _pods().values() for of_app in apps.values() for pod in of_app)


@cache
def _pods() -> dict[str, dict[str, list[Pod]]]:
    """By cluster and app."""
    return {cluster.name: _pods_of(cluster) for cluster in CLUSTERS}


def _pods_of(cluster: DemoCluster) -> dict[str, list[Pod]]:
    found: dict[str, list[Pod]] = {app: [] for app in cluster.apps}
    for pod in objects.pods(cluster):
        app = pod["metadata"]["labels"].get("app")
        if app in found:
            found[app].append(Pod(pod["status"]["podIPs"][0]["ip"], pod["spec"]["nodeName"]))
    return found


def nodes_with_agents() -> dict[str, list[str]]:
    """The nodes of each cluster where somebody installed agents."""
    return {each.name: list(objects.pod_blocks(each)) for each in CLUSTERS if each.name != WITHOUT_FLOWS}


def is_silent(node: str, start_s: int, at_s: int) -> bool:
    """Whether the agent of the node tells nothing of this minute."""
    return node == SILENT_NODE and at_s >= start_s + _SILENT_SINCE_MINUTE * MINUTE_S


def seen_by(node: str, start_s: int, at_s: int) -> Iterator[SeenFlow]:
    """What this node saw in the minute from `at_s` on, in a demonstration that started at `start_s`."""
    for path, reporter in _views().get(node, ()):
        if path.talk.passes_in((at_s - start_s) // MINUTE_S):
            yield SeenFlow(
                client=path.client.address,
                server=path.server.address,
                port=path.talk.port,
                at_s=at_s,
                reporter=reporter,
                collector=FlowCollector.NETOBSERV if _is_timed(path.talk) else FlowCollector.CONNTRACK,
                measures=_measures(path, at_s),
            )


def connections_between_clusters(start_s: int, since_s: int) -> int:
    """How many were opened across clusters until the start of the demonstration."""
    return sum(
        _connections(path, at_s)
        for path in paths()
        if path.talk in BETWEEN_CLUSTERS
        for at_s in range(since_s, start_s, MINUTE_S)
        if path.talk.passes_in((at_s - start_s) // MINUTE_S)
    )


def one_sided() -> int:
    """How many of what passes between clusters its server cannot tell whose it is."""
    return sum(path.talk in BETWEEN_CLUSTERS and _holders()[path.client.address] > 1 for path in paths())


@cache
def _views() -> dict[str, list[tuple[Path, Reporter]]]:
    """Of each node, what passes through it, and whose view that is."""
    views: dict[str, list[tuple[Path, Reporter]]] = {}
    for path in paths():
        if path.client.node == path.server.node:
            views.setdefault(path.client.node, []).append((path, Reporter.BOTH))
            continue
        views.setdefault(path.client.node, []).append((path, Reporter.CLIENT))
        views.setdefault(path.server.node, []).append((path, Reporter.SERVER))
    return views


def _measures(path: Path, at_s: int) -> dict[str, int | None]:
    talk, connections = path.talk, _connections(path, at_s)
    bytes_tx, bytes_rx = connections * talk.bytes_to, connections * talk.bytes_back
    is_timed = _is_timed(talk)
    measures: dict[str, int | None] = {
        "connections_opened": connections,
        "connections_closed": connections,
        "failures_refused": talk.failures,
        "failures_timeout": 0,
        "failures_other": None,
        "rtt_us_sum": connections * talk.round_trip_us if is_timed else None,
        "rtt_count": connections if is_timed else None,
        "retransmits": connections // 20 if is_timed else None,
    }
    counted: dict[str, int | None] = {
        "bytes_tx": bytes_tx,
        "bytes_rx": bytes_rx,
        "packets_tx": connections * 4 + bytes_tx // _PACKET_BYTES,
        "packets_rx": connections * 4 + bytes_rx // _PACKET_BYTES,
    }
    return measures | (dict.fromkeys(counted) if talk.client[0] == _UNMEASURED else counted)


def _is_timed(talk: Talk) -> bool:
    """Agents of these clusters time handshakes; the others read the kernel's table, which has no times."""
    return talk.client[0] in _TIMED


def _connections(path: Path, at_s: int) -> int:
    """A fourth more or fewer, differently each minute and alike in each run."""
    usual = path.talk.connections
    dice = hashlib.sha256(f"{path.client.address} {path.server.address} {at_s}".encode()).digest()[0]
    return usual - usual // 4 + dice * (usual // 2) // 255
