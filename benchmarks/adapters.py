"""Seconds and MiB to collect 5,000 blocks of Calico, or 2,000 nodes of Cilium, from a real API server into pools.

A process of its own lists the kinds that the adapter wants and makes pools and allocations of them. Half of the
addresses of each block are in use, for 160,000 pods that are all looked for and not there. Target: at most 3 s and
150 MiB each.

Run: make bench ROW=adapters
"""

import asyncio
import ipaddress
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil

from periplus_contract.tables import IP_ADDRESSES, NODES, PODS, SERVICE_CIDRS, SERVICES
from periplus_spoke.collectors.custom import CustomKinds
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.base import IpamAdapter
from periplus_spoke.collectors.ipam.calico import Calico
from periplus_spoke.collectors.ipam.cilium import Cilium
from periplus_spoke.conversion.ipam import IpamView
from periplus_spoke.conversion.presence import Listing
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import api_groups
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials

from benchmarks._row import report
from benchmarks.spoke import MIB, peak_bytes
from tests.cases.case import Crd
from tests.cases.manifests import crd
from tests.cluster.rig.admin import ApiClient
from tests.cluster.rig.build import ensure_tools
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.spec import ClusterSpec

BLOCKS: Final = 5_000
NODES_OF_CILIUM: Final = 2_000
NODES_OF_CALICO: Final = 2_000
POSTING: Final = 8
ADAPTERS: Final[dict[str, IpamAdapter]] = {"calico": Calico(), "cilium": Cilium()}
CONFIG: Final = {
    "kube-system/cilium-config": {"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/8"},
}
TARGETS: Final = {"calico_s": 3.0, "calico_peak_mib": 150.0, "cilium_s": 3.0, "cilium_peak_mib": 150.0}
KINDS: Final = (
    ("crd.projectcalico.org", "v1", "IPPool", "ippools"),
    ("crd.projectcalico.org", "v1", "IPAMBlock", "ipamblocks"),
    ("crd.projectcalico.org", "v1", "BlockAffinity", "blockaffinities"),
    ("cilium.io", "v2", "CiliumNode", "ciliumnodes"),
)


def calico_objects() -> Iterator[dict[str, Any]]:
    """A pool, and blocks of it as Calico writes them; each has an affinity."""
    kind = {"apiVersion": "crd.projectcalico.org/v1"}
    yield {
        **kind,
        "kind": "IPPool",
        "metadata": {"name": "default"},
        "spec": {"cidr": "10.0.0.0/8", "natOutgoing": True},
    }
    networks = ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=26)
    for at, network in zip(range(BLOCKS), networks, strict=False):
        node, name = f"node-{at % NODES_OF_CALICO}", str(network).replace(".", "-").replace("/", "-")
        spec = {
            "cidr": str(network),
            "affinity": f"host:{node}",
            "allocations": [*range(32), *[None] * 32],
            "unallocated": list(range(32, 64)),
            "attributes": [_attribute(f"web-{at}-{ordinal}", node) for ordinal in range(32)],
            "strictAffinity": False,
            "deleted": False,
        }
        yield {**kind, "kind": "IPAMBlock", "metadata": {"name": name}, "spec": spec}
        held = {"cidr": str(network), "node": node, "state": "confirmed", "deleted": "false"}
        yield {**kind, "kind": "BlockAffinity", "metadata": {"name": f"{node}-{name}"}, "spec": held}


def _attribute(pod: str, node: str) -> dict[str, Any]:
    owner = {"namespace": "shop", "node": node, "pod": pod, "timestamp": "2026-03-01 10:00:00 +0000 UTC"}
    return {"handle_id": f"k8s-pod-network.{pod:0>64}", "secondary": owner}


def cilium_objects() -> Iterator[dict[str, Any]]:
    """Nodes with their blocks and Cilium's own addresses there."""
    networks = ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=24)
    for at, network in zip(range(NODES_OF_CILIUM), networks, strict=False):
        spec = {
            "addresses": [{"type": "CiliumInternalIP", "ip": str(network[7])}],
            "health": {"ipv4": str(network[8])},
            "ipam": {"podCIDRs": [str(network)]},
        }
        yield {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": f"node-{at}"}, "spec": spec}


def cluster(stack: ExitStack, folder: Path) -> Path:
    """An API server with all of it; returns its kubeconfig."""
    spec = ClusterSpec(name="bench-adapters", node_count=0, has_controllers=False)
    plane = stack.enter_context(ControlPlane(ensure_tools(print), folder / spec.name, spec))
    for group, version, kind, plural in KINDS:
        plane.admin.create(crd(Crd(group=group, version=version, kind=kind, plural=plural), is_namespaced=False))
        wait_for(kind, partial(_serves, plane.admin, f"/apis/{group}/{version}", plural), timeout_s=60)
    post(plane.admin, [*calico_objects(), *cilium_objects()])
    return write_kubeconfig(folder / "kubeconfig", [plane.context()])


def _serves(admin: ApiClient, path: str, plural: str) -> bool:
    paths = {f"/apis/{group['preferredVersion']['groupVersion']}" for group in admin.get("/apis")["groups"]}
    return path in paths and any(each["name"] == plural for each in admin.get(path)["resources"])


def post(admin: ApiClient, things: Iterable[dict[str, Any]]) -> None:
    """All of them, a few at once."""
    with ThreadPoolExecutor(POSTING) as pool:
        print(sum(1 for _ in pool.map(admin.create, things)), "objects", flush=True)


async def collect(name: str, kubeconfig: str) -> dict[str, float]:
    """In the process that is measured."""
    adapter, clock, inventory = ADAPTERS[name], SystemClock(), Inventory(LabelFilter())
    client = KubeClient(KubeconfigCredentials(kubeconfig), clock)
    inventory.facts.groups = await api_groups(client)
    began = time.monotonic()
    found = await CustomKinds(client, inventory, clock, adapter.kinds).read()
    tables = {table.name: inventory.state.rows(table) for table in (NODES, PODS, SERVICES, SERVICE_CIDRS, IP_ADDRESSES)}
    view = IpamView(tables, (name,), CONFIG, found, listing=Listing(began_us=clock.wall_us()))
    faults: list[str] = []
    rows = len(adapter.pools(view, faults.append)) + len(adapter.allocations(view, faults.append))
    taken_s = time.monotonic() - began
    await client.close()
    assert not faults, faults[:3]
    peak_mib = peak_bytes(psutil.Process()) / MIB
    return {"s": round(taken_s, 2), "peak_mib": round(peak_mib, 1), "rows": rows}


def main(arguments: list[str]) -> int:
    """Without arguments the benchmark; with them what it measures."""
    if arguments:
        print(json.dumps(asyncio.run(collect(*arguments))))
        return 0
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        kubeconfig = cluster(stack, Path(name))
        for adapter in ADAPTERS:
            command = [sys.executable, "-m", "benchmarks.adapters", adapter, str(kubeconfig)]
            done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(adapter, done, flush=True)
            measured |= {f"{adapter}_s": done["s"], f"{adapter}_peak_mib": done["peak_mib"]}
    return int(not report("adapters", measured, TARGETS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
