"""Which addresses are a node's own and its pods', by routes as network plugins make them."""

import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.conntrack.local_networks import Route, local_networks, routes

UPLINK, BRIDGE, TUNNEL = 2, 7, 9
MAIN, LOCAL = 254, 255


def message(network: str, device: int, *, gateway: str = "", table: int = MAIN, kind: int = 1) -> bytes:
    """A route as the kernel tells it."""
    to = ip_network(network)
    attributes = [_attribute(15, struct.pack("=I", table)), _attribute(4, struct.pack("=I", device))]
    if to.prefixlen:
        attributes.insert(0, _attribute(1, to.network_address.packed))
    if gateway:
        attributes.append(_attribute(5, ip_address(gateway).packed))
    family = 2 if to.version == 4 else 10
    body = struct.pack("=BBBBBBBBI", family, to.prefixlen, 0, 0, table, 2, 0, kind, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), 24, 2, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def read(*messages: bytes) -> list[Route]:
    return list(routes(memoryview(b"".join(messages))))


def has(found: list[Route], address: str, tunnels: tuple[int, ...] = (), *further: str) -> bool:
    number = int.from_bytes(ip_address(address).packed) | (0xFFFF << 32 if "." in address else 0)
    networks = local_networks(found, tunnels, [ip_network(each) for each in further])
    return networks.has(*divmod(number, 2**64))


NODE = read(
    message("0.0.0.0/0", UPLINK, gateway="192.168.0.1"),
    message("192.168.0.0/24", UPLINK),
    message("192.168.0.7/32", UPLINK, table=LOCAL, kind=2),
    message("10.244.1.0/24", BRIDGE),
    message("10.244.2.0/24", TUNNEL, gateway="10.244.2.0"),
    message("10.244.9.4/32", 12),
    message("fd00:1::/64", BRIDGE),
    message("fe80::/64", BRIDGE),
    message("fd00:7::7/128", UPLINK, table=LOCAL, kind=2),
)


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("10.244.1.9", True),
        ("10.244.9.4", True),
        ("10.244.9.5", False),
        ("10.244.2.9", False),
        ("192.168.0.7", True),
        ("192.168.0.8", False),
        ("8.8.8.8", False),
        ("fd00:1::99", True),
        ("fd00:7::7", True),
        ("fe80::1", False),
        ("fd00:2::1", False),
    ],
)
def test_pods_hang_on_devices_of_the_node_and_what_has_a_gateway_is_elsewhere(address: str, is_here: bool) -> None:
    assert has(NODE, address) == is_here


def test_a_tunnel_leads_to_other_machines_also_without_a_gateway() -> None:
    found = read(message("10.244.3.0/24", TUNNEL))
    assert has(found, "10.244.3.9")
    assert not has(found, "10.244.3.9", (TUNNEL,))


def test_networks_that_a_person_names_are_here() -> None:
    assert has([], "100.64.1.1", (), "100.64.0.0/10")
    assert has([], "fd00:5::1", (), "fd00:5::/48")


def test_what_is_known_once_stays_known_with_others() -> None:
    first, second = (
        local_networks(read(message("10.1.0.0/24", BRIDGE))),
        local_networks(read(message("10.2.0.0/24", BRIDGE))),
    )
    joined = first.joined(second)
    assert [joined.has(0, 0xFFFF0A000001 + (each << 16)) for each in (1, 2, 3)] == [True, True, False]


@given(st.binary(max_size=200), st.integers(0, 200))
def test_damaged_routes_never_raise(noise: bytes, place: int) -> None:
    whole = bytearray(message("10.244.1.0/24", BRIDGE) * 2)
    start = place % len(whole)
    whole[start : start + len(noise)] = noise
    read(bytes(whole))
