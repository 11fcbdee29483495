"""Which addresses are this node's own and its pods', by the node's routes: so a connection's ends are known to be here.

Pods hang on routes of their own: a bridge's subnet or a route to each, over a device of this machine. What is reached
through a gateway, over the device that leads to gateways, or through a tunnel is elsewhere.
"""

import struct
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

Network = IPv4Network | IPv6Network
ROUTE: Final = 24
_HEADER: Final = struct.Struct("=IHHII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_TYPE: Final = 0x3FFF
_DESTINATION, _DEVICE, _GATEWAY, _MULTIPATH, _TABLE, _VIA = 1, 4, 5, 9, 15, 18
_MAIN, _LOCAL_TABLE = 254, 255
_UNICAST, _LOCAL = 1, 2
_BITS: Final = {2: 32, 10: 128}
_MAPPED: Final = 0xFFFF << 32
_V4: Final = 2
_EVERYWHERE: Final = ((0xFE80 << 112, 10), ((_MAPPED | 0xA9FE0000), 112))
"""Link-local addresses, which every node has."""


class Route(NamedTuple):
    """A route: where to, as 128 bits, over which device, and whether that is on this machine's side."""

    address: int
    length: int
    """Of the prefix, as of IPv6."""
    device: int
    kind: int
    table: int
    leads_away: bool
    """It has a gateway, or is the way to everything else."""


def routes(buffer: memoryview) -> Iterator[Route]:
    """The routes of one read of a dump; what cannot be read is left out."""
    position = 0
    while position + _HEADER.size <= len(buffer):
        length, kind, _, _, _ = _HEADER.unpack_from(buffer, position)
        if not _HEADER.size <= length <= len(buffer) - position:
            return
        if kind == ROUTE and length >= _HEADER.size + _ROUTE.size:
            route = _route(buffer[position + _HEADER.size : position + length])
            if route is not None:
                yield route
        position += length + 3 & ~3


def _route(message: memoryview) -> Route | None:
    family, length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(message)
    bits = _BITS.get(family)
    if bits is None or length > bits:
        return None
    found = dict(_attributes(message[_ROUTE.size :]))
    address = int.from_bytes(found.get(_DESTINATION, b"").ljust(bits // 8, b"\0")[: bits // 8])
    return Route(
        address=_MAPPED | address if family == _V4 else address,
        length=128 - bits + length,
        device=int.from_bytes(found.get(_DEVICE, b""), "little"),
        kind=kind,
        table=int.from_bytes(found[_TABLE], "little") if _TABLE in found else table,
        leads_away=length == 0 or not found.keys().isdisjoint((_GATEWAY, _MULTIPATH, _VIA)),
    )


def _attributes(rest: memoryview) -> Iterator[tuple[int, bytes]]:
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if not _ATTRIBUTE.size <= length <= len(rest):
            return
        yield kind & _TYPE, bytes(rest[_ATTRIBUTE.size : length])
        rest = rest[length + 3 & ~3 :]


class LocalNetworks:
    """Answers for single addresses."""

    def __init__(self, prefixes: Iterable[tuple[int, int]] = ()) -> None:
        """Prefixes as an address of 128 bits and a length."""
        self.prefixes = frozenset(prefixes)
        self._by_shift: dict[int, set[int]] = {}
        for address, length in self.prefixes:
            self._by_shift.setdefault(128 - length, set()).add(address >> (128 - length))

    def joined(self, others: "LocalNetworks") -> "LocalNetworks":
        """These and the others."""
        return LocalNetworks(self.prefixes | others.prefixes)

    def has(self, high: int, low: int) -> bool:
        """Whether the address is one of them."""
        address = high << 64 | low
        return any(address >> shift in known for shift, known in self._by_shift.items())


def local_networks(
    found: Collection[Route], tunnels: Collection[int] = (), further: Iterable[Network] = ()
) -> LocalNetworks:
    """Out of all routes of the node; `tunnels` are devices that lead to other machines, `further` a person named."""
    away = {route.device for route in found if route.leads_away and route.kind == _UNICAST} | set(tunnels)
    prefixes = [(route.address, route.length) for route in found if _is_here(route, away)]
    return LocalNetworks([*prefixes, *(_of(network) for network in further)])


def _is_here(route: Route, away: Collection[int]) -> bool:
    if any(route.address >> (128 - length) == address >> (128 - length) for address, length in _EVERYWHERE):
        return False
    if route.kind == _LOCAL:
        return route.table == _LOCAL_TABLE
    return route.kind == _UNICAST and route.table == _MAIN and not route.leads_away and route.device not in away


def _of(network: Network) -> tuple[int, int]:
    if isinstance(network, IPv4Network):
        return _MAPPED | int(network.network_address), 96 + network.prefixlen
    return int(network.network_address), network.prefixlen
