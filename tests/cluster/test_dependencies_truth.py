"""Two real API servers, an application of two clusters behind real translation, and `periplus dependencies` over it.

Each cluster has one node, a network namespace, and its pods are namespaces with the addresses that the cluster gave
them. The agents of the nodes read what the kernel tracked. The truth is what the sockets sent.
"""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from periplus_hub.api.start_process import start
from periplus_spoke.collectors.rbac import NAME, manifests
from periplus_spoke.kit.settings import JOIN_TOKEN_VARIABLE

from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.fixtures import ClusterFactory
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.manifests import WorkloadSpec
from tests.cluster.rig.populate import populate, ready_addresses
from tests.cluster.rig.spec import ClusterSpec
from tests.support import nftables
from tests.support.hub_process import config_for, hub
from tests.support.namespaces import Namespace, Network, wire_pod
from tests.support.terminal import Terminal
from tests.support.traffic import Relay, TcpServer, ask, connect, payload

pytestmark = pytest.mark.needs("network namespaces", "nftables")

NAMESPACE = "periplus"
SPECS = {
    "east": ClusterSpec(
        name="east", pod_cidr="10.61.0.0/16", service_cidr="10.62.0.0/16", node_network="10.63.0.0/24", node_count=0
    ),
    "west": ClusterSpec(
        name="west", pod_cidr="10.71.0.0/16", service_cidr="10.72.0.0/16", node_network="10.73.0.0/24", node_count=0
    ),
}
WORKLOADS = {
    "east": [
        WorkloadSpec(namespace="shop", name="web", replicas=1),
        WorkloadSpec(namespace="shop", name="cart", replicas=1),
    ],
    "west": [WorkloadSpec(namespace="payments", name="api", replicas=1)],
}
PORT, SERVICE_PORT = 8080, 80
GLOBAL_SERVICE, CART = "10.62.200.1", "10.62.200.2"
"""Addresses that pods of east dial: one leads to west, as a multi-cluster Service does, and one stays."""
PATIENCE_S = 240


_log = logging.getLogger(__name__)


@dataclass
class Site:
    """One cluster with its node and its pods."""

    plane: ControlPlane
    node_name: str
    node_address: str
    addresses: dict[str, str]
    node: Namespace
    pods: dict[str, Namespace] = field(default_factory=dict)


def site(network: Network, plane: ControlPlane, name: str) -> Site:
    """Fill the cluster, and make its node and pods."""
    spec = replace(SPECS[name], node_count=1, pods_per_node=len(WORKLOADS[name]))
    populate(plane.admin, spec, WORKLOADS[name])
    [node] = plane.admin.items("/api/v1/nodes")
    internal = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    found = {service: addresses for (_, service), addresses in ready_addresses(plane.admin).items()}
    addresses = {each.name: next(iter(found[each.name])) for each in WORKLOADS[name]}
    made = Site(plane, node["metadata"]["name"], internal, addresses, network.namespace(f"{name}-node"))
    for number, (workload, address) in enumerate(addresses.items()):
        made.pods[workload] = network.namespace(f"{name}-{workload}")
        wire_pod(network, made.node, made.pods[workload], (address, f"fd00::{name == 'west':d}{number}"))
    for setting in ("ipv4/ip_forward", "netfilter/nf_conntrack_acct"):
        made.node.sysctl(setting, "1")
    return made


@pytest.fixture(scope="module")
def sites(cluster_factory: ClusterFactory) -> Iterator[dict[str, Site]]:
    with Network() as network:
        made = {name: site(network, cluster_factory(spec), name) for name, spec in SPECS.items()}
        east, west = made["east"], made["west"]
        ends = network.link(east.node, west.node)
        for here, there, device in ((east, west, ends[0]), (west, east, ends[1])):
            here.node.ip("addr", "add", f"{here.node_address}/32", "dev", device)
            here.node.ip("route", "add", there.node_address, "dev", device)
            here.node.ip("route", "add", there.plane.spec.pod_cidr, "via", there.node_address, "dev", device)
        services = [
            nftables.Forwarded(GLOBAL_SERVICE, SERVICE_PORT, west.addresses["api"], PORT),
            nftables.Forwarded(CART, SERVICE_PORT, east.addresses["cart"], PORT),
        ]
        east.node.run(lambda: nftables.apply(services))
        west.node.run(lambda: nftables.apply((), [nftables.Masqueraded("192.0.2.1")]))
        yield made


