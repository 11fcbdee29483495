"""What adapters read is what their vendors' kinds allow: the objects pass the definitions, and are read with the rights
that the spoke asks for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from periplus_contract.tables import Kind
from periplus_spoke.collectors.cluster_collectors import ClusterCollectors
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.naming.registry import READ_KINDS
from periplus_spoke.collectors.rbac import manifests
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials

from tests.cases.case import Crd
from tests.cases.manifests import crd
from tests.cluster.rig.admin import ApiError
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.fixtures import ClusterFactory
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.manifests import NodeSpec
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.spec import ClusterSpec
from tests.cluster.rig.vendor_kinds import CALICO, CILIUM
from tests.support.collecting import BelievingSink

_CALICO = "crd.projectcalico.org/v1"
_NAMESPACE = "vendor-kinds"
_SPOKE = "spoke-vendors"
OBJECTS: list[dict[str, Any]] = [
    {
        "apiVersion": _CALICO,
        "kind": "IPPool",
        "metadata": {"name": "default-ipv4-ippool"},
        "spec": {
            "cidr": "10.1.0.0/16",
            "blockSize": 30,
            "natOutgoing": True,
            "ipipMode": "Always",
            "vxlanMode": "Never",
            "allowedUses": ["Workload", "Tunnel"],
        },
    },
    {
        "apiVersion": _CALICO,
        "kind": "IPAMBlock",
        "metadata": {"name": "10-1-0-0-30"},
        "spec": {
            "cidr": "10.1.0.0/30",
            "affinity": "host:n1",
            "allocations": [0, 1, None, None],
            "unallocated": [2, 3],
            "attributes": [
                {"handle_id": "k8s-pod-network.1", "secondary": {"pod": "a", "namespace": "default", "node": "n1"}},
                {"handle_id": "ipip-tunnel-addr-n1", "secondary": {"node": "n1", "type": "ipipTunnelAddress"}},
            ],
            "strictAffinity": False,
        },
    },
    {
        "apiVersion": _CALICO,
        "kind": "BlockAffinity",
        "metadata": {"name": "n1-10-1-0-0-30"},
        "spec": {"cidr": "10.1.0.0/30", "node": "n1", "state": "confirmed", "deleted": "false"},
    },
    {
        "apiVersion": _CALICO,
        "kind": "IPAMConfig",
        "metadata": {"name": "default"},
        "spec": {"strictAffinity": False, "autoAllocateBlocks": True},
    },
    {
        "apiVersion": _CALICO,
        "kind": "IPReservation",
        "metadata": {"name": "kept"},
        "spec": {"reservedCIDRs": ["10.1.9.0/31"]},
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cilium-config", "namespace": "kube-system"},
        "data": {"ipam": "multi-pool", "routing-mode": "tunnel", "enable-ipv4-masquerade": "true"},
    },
    {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumPodIPPool",
        "metadata": {"name": "default"},
        "spec": {"ipv4": {"cidrs": ["10.2.0.0/16"], "maskSize": 27}},
    },
    {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": "n1"},
        "spec": {
            "addresses": [{"type": "CiliumInternalIP", "ip": "10.2.0.3"}],
            "health": {"ipv4": "10.2.0.4"},
            "ipam": {
                "pools": {"allocated": [{"pool": "default", "cidrs": ["10.2.0.0/27"]}]},
                "pool": {"10.9.0.1": {"resource": "eni-1"}},
            },
        },
        "status": {"ipam": {"used": {"10.9.0.1": {"owner": "default/a"}}}},
    },
    {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": "lan"},
        "spec": {"blocks": [{"cidr": "172.18.0.0/28"}, {"start": "172.19.0.1", "stop": "172.19.0.2"}]},
    },
]


@pytest.fixture(scope="module")
def plane(cluster_factory: ClusterFactory) -> Iterator[ControlPlane]:
    """An API server with every kind of both vendors, and some objects of them."""
    plane = cluster_factory(ClusterSpec(name="vendor-kinds", node_count=0, has_controllers=False))
    for vendor in (CALICO, CILIUM):
        for definition in vendor.definitions(print):
            plane.admin.create(definition)
    plane.admin.create_node(NodeSpec(name="n1", internal_ip="192.168.0.10"))
    for thing in OBJECTS:
        wait_for(thing["kind"], lambda thing=thing: _is_taken(plane, thing), timeout_s=60)
    yield plane
    plane.stop()


def _is_taken(plane: ControlPlane, thing: dict[str, Any]) -> bool:
    """Whether the object is there; not yet while its kind is not served."""
    try:
        plane.admin.create(thing)
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


async def _read(plane: ControlPlane, folder: Path) -> BelievingSink:
    """What a spoke with the rendered rights tells first."""
    plane.admin.create_namespace(_NAMESPACE)
    for manifest in manifests(_NAMESPACE, _SPOKE):
        plane.admin.apply(manifest)
    config = write_kubeconfig(folder / "config", [plane.context(plane.admin.token_for(_NAMESPACE, _SPOKE))])
    timer, sink = SystemClock(), BelievingSink()
    client = KubeClient(KubeconfigCredentials(str(config)), timer)
    collectors = ClusterCollectors(client, CollectConfig(first_snapshot_wait_s=60), timer, random.Random(2))
    task = asyncio.create_task(collectors.run(sink))
    await sink.until(lambda it: it.told[-1].kind is Kind.IPAM if it.told else False, timeout_s=90)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
    return sink


async def test_objects_that_the_vendors_kinds_allow_are_read(plane: ControlPlane, tmp_path: Path) -> None:
    sink = await _read(plane, tmp_path)
    rows = sink.tables["allocations"].values()
    claims = {
        (row["kind"], row["cidr"], row["source"], row["reach"]) for row in rows if row["provider"] != "kubernetes"
    }
    assert claims == {
        ("pod", "10.1.0.0/16", "IPPool", "masqueraded"),
        ("pod", "10.1.0.0/30", "IPAMBlock", "masqueraded"),
        ("pod", "10.2.0.0/16", "CiliumPodIPPool", "masqueraded"),
        ("pod", "10.2.0.0/27", "CiliumNode", "masqueraded"),
        ("loadbalancer", "172.18.0.0/28", "CiliumLoadBalancerIPPool", None),
        ("loadbalancer", "172.19.0.1/32", "CiliumLoadBalancerIPPool", None),
        ("loadbalancer", "172.19.0.2/32", "CiliumLoadBalancerIPPool", None),
    }
    pools = {row["name"]: row for row in sink.tables["pools"].values() if row["scope"] == "cluster"}
    calico = pools["default-ipv4-ippool"]
    assert [calico[name] for name in ("used", "reserved", "leaked", "borrowed", "unusable")] == [
        "1",
        "2",
        "1",
        "0",
        "0",
    ]
    assert tuple(calico["evidence"]) == ("10.1.0.0: pod default/a is not there",)
    assert pools["default"]["used"] == "2"


_SKUPPER = "skupper.io/v2alpha1"
_SKUPPER_NAMES = {"sites": "Site", "listeners": "Listener", "connectors": "Connector", "links": "Link"}
"""Of kinds of which there is an object here."""
_WEST = "7d20-west"
SKUPPER: list[dict[str, Any]] = [
    {
        "apiVersion": _SKUPPER,
        "kind": "Site",
        "metadata": {"name": "east", "namespace": "shop"},
        "spec": {"linkAccess": "default"},
        "status": {
            "sitesInNetwork": 2,
            "network": [
                {
                    "id": _WEST,
                    "name": "west",
                    "platform": "kubernetes",
                    "services": [{"routingKey": "pay", "connectors": ["10.2.0.1", "10.2.0.2"]}],
                }
            ],
        },
    },
    {
        "apiVersion": _SKUPPER,
        "kind": "Listener",
        "metadata": {"name": "pay", "namespace": "shop"},
        "spec": {"routingKey": "pay", "host": "pay", "port": 80},
        "status": {"hasMatchingConnector": True},
    },
    {
        "apiVersion": _SKUPPER,
        "kind": "Connector",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"routingKey": "web", "selector": "app=web", "port": 8080},
        "status": {"selectedPods": [{"name": "web-1", "ip": "10.1.0.1"}]},
    },
    {
        "apiVersion": _SKUPPER,
        "kind": "Link",
        "metadata": {"name": "to-west", "namespace": "shop"},
        "spec": {"endpoints": [{"name": "inter-router", "host": "203.0.113.7", "port": "55671"}]},
        "status": {"remoteSiteId": _WEST, "remoteSiteName": "west"},
    },
]


async def test_what_skupper_offers_is_read(cluster_factory: ClusterFactory, tmp_path: Path) -> None:
    plane = cluster_factory(ClusterSpec(name="skupper-kinds", node_count=0, has_controllers=False))
    try:
        for kind in READ_KINDS:
            if kind.group == "skupper.io":
                name = _SKUPPER_NAMES.get(kind.plural, "")
                served = Crd(group=kind.group, version=kind.versions[0], kind=name or kind.plural, plural=kind.plural)
                plane.admin.create(crd(served, is_namespaced=True))
        plane.admin.create_namespace("shop")
        spec = {"ports": [{"port": 80, "targetPort": 1024}]}
        metadata = {"name": "pay", "namespace": "shop"}
        service = plane.admin.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        for thing in SKUPPER:
            wait_for(thing["kind"], lambda thing=thing: _is_taken(plane, thing), timeout_s=60)
        site = plane.admin.get(f"/apis/{_SKUPPER}/namespaces/shop/sites/east")["metadata"]["uid"]
        sink = await _read(plane, tmp_path)
    finally:
        plane.stop()
    said = {(row["role"], row["cidr"], row["name"], row["clusters"]) for row in sink.tables["meanings"].values()}
    assert said == {
        ("listener", f"{service['spec']['clusterIP']}/32", "pay", (_WEST,)),
        ("connector", "10.1.0.1/32", "web", (site,)),
        ("gateway", "203.0.113.7/32", "west", (_WEST,)),
    }
    [cluster] = sink.tables["cluster"].values()
    assert cluster["aliases"] == (f"skupper={site}",)
    of_skupper = {name: row["state"] for name, row in sink.tables["sources"].items() if name.startswith("skupper.io/")}
    assert set(of_skupper.values()) == {"ok"}
    assert len(of_skupper) == sum(kind.group == "skupper.io" for kind in READ_KINDS)
