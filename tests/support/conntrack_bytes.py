"""Conntrack messages as the kernel writes them, from plain values: its attributes in its order, its byte order."""

import struct
from dataclasses import dataclass
from ipaddress import ip_address

from periplus_spoke.conversion.conntrack.messages import DESTROY, NEW, Decoder, Entries


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One entry. `end` is who answers, behind translation."""

    src: str = "10.1.0.2"
    src_port: int = 40_000
    dst: str = "10.96.0.1"
    dst_port: int = 80
    end: str = "10.1.0.3"
    end_port: int = 8080
    protocol: int = 6
    tcp_state: int | None = 3
    id: int = 1
    zone: int = 0
    status: int = 0x1AE
    counters: tuple[int, int, int, int] | None = (4, 1216, 3, 264)
    """packets_tx, bytes_tx, packets_rx, bytes_rx; None where the kernel does not count."""
    started_ns: int | None = None
    mark: int | None = None

    def message(self, *, is_destroyed: bool = False) -> bytes:
        """The whole message."""
        family = 2 if ip_address(self.src).version == 4 else 10
        body = struct.pack(">BBH", family, 0, 0) + b"".join(self._attributes())
        return struct.pack("=IHHII", 16 + len(body), DESTROY if is_destroyed else NEW, 2, 1, 0) + body

    def _attributes(self) -> list[bytes]:
        original = (self.src, self.dst, self.src_port, self.dst_port)
        parts = [
            self._tuple(1, original),
            self._tuple(2, (self.end, self.src, self.end_port, self.src_port)),
            _attribute(3, struct.pack(">I", self.status)),
            _attribute(7, struct.pack(">I", 431_999)),
        ]
        if self.counters:
            for kind, (packets, octets) in ((9, self.counters[:2]), (10, self.counters[2:])):
                counted = _attribute(1, struct.pack(">Q", packets)) + _attribute(2, struct.pack(">Q", octets))
                parts.append(_attribute(kind | 0x8000, counted))
        if self.started_ns is not None:
            parts.append(_attribute(20 | 0x8000, _attribute(1, struct.pack(">Q", self.started_ns))))
        if self.tcp_state is not None:
            tcp = _attribute(1, bytes([self.tcp_state])) + _attribute(2, b"\7") + _attribute(4, b"\x23\0")
            parts.append(_attribute(4 | 0x8000, _attribute(1 | 0x8000, tcp)))
        if self.mark is not None:
            parts.append(_attribute(8, struct.pack(">I", self.mark)))
        parts.append(_attribute(12, struct.pack(">I", self.id)))
        if self.zone:
            parts.append(_attribute(18, struct.pack(">H", self.zone)))
        return parts

    def _tuple(self, kind: int, ends: tuple[str, str, int, int]) -> bytes:
        first = 1 if ip_address(ends[0]).version == 4 else 3
        addresses = b"".join(_attribute(first + side, ip_address(ends[side]).packed) for side in (0, 1))
        ports = b"".join(_attribute(2 + side, struct.pack(">H", ends[2 + side])) for side in (0, 1))
        inside = _attribute(1 | 0x8000, addresses) + _attribute(
            2 | 0x8000, _attribute(1, bytes([self.protocol])) + ports
        )
        return _attribute(kind | 0x8000, inside)


def entries(*connections: Connection, is_destroyed: bool = False) -> Entries:
    """As columns, decoded like everything."""
    found = Entries()
    for connection in connections:
        ending = Decoder().decode(memoryview(connection.message(is_destroyed=is_destroyed)), found)
        assert not ending.unreadable
    return found


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
