"""Answers of Hubble Relay as bytes, by the field numbers of Cilium's own definitions."""

from dataclasses import dataclass, field, replace
from typing import Any

EGRESS, INGRESS = 2, 1
FORWARDED, DROPPED, ERROR, AUDIT, REDIRECTED, TRACED, TRANSLATED = range(1, 8)
DROP, TRACE, POLICY_VERDICT, TRACE_SOCK = 1, 4, 5, 7
TO_PROXY, TO_STACK, TO_OVERLAY, TO_ENDPOINT = 1, 3, 4, 101
NEW, ESTABLISHED, REPLY = 1, 2, 3
CONNECTED, UNAVAILABLE, GONE, NODE_ERROR = 1, 2, 3, 4
_L4 = {"tcp": 1, "udp": 2, "icmp": 3, "icmp6": 4, "sctp": 5}
_FLAGS = {"F": 1, "S": 2, "R": 3, "P": 4, "A": 5}


def varint(value: int) -> bytes:
    """A number as it is written."""
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def put(number: int, value: int | str | bytes) -> bytes:
    """A field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def optional(number: int, value: int | str | bytes | None) -> bytes:
    """A field that is absent where proto3 leaves it out."""
    return put(number, value) if value else b""


@dataclass(frozen=True)
class Endpoint:
    """One end, as Cilium describes it."""

    ip: str
    port: int = 0
    id: int = 0
    namespace: str = ""
    pod: str = ""
    workload: str = ""
    kind: str = "Deployment"
    cluster: str = "here"
    labels: tuple[str, ...] = ()

    def named(self, ip: str, cluster: str) -> "Endpoint":
        """The same at this address of a cluster."""
        return replace(self, ip=ip, cluster=cluster)

    def encoded(self) -> bytes:
        workload = put(1, self.workload) + put(2, self.kind) if self.workload else b""
        return b"".join(
            (
                optional(1, self.id),
                put(2, 12345),
                optional(3, self.namespace),
                *(put(4, label) for label in self.labels),
                optional(5, self.pod),
                optional(6, workload),
                optional(7, self.cluster),
            )
        )


WEB = Endpoint("10.0.1.2", 41000, 77, "shop", "web-1", "web")
API = Endpoint("10.0.2.3", 8080, 88, "shop", "api-1", "api")
WORLD = Endpoint("203.0.113.9", 443, cluster="", labels=("reserved:world",))


def elsewhere(end: Endpoint) -> Endpoint:
    """The same as a node knows it that does not run it: no number, no workload."""
    return replace(end, id=0, workload="")


@dataclass(frozen=True)
class Event:
    """A flow; the default is a SYN that leaves `web` for `api`, seen on web's node."""

    source: Endpoint = WEB
    destination: Endpoint = field(default_factory=lambda: elsewhere(API))
    time_s: float = 1_767_225_610
    protocol: str = "tcp"
    flags: str = "S"
    verdict: int = FORWARDED
    direction: int = EGRESS
    is_reply: bool | None = False
    event_type: int = TRACE
    point: int = TO_OVERLAY
    reason: int = NEW
    drop_reason: int = 0
    node: str = "here/node-1"
    policies: tuple[tuple[int, str, str], ...] = ()
    more: bytes = b""

    def flow(self) -> bytes:
        seconds, rest = divmod(round(self.time_s * 1_000_000_000), 1_000_000_000)
        ip = put(1, self.source.ip) + put(2, self.destination.ip) + put(3, 1)
        flags = b"".join(put(_FLAGS[flag], 1) for flag in self.flags) if self.protocol == "tcp" else b""
        inner = optional(1, self.source.port) + optional(2, self.destination.port) + optional(3, flags)
        reply = b"" if self.is_reply is None else put(26, put(1, 1) if self.is_reply else b"")
        return b"".join(
            (
                put(1, optional(1, seconds) + optional(2, rest)),
                put(2, self.verdict),
                put(5, ip),
                put(6, put(_L4[self.protocol], inner)),
                put(8, self.source.encoded()),
                put(9, self.destination.encoded()),
                put(10, 1),
                put(11, self.node),
                put(19, put(1, self.event_type) + optional(2, self.point)),
                optional(22, self.direction),
                optional(24, self.point),
                optional(25, self.drop_reason),
                reply,
                optional(36, self.reason),
                *(put(number, optional(1, name) + optional(2, namespace)) for number, namespace, name in self.policies),
                self.more,
            )
        )

    def response(self) -> bytes:
        """As `GetFlows` answers it."""
        return put(1, self.flow()) + put(1000, self.node)

    def but(self, **changes: Any) -> "Event":
        return replace(self, **changes)


def arriving(**changes: Any) -> Event:
    """The same SYN, seen on api's node."""
    return Event(source=elsewhere(WEB), destination=API, direction=INGRESS, point=TO_ENDPOINT, node="here/node-2").but(
        **changes
    )


def answer(flags: str, **changes: Any) -> Event:
    """A packet back from `api`, seen on web's node."""
    return Event(
        source=elsewhere(API), destination=WEB, flags=flags, is_reply=True, reason=REPLY, point=TO_ENDPOINT
    ).but(**changes)


def nodes(state: int, *names: str) -> bytes:
    """A node status event."""
    return put(2, put(1, state) + b"".join(put(2, name) for name in names)) + put(1000, "relay")


def lost(events: int) -> bytes:
    """A lost event."""
    return put(3, put(1, 3) + put(2, events)) + put(1000, "here/node-1")


def node_list(**states: int) -> bytes:
    """The answer to `GetNodes`: nodes of the cluster `here`, and how they are."""
    return b"".join(
        node(f"here/{name}", f"192.0.2.{index}:4244", state) for index, (name, state) in enumerate(states.items())
    )


def node(name: str, address: str, state: int) -> bytes:
    """One of them."""
    tls = put(1, 1) + put(2, f"{name}.hubble-grpc.cilium.io")
    known = put(1, name) + put(2, "cilium 1.20.2") + put(3, address) + optional(4, state)
    return put(1, known + put(5, tls) + put(6, 10**18) + put(8, 4095))
