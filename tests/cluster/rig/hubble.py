"""Nodes of a Cilium without a data path, and the real Hubble Relay in front of them."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.processes import Child, free_port

_LOOPBACK = "127.0.0.1"
_START_S = 60.0
_NS = 1_000_000_000


class RefusedError(AssertionError):
    """The node did not understand what it was told."""


class Node:
    """Cilium's own Hubble server with parser and ring, told what its node sees; also a service of peers."""

    def __init__(self, program: Path, folder: Path, name: str, *, cluster: str = "east", ring: int = 4095) -> None:
        self.name = f"{cluster}/{name}"
        self._socket_file = folder / f"{name}.sock"
        self.port = free_port()
        command = [str(program), "-cluster", cluster, "-node", name, "-control", str(self._socket_file)]
        # All of loopback's addresses are this machine: a node that gets another one of them has moved.
        command += ["-ring", str(ring), "-listen", f"0.0.0.0:{self.port}"]
        self.child = Child(self.name, command, folder / f"{name}.log")
        self._connection: socket.socket | None = None
        self._answers: Any = None

    def start(self) -> None:
        """Returns once it listens."""
        self._socket_file.unlink(missing_ok=True)
        self.child.start()
        wait_for(self.name, self._connect, timeout_s=_START_S)
        wait_for(self.name, lambda: _listens(self.port, self.child), timeout_s=_START_S)

    def _connect(self) -> bool:
        self.child.check()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self._socket_file))
        except OSError:
            connection.close()
            return False
        self._connection, self._answers = connection, connection.makefile("rb")
        return True

    def stop(self) -> None:
        """As a node that loses its power does. It has nothing in its ring when it is started again."""
        if self._connection is not None:
            self._answers.close()
            self._connection.close()
            self._connection = None
        self.child.kill()

    def do(self, **command: Any) -> int:
        """Returns once it is done: how many requests of flows have begun to read the ring since it was started."""
        assert self._connection is not None, "it does not run"
        self._connection.sendall(json.dumps(command).encode() + b"\n")
        said = json.loads(self._answers.readline())
        if "error" in said:
            raise RefusedError(said["error"])
        return int(said["readers"])

    def perf(self, at_s: float, *notifications: bytes) -> None:
        """Notifications of the eBPF programs, a millisecond apart."""
        for index, each in enumerate(notifications):
            time_ns = round(at_s * 1_000) * 1_000_000 + index * 1_000_000
            self.do(Perf=base64.b64encode(each).decode(), TimeNS=time_ns)

    def lost(self, at_s: float, count: int, source: int = 1) -> None:
        """Events of which nobody knows anything: 1 in the kernel's ring, 2 in the agent's queue."""
        self.do(Lost={"Source": source, "NumLostEvents": count}, TimeNS=round(at_s * _NS))

    def flow(self, at_s: float, message: bytes) -> None:
        """A finished `flow.Flow`."""
        self.do(Flow=base64.b64encode(message).decode(), TimeNS=round(at_s * _NS))

    def until_read(self, readers: int = 1) -> None:
        """Until so many requests of flows miss nothing that is told from now on."""
        wait_for(f"{self.name} is read", lambda: self.do() >= readers, timeout_s=_START_S)


@dataclass(frozen=True)
class ServerTls:
    """How the relay shows who it is; with `clients` it takes only those whom that authority signed."""

    certificate: Path
    key: Path
    clients: Path | None = None


class HubbleRelay:
    """The real one. It learns of nodes from the peers of `peers`."""

    def __init__(self, program: Path, folder: Path, peers: Node, tls: ServerTls | None = None) -> None:
        self.port = free_port()
        command = [str(program), "serve", "--gops=false", "--disable-client-tls", "--retry-timeout", "1s"]
        command += ["--listen-address", f"{_LOOPBACK}:{self.port}"]
        command += ["--health-listen-address", f"{_LOOPBACK}:{free_port()}"]
        command += ["--peer-service", f"{_LOOPBACK}:{peers.port}", *_tls(tls)]
        self.child = Child("hubble-relay", command, folder / "hubble-relay.log")

    def start(self) -> None:
        """Returns once it listens; it may not know of any node yet."""
        self.child.start()
        wait_for("hubble-relay", lambda: _listens(self.port, self.child), timeout_s=_START_S)


def _tls(tls: ServerTls | None) -> Sequence[str]:
    if tls is None:
        return ["--disable-server-tls"]
    files = ["--tls-relay-server-cert-file", str(tls.certificate), "--tls-relay-server-key-file", str(tls.key)]
    return files if tls.clients is None else [*files, "--tls-relay-client-ca-files", str(tls.clients)]


def _listens(port: int, child: Child) -> bool:
    child.check()
    with socket.socket() as probe:
        return probe.connect_ex((_LOOPBACK, port)) == 0


class Hubble:
    """Two nodes `a` and `b` of one cluster, and the relay that tells of them."""

    def __init__(self, programs: Mapping[str, Path], folder: Path, tls: ServerTls | None = None) -> None:
        self._peers = Node(programs["observer"], folder, "peers")
        self.a = Node(programs["observer"], folder, "a")
        self.b = Node(programs["observer"], folder, "b")
        self.places: dict[str, str] = {}
        """Where the relay is told that the nodes are."""
        self.relay = HubbleRelay(programs["hubble-relay"], folder, self._peers, tls)

    @property
    def nodes(self) -> tuple[Node, Node]:
        """Both."""
        return self.a, self.b

    def start(self) -> None:
        """Returns once everything listens."""
        for node in (self._peers, *self.nodes):
            node.start()
        for node in self.nodes:
            self.peer("ADDED", node)
        self.relay.start()

    def peer(self, change: str, node: Node, host: str = _LOOPBACK) -> None:
        """The relay is told that a node was ADDED, UPDATED or DELETED."""
        address = f"{host}:{node.port}"
        self._peers.do(Peer={"Change": change, "Name": node.name, "Address": address})
        if change == "DELETED":
            del self.places[node.name]
        else:
            self.places[node.name] = address

    def stop(self) -> None:
        """Ends all of it."""
        self.relay.child.kill()
        for node in (self._peers, *self.nodes):
            node.stop()
