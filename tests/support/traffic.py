"""Servers, clients and relays over real sockets, which may be of network namespaces; what they sent, to the byte."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.support.namespaces import Namespace

_IP_HEADER = {socket.AF_INET: 20, socket.AF_INET6: 40}
_TCP_HEADER, _MORE_OF_THE_FIRST = 32, 8


class TcpServer:
    """Answers every request of one line with as many bytes as it asks for."""

    def __init__(self, pod: Namespace, family: socket.AddressFamily, address: str, port: int) -> None:
        self._listening = pod.run(lambda: socket.create_server((address, port), family=family))
        _start(self._serve)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                _start(self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(b"x" * int(line))

    def close(self) -> None:
        """Take no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


class Relay:
    """Lets processes in a namespace reach a port of this machine's loopback, at a port of their own loopback."""

    def __init__(self, namespace: Namespace, port: int) -> None:
        self._to = port
        self._listening = namespace.run(lambda: socket.create_server(("127.0.0.1", 0)))
        self.port: int = self._listening.getsockname()[1]
        _start(self._serve)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                asking, _ = self._listening.accept()
                _start(self._relay, asking)

    def _relay(self, asking: socket.socket) -> None:
        with asking, socket.create_connection(("127.0.0.1", self._to)) as answering:
            back = _start(_pump, answering, asking)
            _pump(asking, answering)
            back.join()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _start(work: Callable[..., None], *arguments: object) -> threading.Thread:
    started = threading.Thread(target=work, args=arguments, daemon=True)
    started.start()
    return started


def connect(pod: Namespace, address: str, port: int) -> socket.socket:
    """A connection out of a pod."""
    return pod.run(lambda: socket.create_connection((address, port), timeout=10))


def ask(connection: socket.socket, octets: int) -> int:
    """Bytes sent for that many in return."""
    request = b"%d\n" % octets
    connection.sendall(request)
    left = octets
    while left:
        left -= len(connection.recv(left))
    return len(request)


def payload(family: socket.AddressFamily, octets: int, packets: int, connections: int) -> int:
    """What the sockets sent: bytes without the headers before each packet, of which a connection's first has more."""
    return octets - packets * (_IP_HEADER[family] + _TCP_HEADER) - connections * _MORE_OF_THE_FIRST