@dataclass
class Fleet:
    """The hub, and what asks and feeds it."""

    terminal: Terminal
    spokes_port: int

    async def join_token(self, cluster: str, folder: Path) -> str:
        path = folder / f"{cluster}.token"
        given = ("--cluster-name", cluster, "--domain", "flat", "--auto-approve", "--out", str(path))
        await self.terminal.type("join-token", "create", *given)
        return path.read_text().strip()

    async def agents_token(self, cluster: str, folder: Path) -> str:
        path = folder / f"{cluster}-node.token"
        await self.terminal.type("join-token", "create", "--agents-of", cluster, "--out", str(path))
        return path.read_text().strip()

    async def is_active(self, cluster: str) -> bool:
        listed = await self.terminal.documents("clusters", "list")
        return any(each["name"] == cluster and each["registration"] == "active" for each in listed)

    async def edges(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Edges of workloads, by who talks to whom."""
        document = await self.terminal.documents("dependencies")
        return {
            (ends["source"]["name"], ends["destination"]["name"]): ends
            for ends in document["edges"]
            if {ends[side]["kind"] for side in ("source", "destination")} == {"Deployment"}
        }


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    config = config_for(database_url, tmp_path / "hub", all_in_one=True)
    async with hub(config) as ready:
        token = str(await start("admin_token", config))
        terminal = Terminal({"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "COLUMNS": "200"})
        await terminal.type("domains", "create", "flat")
        yield Fleet(terminal, urlsplit(ready["spokes_url"]).port or 0)


@asynccontextmanager
async def process(*command: str, token: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One agent, until the block ends; its log is shown when the test fails."""
    environment = os.environ | {JOIN_TOKEN_VARIABLE: token}
    with log.open("wb") as stderr:
        running = await asyncio.create_subprocess_exec(*command, env=environment, stderr=stderr)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()
        _log.info("%s: %s", log.name, await asyncio.to_thread(log.read_text))


async def run_agents(stack: AsyncExitStack, fleet: Fleet, sites: dict[str, Site], folder: Path) -> list[Path]:
    """A spoke and an agent of the node for each cluster; the agents' status files."""
    spoke = (sys.executable, "-m", "periplus_spoke")
    statuses = []
    for name, place in sites.items():
        for manifest in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            *manifests(NAMESPACE),
        ):
            place.plane.admin.apply(manifest)
        context = place.plane.context(place.plane.admin.token_for(NAMESPACE, NAME))
        kubeconfig = write_kubeconfig(folder / f"{name}.kubeconfig", [context])
        hub_url = ("--hub", f"http://127.0.0.1:{fleet.spokes_port}")
        own = ("--kubeconfig", str(kubeconfig), "--state-dir", str(folder / name))
        token = await fleet.join_token(name, folder)
        await stack.enter_async_context(process(*spoke, "run", *hub_url, *own, token=token, log=folder / f"{name}.log"))
        await until(f"{name} is active", partial(fleet.is_active, name))
        relay = stack.enter_context(closing(Relay(place.node, fleet.spokes_port)))
        statuses.append(folder / f"{name}-node.json")
        agent = ("ip", "netns", "exec", place.node.name, *spoke, "node", "--hub", f"http://127.0.0.1:{relay.port}")
        own = (
            "--node-name",
            place.node_name,
            "--state-dir",
            str(folder / f"{name}-node"),
            "--conntrack-interval-s",
            "5",
        )
        token = await fleet.agents_token(name, folder)
        status = ("--status-file", str(statuses[-1]))
        await stack.enter_async_context(process(*agent, *own, *status, token=token, log=folder / f"{name}-node.log"))
    return statuses


async def until(what: str, holds: Any) -> None:
    """Poll; the failure names what did not come."""
    for _ in range(PATIENCE_S):
        if await holds():
            return
        await asyncio.sleep(1)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


def talk(sites: dict[str, Site]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """The application at work: who sent whom how many bytes each way over how many connections."""
    east, west = sites["east"], sites["west"]
    truth: dict[tuple[str, str], tuple[int, int, int]] = {}
    calls = (
        (("web", "api"), east.pods["web"], (GLOBAL_SERVICE, SERVICE_PORT), (40_000, 3)),
        (("web", "cart"), east.pods["web"], (CART, SERVICE_PORT), (900, 2)),
        (("api", "cart"), west.pods["api"], (east.addresses["cart"], PORT), (123_456, 1)),
    )
    for ends, pod, where, (octets, count) in calls:
        sent = 0
        for number in range(count):
            with connect(pod, *where) as connection:
                sent += ask(connection, octets + number) + ask(connection, 1)
        truth[ends] = (sent, count * (octets + 1) + count * (count - 1) // 2, count)
    return truth


async def test_dependencies_are_what_the_sockets_sent(fleet: Fleet, sites: dict[str, Site], tmp_path: Path) -> None:
    with ExitStack() as servers:
        for place, name in (("west", "api"), ("east", "cart")):
            pod = sites[place].pods[name]
            servers.enter_context(closing(TcpServer(pod, socket.AF_INET, sites[place].addresses[name], PORT)))
        async with AsyncExitStack() as stack:
            statuses = await run_agents(stack, fleet, sites, tmp_path)

            async def watching() -> bool:
                return all(path.exists() and '"phase":"sending"' in path.read_text() for path in statuses)

            await until("the agents watch", watching)
            truth = await asyncio.to_thread(talk, sites)
            found: dict[tuple[str, str], dict[str, Any]] = {}

            async def told() -> bool:
                found.update(await fleet.edges())
                return truth.keys() <= found.keys()

            await until("every dependency is told", told)
            # What passed around the turn of a window is told with the next one; then nothing more may come.
            await asyncio.sleep(65)
            found = await fleet.edges()
            shown = (await fleet.terminal.type("dependencies", "--cross-cluster")).stdout
    lines = {tuple(line.split()[:4]) for line in shown.splitlines() if "/" in line}
    assert lines == {
        ("payments/api@west", "shop/cart@east", "TCP", str(PORT)),
        ("shop/web@east", "payments/api@west", "TCP", str(PORT)),
    }
    assert found.keys() == truth.keys()
    for ends, (sent, answered, count) in truth.items():
        edge = found[ends]
        assert int(edge["connectionsOpened"]) == count
        assert payload(socket.AF_INET, int(edge["bytesTx"]), int(edge["packetsTx"]), count) == sent
        assert payload(socket.AF_INET, int(edge["bytesRx"]), int(edge["packetsRx"]), count) == answered
        assert [edge[side]["cluster"]["name"] for side in ("source", "destination")] == [
            "west" if name == "api" else "east" for name in ends
        ]
        assert {port["port"] for port in edge["ports"]} == {PORT}
