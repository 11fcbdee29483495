"""Seconds from starting `periplus try` to its report: 3 real API servers with 1,000 pods each. Target: 10 s.

A user's API servers run elsewhere. Here they share the cores, so the clock starts once their control planes are quiet.
`cpu_s` is what our own processes used; `removed_s` ends when the last of them and their folder are gone.

Run: make bench ROW=try
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psutil

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
QUIET_CORES: Final = 0.3
QUIET_S: Final = 3.0
PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Run:
    """One whole run, in seconds."""

    report_s: float
    removed_s: float
    cpu_s: float


def fleet(stack: ExitStack, folder: Path) -> tuple[Path, list[ControlPlane]]:
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
        print(f"{spec.name}: {spec.pod_count} pods", flush=True)
        planes.append(plane)
    return write_kubeconfig(folder / "kubeconfig", [plane.context() for plane in planes]), planes


def wait_quiet(planes: list[ControlPlane]) -> None:
    """Until all control planes together use little of a core; leaves when they never do."""
    processes = [psutil.Process(pid) for plane in planes for pid in plane.pids.values()]
    until = time.monotonic() + PATIENCE_S
    while True:
        before = sum(sum(process.cpu_times()[:2]) for process in processes)
        time.sleep(QUIET_S)
        cores = (sum(sum(process.cpu_times()[:2]) for process in processes) - before) / QUIET_S
        if cores <= QUIET_CORES:
            return
        if time.monotonic() > until:
            sys.exit(f"the control planes still use {cores:.1f} cores after {PATIENCE_S:.0f} s")


def once(kubeconfig: Path) -> Run:
    """One whole run; the report must be right, or the times mean nothing."""
    command = [sys.executable, "-m", "periplus_hub", "try", "--kubeconfig", str(kubeconfig), "--json"]
    used = _cpu_s()
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as running:
        assert running.stdout is not None
        document = _document(running.stdout)
        report_s = time.monotonic() - began
    removed_s = time.monotonic() - began
    assert running.returncode == 0, running.returncode
    pods = [cluster["pods"] for cluster in document["clusters"]]
    assert pods == [NODES * PODS_PER_NODE] * CLUSTERS, pods
    assert document["overlapGroups"], "the clusters share a pod range"
    return Run(report_s, removed_s, _cpu_s() - used)


def _document(pipe: IO[bytes]) -> Any:  # noqa: ANN401 - JSON
    """The report as soon as it is whole; what writes it goes on for a while."""
    return json.loads(b"".join(_until_closing_brace(pipe)))


def _until_closing_brace(pipe: IO[bytes]) -> Iterator[bytes]:
    for line in pipe:
        yield line
        if line.rstrip() == b"}":
            return


def _cpu_s() -> float:
    """Of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Medians of some runs, whole process: from nothing to the printed report, and to everything removed again."""
    runs = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        kubeconfig, planes = fleet(stack, Path(name))
        for _ in range(ROUNDS):
            wait_quiet(planes)
            runs.append(once(kubeconfig))
            print(runs[-1], flush=True)
    measured = {
        "report_s": round(statistics.median(run.report_s for run in runs), 2),
        "removed_s": round(statistics.median(run.removed_s for run in runs), 2),
        "cpu_s": round(statistics.median(run.cpu_s for run in runs), 2),
    }
    return int(not report("try", measured, {"report_s": TARGET_S}))


if __name__ == "__main__":
    sys.exit(main())
