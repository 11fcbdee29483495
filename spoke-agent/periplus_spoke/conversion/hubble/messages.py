"""Messages of `observer.Observer`: requests as bytes, and of the answers the few fields that rows are made of.

Field numbers are those of Cilium's flow.proto, observer.proto and relay.proto. Fields and values that came later are
passed over.
"""

from typing import Final, NamedTuple

from periplus_spoke.conversion.host_names import host_name
from periplus_spoke.conversion.protobuf import (
    Value,
    fields,
    nested,
    number,
    put_bytes,
    put_number,
    repeated,
    singles,
    text,
)

GET_FLOWS: Final = "/observer.Observer/GetFlows"
GET_NODES: Final = "/observer.Observer/GetNodes"

SYN: Final = 1
RST: Final = 2
ACK: Final = 4
EGRESS: Final = 2
INGRESS: Final = 1
TRACE: Final = 4
POLICY_VERDICT: Final = 5
DROPPED: Final = 2
ERROR: Final = 3

_SECOND_NS: Final = 1_000_000_000
_CONNECTED: Final = 1
_MASK: Final = (
    "time",
    "verdict",
    "drop_reason_desc",
    "IP",
    "l4",
    "source",
    "destination",
    "Type",
    "node_name",
    "is_reply",
    "traffic_direction",
    "event_type",
    "trace_observation_point",
    "trace_reason",
    "egress_allowed_by",
    "ingress_allowed_by",
    "egress_denied_by",
    "ingress_denied_by",
    "destination_names",
)
_VERDICT, _EVENT_TYPE, _PROTOCOL, _REPLY, _TCP_FLAGS = 5, 6, 12, 15, 23
"""Of a FlowFilter."""
_PROTOCOLS: Final = {1: 6, 2: 17, 3: 1, 4: 58, 5: 132, 6: 112, 7: 2}
"""Field of the layer 4 message: IANA's number."""
_TCP: Final = 6
_WITH_PORTS: Final = frozenset((6, 17, 132))
_FLAGS: Final = {2: SYN, 3: RST, 5: ACK}
_POLICIES: Final = frozenset((21001, 21002, 21004, 21005))
_MOST_POLICIES: Final = 8


class End(NamedTuple):
    """One end of a packet, as the node that saw it knows it."""

    address: str = ""
    port: int = 0
    endpoint: int = 0
    """Its number on that node; 0 where it is not there."""
    namespace: str = ""
    kind: str = ""
    workload: str = ""
    cluster: str = ""
    host: str = ""
    """The name for which the other end was given this address, where it asked for one alone."""


class SeenFlow(NamedTuple):
    """One event about a packet."""

    time_ns: int
    node: str
    verdict: int
    drop_reason: int
    protocol: int
    flags: int
    source: End
    destination: End
    is_reply: bool | None
    direction: int
    event_type: int
    observation_point: int
    trace_reason: int
    policies: tuple[str, ...]


class SeenNodes(NamedTuple):
    """What the relay says of its connections to nodes."""

    state: int
    names: tuple[str, ...]


class SeenLoss(NamedTuple):
    """Events that are gone before anybody could read them."""

    events: int


class RelayNodes(NamedTuple):
    """Which nodes the relay tells of."""

    addresses: dict[str, str]
    """Where they are, by name."""
    away: tuple[str, ...]
    """The names of those that it cannot reach, or whose state is none that is known."""


def flows_request(since_ns: int | None) -> bytes:
    """Follow connections, refusals and drops: those from this time on that are still there, or from now on."""
    trace = put_bytes(_EVENT_TYPE, put_number(1, TRACE))
    wanted = (
        put_bytes(_EVENT_TYPE, put_number(1, POLICY_VERDICT)),
        put_number(_VERDICT, DROPPED) + put_number(_VERDICT, ERROR),
        trace + put_bytes(_TCP_FLAGS, put_number(2, 1)),
        trace + put_bytes(_TCP_FLAGS, put_number(3, 1)) + put_number(_REPLY, 1),
        trace + b"".join(put_bytes(_PROTOCOL, each) for each in ("udp", "sctp", "icmp")) + put_number(_REPLY, 0),
    )
    whitelist = b"".join(put_bytes(6, each) for each in wanted)
    since = b"" if since_ns is None else put_bytes(7, _time(since_ns))
    mask = put_bytes(10, b"".join(put_bytes(1, path) for path in _MASK))
    return put_number(3, 1) + whitelist + since + mask


def _time(time_ns: int) -> bytes:
    seconds, rest = divmod(time_ns, _SECOND_NS)
    return put_number(1, seconds) + put_number(2, rest)


