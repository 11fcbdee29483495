"""Memory and CPU of one whole spoke on a real API server with 5,000 pods: cold start, then idle.

Targets: at most 150 MiB at its peak while it starts; at most 60 MiB and 20 mCPU when nothing changes.
Run: make bench ROW=spoke
"""

import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import psutil

from periplus_contract.tables import Kind
from periplus_spoke.collectors.waiting import first_of
from periplus_spoke.kit.settings import JOIN_TOKEN_VARIABLE

from benchmarks._row import report
from tests.cluster.rig.build import ensure_tools
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.manifests import WorkloadSpec
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.populate import wait_for_nodes
from tests.cluster.rig.spec import ClusterSpec
from tests.support.fake_hub import FakeHub

NODES: Final = int(os.environ.get("BENCH_NODES", "50"))
PODS_PER_NODE: Final = 100
PODS_PER_WORKLOAD: Final = 20
SLICES: Final = "/apis/discovery.k8s.io/v1/endpointslices"
FILL_TIMEOUT_S: Final = 900.0
SETTLE_S: Final = 20
IDLE_S: Final = 60
START_TIMEOUT_S: Final = 180
MIB: Final = 1024 * 1024
TARGETS: Final = {"cold_start_peak_mib": 150.0, "idle_rss_mib": 60.0, "idle_mcpu": 20.0}


def cluster(stack: ExitStack, folder: Path) -> Path:
    """A real control plane with simulated kubelets; returns its kubeconfig."""
    spec = ClusterSpec(
        name="bench-spoke", pod_cidr="10.0.0.0/8", node_count=NODES, pods_per_node=PODS_PER_NODE, api_qps=1_000
    )
    plane = stack.enter_context(ControlPlane(ensure_tools(print), folder / spec.name, spec))
    for node in spec.nodes():
        plane.admin.create_node(node)
    wait_for_nodes(plane.admin, spec.node_count)
    fill(plane, spec.pod_count)
    print(f"{spec.name}: {spec.pod_count} pods")
    return write_kubeconfig(folder / "kubeconfig", [plane.context()])


def fill(plane: ControlPlane, pods: int) -> None:
    """Deployments of 20 pods with a Service each. Looks seldom, as each look makes the API server write it all."""
    namespaces = [f"bench-{index}" for index in range(10)]
    for name in namespaces:
        plane.admin.create_namespace(name)
    for index in range(pods // PODS_PER_WORKLOAD):
        workload = WorkloadSpec(
            namespace=namespaces[index % len(namespaces)], name=f"app-{index}", replicas=PODS_PER_WORKLOAD
        )
        plane.admin.create_service(workload)
        plane.admin.create_deployment(workload)

    def filled() -> bool:
        # Ready or not: a busy machine makes simulated nodes late, and their pods are then unready for good.
        return sum(len(each.get("endpoints") or ()) for each in plane.admin.items(SLICES)) >= pods

    wait_for(f"{pods} pods behind Services", filled, timeout_s=FILL_TIMEOUT_S, interval_s=5.0)


async def measure(kubeconfig: Path, folder: Path) -> dict[str, float]:
    """Run the spoke as its own process against a hub that accepts everything."""
    async with FakeHub() as hub:
        command = [sys.executable, "-m", "periplus_spoke", "run", "--hub", hub.url, "--log-level", "warning"]
        command += ["--kubeconfig", str(kubeconfig), "--state-dir", str(folder / "state"), "--health-port", "0"]
        sent = hub.reached(lambda: hub.rows(Kind.INVENTORY) >= NODES * PODS_PER_NODE and hub.rows(Kind.IPAM) > 0)
        spoke = await asyncio.create_subprocess_exec(*command, env={**os.environ, JOIN_TOKEN_VARIABLE: "joinid.secret"})
        process = psutil.Process(spoke.pid)
        try:
            await first_of(sent.wait(), spoke.wait(), asyncio.sleep(START_TIMEOUT_S))
            assert sent.is_set(), f"the spoke has not sent the cluster; exit code {spoke.returncode}"
            await asyncio.sleep(SETTLE_S)
            peak_mib = peak_bytes(process) / MIB
            before = process.cpu_times()
            await asyncio.sleep(IDLE_S)
            after = process.cpu_times()
            rss_mib = process.memory_info().rss / MIB
        finally:
            with suppress(ProcessLookupError):
                spoke.terminate()
            await spoke.wait()
    used_s = after.user + after.system - before.user - before.system
    print(f"{hub.rows(Kind.INVENTORY)} inventory rows in {len(hub.ledger)} batches")
    return {
        "cold_start_peak_mib": round(peak_mib, 1),
        "idle_rss_mib": round(rss_mib, 1),
        "idle_mcpu": round(used_s / IDLE_S * 1_000, 2),
    }


def peak_bytes(process: psutil.Process) -> int:
    """The largest resident size the process ever had (Linux keeps it as VmHWM)."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kib) * 1024


def main() -> int:
    """Measure once; the figures hardly move between runs."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        measured = asyncio.run(measure(cluster(stack, folder), folder))
    return int(not report("spoke", measured, TARGETS))


if __name__ == "__main__":
    sys.exit(main())
