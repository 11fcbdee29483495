"""Real connections in network namespaces, behind real translation by nftables: each byte that sockets sent is counted.

A node with two pods, a node with one, and a cable between them; a virtual address on the first node leads to each pod.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from periplus_contract.flow_words import Reporter
from periplus_spoke.conversion.conntrack.connections import Connections
from periplus_spoke.conversion.conntrack.messages import Entries
from periplus_spoke.conversion.conntrack.window import NodeWindow
from periplus_spoke.conversion.flow_sums import Peer
from periplus_spoke.netlink.sockets import KernelConnections, is_accounting

from tests.support import nftables
from tests.support.flow_rows import as_read
from tests.support.golden import START_S
from tests.support.namespaces import Namespace, Network, wire_pod
from tests.support.traffic import TcpServer, ask, connect, payload

pytestmark = pytest.mark.needs("network namespaces", "nftables")

PODS = {"client": ("10.1.1.2", "fd01::2"), "near": ("10.1.1.3", "fd01::3"), "far": ("10.1.2.2", "fd02::2")}
NODES = ("192.168.77.1", "fd77::1"), ("192.168.77.2", "fd77::2")
SERVICES = {"near": ("10.96.0.1", "fd96::1"), "far": ("10.96.0.2", "fd96::2"), "client": ("10.96.0.3", "fd96::3")}
PORT, SERVICE_PORT, NODE_PORT = 8080, 80, 30_080
FAMILIES = (socket.AF_INET, socket.AF_INET6)
HEADERS = {socket.AF_INET: 20, socket.AF_INET6: 40}
UDP_HEADER = 8


@dataclass
class Rig:
    """The two nodes, and the pods on them."""

    first: Namespace
    second: Namespace
    pods: dict[str, Namespace]


@dataclass
class Reader:
    """Reads one node as the collector does, whenever a test wants."""

    node: Namespace

    def __post_init__(self) -> None:
        self.kernel = self.node.run(KernelConnections)
        self.connections = Connections(100_000)
        self.window = NodeWindow(self.node.run(self.kernel.networks), 1_000)
        self.read()

    def read(self) -> None:
        self.node.run(self._read)

    def _read(self) -> None:
        self.kernel.read_events(self._take)
        assert self.kernel.dump(self._take).is_done
        self.connections.end_dump(0, is_whole=True)
        self.kernel.read_events(self._take)

    def _take(self, entries: Entries) -> None:
        self.connections.read(entries, self.window)

    def close(self) -> None:
        self.kernel.close()

    def rows(self) -> list[dict[str, object]]:
        self.read()
        return as_read(self.window.whole().sections(START_S, 60))


Read = Callable[[Namespace], Reader]


@pytest.fixture
def read() -> Iterator[Read]:
    """Makes readers, and closes them."""
    with ExitStack() as stack:
        yield lambda node: stack.enter_context(closing(Reader(node)))


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Network() as network:
        first, second = network.namespace("n1"), network.namespace("n2")
        pods = {name: network.namespace(name) for name in PODS}
        for name, addresses in PODS.items():
            wire_pod(network, second if name == "far" else first, pods[name], addresses)
        ends = network.link(first, second)
        for node, device, own, other, there in (
            (first, ends[0], NODES[0], NODES[1], ("10.1.2.0/24", "fd02::/64")),
            (second, ends[1], NODES[1], NODES[0], ("10.1.1.0/24", "fd01::/64")),
        ):
            node.ip("addr", "add", f"{own[0]}/24", "dev", device)
            node.ip("-6", "addr", "add", f"{own[1]}/64", "dev", device, "nodad")
            node.ip("route", "add", there[0], "via", other[0])
            node.ip("-6", "route", "add", there[1], "via", other[1])
            for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "netfilter/nf_conntrack_acct"):
                node.sysctl(name, "1")
        forwarded = [
            nftables.Forwarded(virtual, SERVICE_PORT, PODS[name][version], PORT)
            for name, addresses in SERVICES.items()
            for version, virtual in enumerate(addresses)
        ]
        forwarded += [
            nftables.Forwarded(NODES[0][version], NODE_PORT, PODS["near"][version], PORT) for version in (0, 1)
        ]
        # As kube-proxy does: a pod that reaches itself by its Service must not see its own address. And as where pods
        # are not routed outside of their cluster: to an address there, they have their node's.
        hidden = [nftables.Masqueraded(address, address) for address in PODS["client"]]
        hidden += [nftables.Masqueraded(PODS["near"][version], PODS["far"][version]) for version in (0, 1)]
        first.run(lambda: nftables.apply(forwarded, hidden))
        # A rule for nobody, but as there is one the kernel tracks connections.
        second.run(lambda: nftables.apply((), [nftables.Masqueraded("192.0.2.1"), nftables.Masqueraded("2001:db8::1")]))
        for version, family in enumerate(FAMILIES):  # now every machine knows its neighbours, and no first packet waits
            for name in PODS:
                with closing(TcpServer(pods[name], family, PODS[name][version], PORT)):
                    for other in (pod for pod in PODS if pod != name):
                        with connect(pods[other], PODS[name][version], PORT) as connection:
                            ask(connection, 1)
        yield Rig(first, second, pods)


def peer(address: str) -> Peer:
    value = int.from_bytes(socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address))
    value = value if ":" in address else value | 0xFFFF << 32
    high, low = divmod(value, 2**64)
    return Peer(high - 2**64 if high >= 2**63 else high, low - 2**64 if low >= 2**63 else low)


def sent_in(row: dict[str, object], family: socket.AddressFamily, direction: str, connections: int) -> int:
    """What the sockets sent of it."""
    octets, packets = row[f"bytes_{direction}"], row[f"packets_{direction}"]
    assert isinstance(octets, int)
    assert isinstance(packets, int)
    return payload(family, octets, packets, connections)


@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("server", ["near", "far"])
def test_each_byte_behind_a_service_counts_where_the_client_is(
    rig: Rig, read: Read, family: socket.AddressFamily, server: str
) -> None:
    version = FAMILIES.index(family)
    client, answers = PODS["client"][version], PODS[server][version]
    near, far = read(rig.first), read(rig.second)
    with closing(TcpServer(rig.pods[server], family, answers, PORT)):
        where = (SERVICES[server][version], SERVICE_PORT)
        sent = 0
        for number in range(3):
            with connect(rig.pods["client"], *where) as connection:
                sent += ask(connection, 100_000 + number)
                near.read()  # in the middle of it: what passed so far counts once
                sent += ask(connection, 7)
        rows = [row for row in near.rows() if row["src"] == peer(client) and row["dst"] == peer(answers)]
        [row] = rows
        assert sent_in(row, family, "tx", 3) == sent
        assert sent_in(row, family, "rx", 3) == 3 * 100_007 + 3
        assert (row["dst_port"], row["protocol"], row["connections_opened"]) == (PORT, socket.IPPROTO_TCP, 3)
        assert row["reporter"] == (Reporter.BOTH if server == "near" else Reporter.CLIENT)
        if server == "far":
            [other] = [row for row in far.rows() if row["dst"] == peer(answers)]
            assert (other["src"], other["reporter"]) == (peer(client), Reporter.SERVER)
            assert (sent_in(other, family, "tx", 3), sent_in(other, family, "rx", 3)) == (sent, 3 * 100_007 + 3)


@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
def test_datagrams_count_by_their_bytes(rig: Rig, read: Read, family: socket.AddressFamily) -> None:
    version = FAMILIES.index(family)
    reader, headers = read(rig.first), HEADERS[family] + UDP_HEADER
    serving = rig.pods["far"].run(lambda: socket.socket(family, socket.SOCK_DGRAM))
    asking = rig.pods["client"].run(lambda: socket.socket(family, socket.SOCK_DGRAM))
    with serving, asking:
        serving.bind((PODS["far"][version], PORT))
        serving.settimeout(10)
        asking.settimeout(10)
        asking.connect((SERVICES["far"][version], SERVICE_PORT))
        for size in (1, 500, 1_200):
            asking.send(b"q" * size)
            _, came_from = serving.recvfrom(2_000)
            serving.sendto(b"a" * 30, came_from)
            asking.recv(2_000)
    [row] = [row for row in reader.rows() if row["protocol"] == socket.IPPROTO_UDP]
    assert row["dst"] == peer(PODS["far"][version])
    assert (row["bytes_tx"], row["bytes_rx"]) == (1_701 + 3 * headers, 90 + 3 * headers)
    assert (row["packets_tx"], row["packets_rx"], row["failures_refused"]) == (3, 3, None)


@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
def test_a_pod_that_reaches_itself_by_its_service_is_both_ends(
    rig: Rig, read: Read, family: socket.AddressFamily
) -> None:
    version = FAMILIES.index(family)
    own, reader = PODS["client"][version], read(rig.first)
    with closing(TcpServer(rig.pods["client"], family, own, PORT)):
        where = (SERVICES["client"][version], SERVICE_PORT)
        with connect(rig.pods["client"], *where) as connection:
            sent = ask(connection, 5_000)
            [row] = [row for row in reader.rows() if row["dst"] == peer(own)]
    assert (row["src"], row["reporter"]) == (peer(own), Reporter.BOTH)
    assert (sent_in(row, family, "tx", 1), sent_in(row, family, "rx", 1)) == (sent, 5_000)


@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
def test_a_node_port_is_seen_through(rig: Rig, read: Read, family: socket.AddressFamily) -> None:
    version = FAMILIES.index(family)
    reader = read(rig.first)
    with (
        closing(TcpServer(rig.pods["near"], family, PODS["near"][version], PORT)),
        connect(rig.pods["far"], NODES[0][version], NODE_PORT) as connection,
    ):
        sent = ask(connection, 3_000)
        [row] = [row for row in reader.rows() if row["dst"] == peer(PODS["near"][version])]
    assert (row["src"], row["dst_port"], row["reporter"]) == (peer(PODS["far"][version]), PORT, Reporter.SERVER)
    assert (sent_in(row, family, "tx", 1), sent_in(row, family, "rx", 1)) == (sent, 3_000)


@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
def test_the_node_of_a_masqueraded_client_knows_who_it_is(rig: Rig, read: Read, family: socket.AddressFamily) -> None:
    version = FAMILIES.index(family)
    first, second, there = read(rig.first), read(rig.second), peer(PODS["far"][version])
    with (
        closing(TcpServer(rig.pods["far"], family, PODS["far"][version], PORT)),
        connect(rig.pods["near"], PODS["far"][version], PORT) as connection,
    ):
        sent = ask(connection, 2_000)
        [here] = [row for row in first.rows() if row["dst"] == there]
        [seen] = [row for row in second.rows() if row["dst"] == there]
    assert (here["src"], here["reporter"]) == (peer(PODS["near"][version]), Reporter.CLIENT)
    assert (seen["src"], seen["reporter"]) == (peer(NODES[0][version]), Reporter.SERVER)
    assert [sent_in(row, family, "tx", 1) for row in (here, seen)] == [sent, sent]


@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
def test_what_runs_on_the_nodes_network_is_the_node(rig: Rig, read: Read, family: socket.AddressFamily) -> None:
    version = FAMILIES.index(family)
    reader = read(rig.first)
    with (
        closing(TcpServer(rig.pods["far"], family, PODS["far"][version], PORT)),
        connect(rig.first, PODS["far"][version], PORT) as connection,
    ):
        sent = ask(connection, 2_000)
        [row] = [row for row in reader.rows() if row["dst"] == peer(PODS["far"][version])]
    assert (row["src"], row["reporter"]) == (peer(NODES[0][version]), Reporter.CLIENT)
    assert sent_in(row, family, "tx", 1) == sent


def test_fifty_thousand_connections_count_each_byte(rig: Rig, read: Read) -> None:
    reader, count, size = read(rig.first), 50_000, 100

    def ask_all() -> None:
        for port in range(count):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.bind((PODS["client"][0], 10_000 + port))
                asking.sendto(b"q" * size, (PODS["far"][0], NODE_PORT))

    rig.pods["client"].run(ask_all)
    [row] = [row for row in reader.rows() if row["dst_port"] == NODE_PORT]
    assert (row["connections_opened"], row["packets_tx"]) == (count, count)
    assert row["bytes_tx"] == count * (size + HEADERS[socket.AF_INET] + UDP_HEADER)
    assert not +reader.connections.lost


def test_one_connection_that_is_used_again_counts_what_is_new(rig: Rig, read: Read) -> None:
    with closing(TcpServer(rig.pods["near"], socket.AF_INET, PODS["near"][0], PORT)):
        where = (SERVICES["near"][0], SERVICE_PORT)
        with connect(rig.pods["client"], *where) as connection:
            ask(connection, 90_000)
            reader = read(rig.first)  # its first reading finds the connection, and counts nothing of it
            sent = ask(connection, 1_234)
            [row] = [row for row in reader.rows() if row["dst"] == peer(PODS["near"][0])]
    assert (sent_in(row, socket.AF_INET, "tx", 0), sent_in(row, socket.AF_INET, "rx", 0)) == (sent, 1_234)
    assert row["connections_opened"] == 0


def test_a_refused_connection_is_a_failure(rig: Rig, read: Read) -> None:
    reader = read(rig.first)

    def refused() -> None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((PODS["near"][0], 9), timeout=10)

    rig.pods["client"].run(refused)
    [row] = [row for row in reader.rows() if row["dst_port"] == 9]
    assert (row["failures_refused"], row["failures_timeout"], row["connections_closed"]) == (1, 0, 1)


def test_without_accounting_a_connection_has_no_bytes(rig: Rig, read: Read) -> None:
    rig.first.sysctl("netfilter/nf_conntrack_acct", "0")
    try:
        reader = read(rig.first)
        assert rig.first.run(is_accounting) is False
        with closing(TcpServer(rig.pods["near"], socket.AF_INET, PODS["near"][0], PORT)):
            where = (PODS["near"][0], PORT)
            with connect(rig.pods["client"], *where) as connection:
                ask(connection, 10)
                [row] = [row for row in reader.rows() if row["bytes_tx"] is None]
        assert (row["dst"], row["bytes_rx"], row["connections_opened"]) == (peer(PODS["near"][0]), None, 1)
        assert reader.connections.unmeasured == 1
    finally:
        rig.first.sysctl("netfilter/nf_conntrack_acct", "1")
