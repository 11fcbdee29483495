"""A shop on two nodes: `web` on the first asks `api` on the second, and both know what an agent of Cilium knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from periplus_spoke.collectors.hubble_relay import GrpcRelay
from periplus_spoke.conversion.hubble.messages import read_nodes
from periplus_spoke.grpc.address import Address, Tls

from tests.cluster.rig.datapath import NEW, TO_ENDPOINT, TO_OVERLAY, Packet, trace
from tests.cluster.rig.hubble import Hubble, Node
from tests.cluster.rig.hubble_listener import HubbleListener
from tests.cluster.rig.polling import wait_for
from tests.support.collector_contract import running

WEB_IP, API_IP, WORLD_IP, WEST_IP = "10.1.0.10", "10.2.0.20", "203.0.113.9", "10.9.0.30"
WEB_IP6, API_IP6 = "fd00:1::10", "fd00:2::20"
WEB, API, WORLD, WEST = 1001, 1002, 2, (2 << 16) + 1001
WEB_EP, API_EP = 11, 22
WEB_TO_API = Packet(WEB_IP, API_IP)


def furnish(node: Node) -> None:
    """Node a runs `web`, node b runs `api`; each knows of the other what a Cilium agent knows."""
    for identity, cluster, app in ((WEB, "east", "web"), (API, "east", "api"), (WEST, "west", "web")):
        labels = (f"io.cilium.k8s.policy.cluster={cluster}", "io.kubernetes.pod.namespace=shop", f"app={app}")
        node.do(Identity={"ID": identity, "Labels": [f"k8s:{label}" for label in labels]})
    node.do(Identity={"ID": WORLD, "Labels": ["reserved:world"]})
    node.do(Remote={"IP": WORLD_IP, "Identity": WORLD})
    node.do(Remote={"IP": WEST_IP, "Identity": WEST, "Namespace": "shop", "Pod": "web-77c9-x1"})
    web, api = (WEB, WEB_EP, "web", "east/a"), (API, API_EP, "api", "east/b")
    for address, pod_of in ((WEB_IP, web), (WEB_IP6, web), (API_IP, api), (API_IP6, api)):
        identity, endpoint, app, where = pod_of
        pod = {"IP": address, "Identity": identity, "Namespace": "shop", "Pod": f"{app}-5d4f-x1"}
        node.do(Remote=pod)
        if node.name == where:
            owner = {"OwnerKind": "ReplicaSet", "OwnerName": f"{app}-5d4f", "Generated": f"{app}-5d4f-"}
            decides = [policy(app, port) for port in (8080, 9090)]
            labels = {"pod-template-hash": "5d4f", "app": app}
            node.do(Endpoint={**pod, "ID": endpoint, **owner, "PodLabels": labels, "Policies": decides})


def policy(app: str, port: int) -> dict[str, object]:
    """Who may leave web, or reach api."""
    named = {"Kind": "CiliumNetworkPolicy", "Name": f"{app}-{port}", "Namespace": "shop"}
    return {"Ingress": app == "api", "Port": port, "Protocol": 6, **named}


def leaving(packet: Packet, point: int = TO_OVERLAY, reason: int = NEW, to: int = API) -> bytes:
    """Node a sees it leave web."""
    return trace(packet, point, reason, endpoint=WEB_EP, identities=(WEB, to))


def arriving(packet: Packet, reason: int = NEW, source: int = WEB) -> bytes:
    """Node b sees it arrive at api."""
    return trace(packet, TO_ENDPOINT, reason, endpoint=API_EP, identities=(source, API))


@asynccontextmanager
async def listening(hubble: Hubble, tls: Tls | None = None) -> AsyncIterator[HubbleListener]:
    """From when all nodes are read on."""
    await until_known(hubble, tls)
    it = HubbleListener(Address("127.0.0.1", hubble.relay.port, tls))
    async with running(it.collector, it):
        for node in hubble.nodes:
            if node.name in hubble.places:
                await asyncio.to_thread(node.until_read)
        yield it


async def until_known(hubble: Hubble, tls: Tls | None = None) -> None:
    """Until the relay knows where the nodes are."""
    address = Address("127.0.0.1", hubble.relay.port, tls)
    await asyncio.to_thread(
        wait_for, "places of nodes", lambda: asyncio.run(_places(address)) == hubble.places, timeout_s=60
    )


async def _places(address: Address) -> dict[str, str]:
    relay = await GrpcRelay.open(address)
    try:
        return read_nodes(memoryview(await relay.nodes())).addresses
    finally:
        await relay.close()
