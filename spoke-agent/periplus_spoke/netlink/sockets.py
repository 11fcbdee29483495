"""Requests to the kernel and what it tells on its own. Everything here blocks shortly: call it from a thread."""

import errno
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from periplus_spoke.conversion.conntrack.local_networks import LocalNetworks, Network, Route, local_networks, routes
from periplus_spoke.conversion.conntrack.messages import Decoder, Ending, Entries, dump_request, routes_request

_NETFILTER: Final = 12
_ROUTE: Final = 0
_DESTROYED: Final = 1 << 2
"""The group of events about connections that end."""
_RECEIVE_BYTES: Final = 8 * 1024 * 1024
_READ_BYTES: Final = 64 * 1024
_CHUNK: Final = 2_000
"""Entries that are handed on at a time."""
_ANSWER_S: Final = 10.0
_SO_RCVBUFFORCE: Final = 33
_ACCOUNTING: Final = Path("/proc/sys/net/netfilter/nf_conntrack_acct")
_DEVICES: Final = Path("/sys/class/net")
_TUNNEL_TYPES: Final = frozenset({"65534", "768", "769", "776", "778", "823"})
"""ARPHRD_NONE (WireGuard, tun), and tunnels of IP in IP, IPv6, SIT, GRE and GRE over IPv6."""
_TUNNEL_WORDS: Final = ("DEVTYPE=vxlan", "DEVTYPE=geneve", "DEVTYPE=wireguard")

TakeEntries = Callable[[Entries], None]


class KernelConnections:
    """Connections of the network namespace that the calling thread is in; it implements the collector's `Source`."""

    def __init__(self, further: Sequence[Network] = ()) -> None:
        """`further` networks are this node's beside those that its routes show. Raises OSError."""
        self._further = further
        self._decoder = Decoder()
        self._buffer = bytearray(_READ_BYTES)
        self._sequence = 0
        self._events = _open(_NETFILTER, _DESTROYED)
        with suppress(PermissionError):
            self._events.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
        self._events.settimeout(0)

    def close(self) -> None:
        """Hear of no more events."""
        self._events.close()

    def networks(self) -> LocalNetworks:
        """Which addresses are this node's and its pods'. Raises OSError."""
        return local_networks(read_routes(), tunnels(), self._further)

    def is_accounting(self) -> bool | None:
        """Whether bytes are counted; None where the kernel does not say."""
        return is_accounting()

    def read_events(self, take: TakeEntries) -> tuple[bool, int]:
        """Hand on what ended since; whether the kernel lost some, and how many messages could not be read."""
        entries, is_overrun, unreadable = Entries(), False, 0
        while True:
            try:
                size = self._events.recv_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                is_overrun = True
                continue
            unreadable += self._decoder.decode(memoryview(self._buffer)[:size], entries).unreadable
            entries = _handed_on(entries, take, _CHUNK)
        _handed_on(entries, take)
        return is_overrun, unreadable

    def dump(self, take: TakeEntries) -> Ending:
        """Hand on every connection there is, in portions; how it ended. Raises OSError."""
        self._sequence += 1
        entries, unreadable, is_interrupted = Entries(), 0, False
        with _open(_NETFILTER) as asking:
            asking.send(dump_request(self._sequence))
            while True:
                size = asking.recv_into(self._buffer)
                ending = self._decoder.decode(memoryview(self._buffer)[:size], entries)
                unreadable += ending.unreadable
                is_interrupted = is_interrupted or ending.is_interrupted
                entries = _handed_on(entries, take, 1 if ending.is_done else _CHUNK)
                if ending.error:
                    raise OSError(ending.error, os.strerror(ending.error))
                if ending.is_done:
                    return ending._replace(unreadable=unreadable, is_interrupted=is_interrupted)


def _handed_on(entries: Entries, take: TakeEntries, least: int = 1) -> Entries:
    if len(entries) < least:
        return entries
    take(entries)
    return Entries()


def _open(protocol: int, groups: int = 0) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        opened.settimeout(_ANSWER_S)
        opened.bind((0, groups))
    except OSError:
        opened.close()
        raise
    return opened


def read_routes() -> list[Route]:
    """All routes of this network namespace. Raises OSError."""
    found: list[Route] = []
    with _open(_ROUTE) as asking:
        asking.send(routes_request())
        for buffer in _answers(asking):
            found += routes(buffer)
    return found


def _answers(asking: socket.socket) -> Iterator[memoryview]:
    while True:
        buffer = memoryview(asking.recv(_READ_BYTES))
        ending = Decoder().decode(buffer, Entries())
        if ending.error:
            raise OSError(ending.error, os.strerror(ending.error))
        yield buffer
        if ending.is_done:
            return


def tunnels() -> list[int]:
    """Devices that lead to other machines though no gateway is named. None where that cannot be read."""
    return [number for number, name in socket.if_nameindex() if _is_tunnel(_DEVICES / name)]


def _is_tunnel(device: Path) -> bool:
    try:
        told = (device / "uevent").read_text()
        return (device / "type").read_text().strip() in _TUNNEL_TYPES or any(word in told for word in _TUNNEL_WORDS)
    except OSError:
        return False


def is_accounting() -> bool | None:
    """Whether the kernel counts bytes of new connections; None where it does not say."""
    try:
        return _ACCOUNTING.read_text().strip() == "1"
    except OSError:
        return None
