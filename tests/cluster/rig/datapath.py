"""What Cilium's eBPF programs write of a packet: a notification, as their C structs lay it out, and the packet."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address

_TRACE = struct.Struct("<BBHIIHBBIIHBBI16sQ")
_DROP = struct.Struct("<BBHIIHBBIIIHBbIB3xQ")
_VERDICT = struct.Struct("<BBHIIHBBIiHBBB3xII")
_DROP_NOTIFY, _TRACE_NOTIFY, _VERDICT_NOTIFY = 1, 4, 5
_TRACE_VERSION, _DROP_VERSION, _VERDICT_VERSION = 2, 3, 0

TO_ENDPOINT, TO_PROXY, TO_HOST, TO_STACK, TO_OVERLAY, FROM_ENDPOINT = range(6)
"""Where the packet was seen."""
NEW, ESTABLISHED, REPLY, RELATED, REOPENED, UNKNOWN = range(6)
"""What connection tracking said of it."""
INGRESS, EGRESS = 1, 2
_AUDITED = 0x40

ICMP, TCP, UDP, SCTP, ICMP6 = 1, 6, 17, 132, 58
_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}
_ETHERNET = bytes(12)


@dataclass(frozen=True)
class Packet:
    """What is on the wire; the flags are those of TCP."""

    source: str
    destination: str
    source_port: int = 41_000
    port: int = 8080
    protocol: int = TCP
    flags: str = "S"

    def back(self, flags: str = "SA") -> Packet:
        """An answer to it."""
        return replace(
            self,
            source=self.destination,
            destination=self.source,
            source_port=self.port,
            port=self.source_port,
            flags=flags,
        )

    def encoded(self) -> bytes:
        """With Ethernet and IP before it."""
        source, destination = ip_address(self.source), ip_address(self.destination)
        inner = self._layer_4()
        if isinstance(source, IPv4Address):
            head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(inner), 0, 0, 64, self.protocol, 0)
            return _ETHERNET + b"\x08\x00" + head + source.packed + destination.packed + inner
        head = struct.pack(">IHBB", 6 << 28, len(inner), self.protocol, 64)
        return _ETHERNET + b"\x86\xdd" + head + source.packed + destination.packed + inner

    def _layer_4(self) -> bytes:
        ports = struct.pack(">HH", self.source_port, self.port)
        if self.protocol == TCP:
            flags = sum(_FLAGS[flag] for flag in self.flags)
            return ports + struct.pack(">IIBBHHH", 1, 0, 5 << 4, flags, 64_240, 0, 0)
        if self.protocol == UDP:
            return ports + struct.pack(">HH", 8, 0)
        if self.protocol == SCTP:
            return ports + bytes(8)
        return bytes([8 if self.protocol == ICMP else 128, 0]) + bytes(6)


def trace(
    packet: Packet, point: int, reason: int, *, endpoint: int, identities: tuple[int, int], proxy_port: int = 0
) -> bytes:
    """It passed a point; `endpoint` is the pod of the node that it comes from or goes to."""
    data = packet.encoded()
    head = (_TRACE_NOTIFY, point, endpoint, 0, len(data), len(data), _TRACE_VERSION, 0, *identities)
    return _TRACE.pack(*head, proxy_port, reason, 0, 0, bytes(16), 0) + data


def drop(packet: Packet, reason: int, *, endpoint: int, identities: tuple[int, int]) -> bytes:
    """It went no further."""
    data = packet.encoded()
    head = (_DROP_NOTIFY, reason, endpoint, 0, len(data), len(data), _DROP_VERSION, 0, *identities)
    return _DROP.pack(*head, 0, 0, 0, 0, 0, 0, 0) + data


def decided(
    packet: Packet, direction: int, verdict: int = 0, *, endpoint: int, remote: int, is_audited: bool = False
) -> bytes:
    """A policy was asked: 0 lets it pass, less is the negative reason of a drop, more the port of a proxy."""
    data = packet.encoded()
    flags = direction | (_AUDITED if is_audited else 0)
    head = (_VERDICT_NOTIFY, 0, endpoint, 0, len(data), len(data), _VERDICT_VERSION, 0, remote, verdict)
    return _VERDICT.pack(*head, packet.port, packet.protocol, flags, 0, 0, 0) + data