def read_response(message: memoryview) -> SeenFlow | SeenNodes | SeenLoss | None:
    """What one message of the stream says; None where it says nothing that is known. Raises Malformed."""
    said = singles(message)
    if _FLOW in said:
        return _flow(nested(said[_FLOW]), said.get(_NODE_NAME, _NO_TEXT))
    if _NODE_STATUS in said:
        status = nested(said[_NODE_STATUS])
        names = tuple(map(text, repeated(status, 2)))
        return SeenNodes(number(singles(status).get(1, 0)), names)
    if _LOST in said:
        return SeenLoss(number(singles(nested(said[_LOST])).get(2, 0)))
    return None


def read_nodes(message: memoryview) -> RelayNodes:
    """Of `GetNodes`. Raises Malformed."""
    nodes = [singles(nested(each)) for each in repeated(message, 1)]
    named = [(text(node.get(1, _NO_TEXT)), node) for node in nodes]
    return RelayNodes(
        {name: text(node.get(3, _NO_TEXT)) for name, node in named},
        tuple(name for name, node in named if number(node.get(4, 0)) != _CONNECTED),
    )


_FLOW: Final = 1
_NODE_STATUS: Final = 2
_LOST: Final = 3
_NODE_NAME: Final = 1000
_DESTINATION_NAMES: Final = 14
_NO_TEXT: Final = memoryview(b"")


def _flow(message: memoryview, node: Value) -> SeenFlow:
    said = singles(message)
    ip = _part(said, 5)
    protocol, ports, flags = _layer_4(_part(said, 6))
    source, destination = (
        _end(_part(said, at), text(ip.get(which, _NO_TEXT)), number(ports.get(which, 0)))
        for which, at in ((1, 8), (2, 9))
    )
    if _DESTINATION_NAMES in said:
        destination = destination._replace(host=_only_host(message))
    reply = _wrapped(said.get(26))
    event = _part(said, 19)
    return SeenFlow(
        _time_ns(_part(said, 1)),
        text(said.get(11, _NO_TEXT)) or text(node),
        number(said.get(2, 0)),
        number(said.get(25, 0)),
        protocol,
        flags,
        source,
        destination,
        None if reply is None else bool(reply),
        number(said.get(22, 0)),
        number(event.get(1, 0)),
        number(said.get(24, 0)),
        number(said.get(36, 0)),
        _policies(message) if not _POLICIES.isdisjoint(said) else (),
    )


def _part(said: dict[int, Value], field: int) -> dict[int, Value]:
    """A nested message; empty where there is none."""
    value = said.get(field)
    return {} if value is None else singles(nested(value))


def _time_ns(time: dict[int, Value]) -> int:
    return number(time.get(1, 0)) * _SECOND_NS + number(time.get(2, 0))


def _wrapped(value: Value | None) -> int | None:
    """A number or truth value that may be absent."""
    return None if value is None else number(singles(nested(value)).get(1, 0))


def _layer_4(said: dict[int, Value]) -> tuple[int, dict[int, Value], int]:
    """IANA's number of the protocol, its ports, and which flags of TCP are set."""
    for field, value in said.items():
        protocol = _PROTOCOLS.get(field)
        if protocol is not None:
            inner = singles(nested(value)) if protocol in _WITH_PORTS else {}
            flags = _part(inner, 3) if protocol == _TCP else {}
            return protocol, inner, sum(flag for at, flag in _FLAGS.items() if flags.get(at))
    return 0, {}, 0


def _end(said: dict[int, Value], address: str, port: int) -> End:
    """The first workload stands for all: a pod has one."""
    workload = _part(said, 6)
    return End(
        address,
        port,
        number(said.get(1, 0)),
        text(said.get(3, _NO_TEXT)),
        text(workload.get(2, _NO_TEXT)),
        text(workload.get(1, _NO_TEXT)),
        text(said.get(7, _NO_TEXT)),
    )


def _only_host(message: memoryview) -> str:
    """Cilium knows which names the pod had looked up, and not for which of them it connects."""
    hosts = {host_name(text(each)) for each in repeated(message, _DESTINATION_NAMES)}
    return hosts.pop() if len(hosts) == 1 else ""


def _policies(message: memoryview) -> tuple[str, ...]:
    """Names of those that decided: `namespace/name`, or the name alone of one for the whole cluster."""
    found: set[str] = set()
    for field, value in fields(message):
        if field in _POLICIES and len(found) < _MOST_POLICIES:
            said = singles(nested(value))
            found.add("/".join(filter(None, (text(said.get(at, _NO_TEXT)) for at in (2, 1)))))
    return tuple(sorted(found - {""}))
