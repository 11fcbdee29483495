"""Seconds from starting `periplus try` to its report: 3 real API servers with 1,000 pods each. Target: 10 s.

Run: make bench ROW=try
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks._row import report
from tests.cluster.rig.build import ensure_tools
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.populate import populate
from tests.cluster.rig.spec import ClusterSpec

CLUSTERS: Final = 3
NODES: Final = 10
PODS_PER_NODE: Final = 100
ROUNDS: Final = 3
TARGET_S: Final = 10.0


def fleet(stack: ExitStack, folder: Path) -> Path:
    """Start and fill the clusters; returns a kubeconfig with all of them."""
    tools = ensure_tools(print)
    planes = []
    for index in range(CLUSTERS):
        spec = ClusterSpec(
            name=f"bench-{index}",
            pod_cidr="10.244.0.0/16",
            service_cidr=f"10.{100 + index}.0.0/16",
            node_network=f"192.168.{index}.0/24",
            node_count=NODES,
            pods_per_node=PODS_PER_NODE,
        )
        plane = stack.enter_context(ControlPlane(tools, folder / spec.name, spec))
        populate(plane.admin, spec)
        print(f"{spec.name}: {spec.pod_count} pods")
        planes.append(plane)
    return write_kubeconfig(folder / "kubeconfig", [plane.context() for plane in planes])


def once(kubeconfig: Path) -> float:
    """Seconds of one whole run; the report must be right, or the time means nothing."""
    command = [sys.executable, "-m", "periplus_hub", "try", "--kubeconfig", str(kubeconfig), "--json"]
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ)
    seconds = time.monotonic() - began
    document = json.loads(done.stdout)
    pods = [cluster["pods"] for cluster in document["clusters"]]
    assert pods == [NODES * PODS_PER_NODE] * CLUSTERS, pods
    assert document["overlapGroups"], "the clusters share a pod range"
    return seconds


def main() -> int:
    """Median of some runs, whole process, from nothing to the printed report and everything removed again."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        kubeconfig = fleet(stack, Path(name))
        seconds = [once(kubeconfig) for _ in range(ROUNDS)]
    print("runs:", ", ".join(f"{value:.1f} s" for value in seconds))
    return int(not report("try", {"report_s": round(statistics.median(seconds), 2)}, {"report_s": TARGET_S}))


if __name__ == "__main__":
    sys.exit(main())
