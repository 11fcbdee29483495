"""Memory and CPU of one agent of a node at 2,000 new connections a second, behind real translation by nftables.

Network namespaces are two pods, and the node that the agent runs on. Connections are UDP, one question and one answer,
through a virtual address; after ten seconds of silence the kernel forgets one, so 20,000 are tracked at any time and
2,000 end a second. The rate that was reached is a figure too. Targets: at most 60 MiB and 30 mCPU.

Run as root: make bench ROW=node_spoke
"""

import asyncio
import os
import socket
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import psutil

from periplus_contract.tables import Kind
from periplus_spoke.kit.settings import JOIN_TOKEN_VARIABLE

from benchmarks._row import report
from tests.support import nftables
from tests.support.fake_hub import FakeHub
from tests.support.namespaces import Namespace, Network, wire_pod
from tests.support.traffic import Relay

RATE: Final = 2_000
WARM_S: Final = 65
MEASURED_S: Final = 120
CLIENT, SERVER, VIRTUAL, PORT = "10.1.1.2", "10.1.1.3", "10.96.0.1", 5353
MIB: Final = 1024 * 1024
TARGETS: Final = {"rss_mib": 60.0, "mcpu": 30.0}


class Load:
    """Asks and answers in threads, at a steady rate."""

    def __init__(self, client: Namespace, server: Namespace) -> None:
        self.asked = 0
        self._ends = threading.Event()
        self._answering = server.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._answering.bind((SERVER, PORT))
        self._threads = [
            threading.Thread(target=self._answer, daemon=True),
            threading.Thread(target=lambda: client.run_for_long(self._ask), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _answer(self) -> None:
        with suppress(OSError):
            while True:
                _, came_from = self._answering.recvfrom(100)
                self._answering.sendto(b"a", came_from)

    def _ask(self) -> None:
        began = time.monotonic()
        while not self._ends.is_set():
            port = 10_000 + self.asked % 50_000
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.bind((CLIENT, port))
                asking.sendto(b"q", (VIRTUAL, PORT))
            self.asked += 1
            ahead_s = self.asked / RATE - (time.monotonic() - began)
            if ahead_s > 0:
                self._ends.wait(ahead_s)

    def close(self) -> None:
        """Stop asking."""
        self._ends.set()
        self._threads[1].join()
        self._answering.close()


async def measure(node: Namespace, load: Load, folder: Path) -> dict[str, float]:
    """Run the agent as its own process against a hub that accepts everything."""
    async with FakeHub() as hub:
        with closing(Relay(node, int(hub.url.rpartition(":")[2]))) as relay:
            agent = (sys.executable, "-m", "periplus_spoke", "node", "--hub", f"http://127.0.0.1:{relay.port}")
            own = ("--state-dir", str(folder), "--node-name", "node-1", "--log-level", "warning")
            command = ("ip", "netns", "exec", node.name, *agent, *own)
            running = await asyncio.create_subprocess_exec(
                *command, env={**os.environ, JOIN_TOKEN_VARIABLE: "agents.of-prod-1"}
            )
            process = psutil.Process(running.pid)
            try:
                await asyncio.sleep(WARM_S)
                asked, before = load.asked, process.cpu_times()
                await asyncio.sleep(MEASURED_S)
                asked, after = load.asked - asked, process.cpu_times()
                rss_mib = process.memory_info().rss / MIB
            finally:
                running.terminate()
                await running.wait()
        assert hub.rows(Kind.FLOWS), "the agent has told nothing"
    used_s = after.user + after.system - before.user - before.system
    return {
        "rss_mib": round(rss_mib, 1),
        "mcpu": round(used_s / MEASURED_S * 1_000, 1),
        "connections_per_s": round(asked / MEASURED_S),
    }


def main() -> int:
    """Measure once."""
    with Network() as network, tempfile.TemporaryDirectory() as name:
        node, client, server = (network.namespace(each) for each in ("node", "client", "server"))
        wire_pod(network, node, client, (CLIENT, "fd01::2"))
        wire_pod(network, node, server, (SERVER, "fd01::3"))
        node.run(lambda: nftables.apply([nftables.Forwarded(VIRTUAL, PORT, SERVER, PORT)]))
        for setting in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            node.sysctl(f"netfilter/{setting}", "10")
        node.sysctl("ipv4/ip_forward", "1")
        node.sysctl("netfilter/nf_conntrack_acct", "1")
        with closing(Load(client, server)) as load:
            measured = asyncio.run(measure(node, load, Path(name)))
    return int(not report("node_spoke", measured, TARGETS))


if __name__ == "__main__":
    sys.exit(main())
