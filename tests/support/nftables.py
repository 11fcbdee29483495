"""Address translation in a network namespace by nftables, written straight to the kernel: no `nft` is needed."""

import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

_SUBSYSTEM = 10
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 3, 6
_BEGIN, _END = 0x10, 0x11
_NESTED = 0x8000
_REQUEST, _ACK, _CREATE, _APPEND = 0x1, 0x4, 0x400, 0x800
_PREROUTING, _OUTPUT, _POSTROUTING = 0, 3, 4
_FAMILIES = {4: 2, 6: 10}
_NAT = b"nat\0"
TCP, UDP = 6, 17


class Forwarded(NamedTuple):
    """What is sent to `address` at `port` goes to `to_address` at `to_port`, as a Service does."""

    address: str
    port: int
    to_address: str
    to_port: int
    protocols: tuple[int, ...] = (TCP, UDP)


class Masqueraded(NamedTuple):
    """What `source` sends leaves with the address of the device that it leaves by; only to `destination` if given."""

    source: str
    destination: str = ""


def apply(forwarded: Sequence[Forwarded] = (), masqueraded: Sequence[Masqueraded] = ()) -> None:
    """In the network namespace of the calling thread, whose connections the kernel tracks from then on."""
    messages = []
    for version, family in _FAMILIES.items():
        messages += [_message(_NEW_TABLE, family, _attribute(1, _NAT))]
        for chain, hook, priority in (("pre", _PREROUTING, -100), ("out", _OUTPUT, -100), ("post", _POSTROUTING, 100)):
            messages.append(_chain(family, chain, hook, priority))
        for rule in (each for each in forwarded if ip_address(each.address).version == version):
            for protocol in rule.protocols:
                expressions = _dnat(rule, protocol, family)
                messages += [_rule(family, chain, expressions) for chain in ("pre", "out")]
        hidden = [each for each in masqueraded if ip_address(each.source).version == version]
        messages += [_rule(family, "post", _masquerade(each)) for each in hidden]
    _send(messages)


def _send(messages: Sequence[bytes]) -> None:
    edge = struct.pack(">BBH", 0, 0, _SUBSYSTEM)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as kernel:
        kernel.bind((0, 0))
        kernel.settimeout(10)
        batch = [_framed(_BEGIN, _REQUEST, edge), *messages, _framed(_END, _REQUEST, edge)]
        kernel.send(b"".join(batch))
        answered = 0
        while answered < len(messages):
            reply, position = kernel.recv(65_536), 0
            while position < len(reply):
                length, kind = struct.unpack_from("=IH", reply, position)
                error = struct.unpack_from("=i", reply, position + 16)[0]
                if kind == 2 and error:
                    raise OSError(-error, f"nftables: {os.strerror(-error)}")
                answered += 1
                position += length + 3 & ~3


def _framed(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def _message(kind: int, family: int, body: bytes, flags: int = _CREATE) -> bytes:
    head = struct.pack(">BBH", family, 0, 0)
    return _framed(_SUBSYSTEM << 8 | kind, _REQUEST | _ACK | flags, head + body)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def _nest(kind: int, *inside: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(inside))


def _chain(family: int, name: str, hook: int, priority: int) -> bytes:
    hooked = _nest(4, _number(1, hook), _number(2, priority))
    return _message(
        _NEW_CHAIN, family, _attribute(1, _NAT) + _attribute(3, f"{name}\0".encode()) + hooked + _attribute(7, _NAT)
    )


def _rule(family: int, chain: str, expressions: Sequence[bytes]) -> bytes:
    body = _attribute(1, _NAT) + _attribute(2, f"{chain}\0".encode()) + _nest(4, *expressions)
    return _message(_NEW_RULE, family, body, _CREATE | _APPEND)


def _expression(name: str, *attributes: bytes) -> bytes:
    return _nest(1, _attribute(1, f"{name}\0".encode()), _nest(2, *attributes))


def _equals(loaded: bytes, value: bytes) -> list[bytes]:
    return [loaded, _expression("cmp", _number(1, 1), _number(2, 0), _nest(3, _attribute(1, value)))]


def _payload(base: int, offset: int, length: int) -> bytes:
    return _expression("payload", _number(1, 1), _number(2, base), _number(3, offset), _number(4, length))


def _address(text: str, *, is_source: bool) -> list[bytes]:
    value = ip_address(text).packed
    offset = (12 if is_source else 16) if len(value) == 4 else (8 if is_source else 24)
    return _equals(_payload(1, offset, len(value)), value)


def _protocol(number: int) -> list[bytes]:
    return _equals(_expression("meta", _number(1, 1), _number(2, 16)), bytes([number]))


def _immediate(register: int, value: bytes) -> bytes:
    return _expression("immediate", _number(1, register), _nest(2, _attribute(1, value)))


def _dnat(rule: Forwarded, protocol: int, family: int) -> list[bytes]:
    return [
        *_protocol(protocol),
        *_address(rule.address, is_source=False),
        *_equals(_payload(2, 2, 2), struct.pack(">H", rule.port)),
        _immediate(1, ip_address(rule.to_address).packed),
        _immediate(2, struct.pack(">H", rule.to_port)),
        _expression("nat", _number(1, 1), _number(2, family), _number(3, 1), _number(5, 2)),
    ]


def _masquerade(rule: Masqueraded) -> list[bytes]:
    to = _address(rule.destination, is_source=False) if rule.destination else []
    return [*_address(rule.source, is_source=True), *to, _expression("masq")]
