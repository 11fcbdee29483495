"""Which of many ranges an address or a range lies in, and which addresses of a range some ranges cover."""

import ipaddress
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

from periplus_spoke.conversion.cidr import Address, Network

T = TypeVar("T")
FAMILIES: Final = (4, 6)
BITS: Final = {4: 32, 6: 128}


class CidrIndex(Generic[T]):
    """Ranges, each with what it stands for; several may be equal or lie inside one another."""

    def __init__(self, items: Iterable[tuple[Network, T]]) -> None:
        self._at: dict[tuple[int, int, int], list[T]] = defaultdict(list)
        ordered: dict[int, list[tuple[int, int, T]]] = {family: [] for family in FAMILIES}
        for network, item in items:
            first = int(network.network_address)
            self._at[network.version, network.prefixlen, first].append(item)
            ordered[network.version].append((first, network.prefixlen, item))
        for family in FAMILIES:
            ordered[family].sort(key=lambda each: each[:2])
        self._ordered = ordered
        self._firsts = {family: [each[0] for each in ordered[family]] for family in FAMILIES}
        self._lengths = {family: sorted({each[1] for each in ordered[family]}) for family in FAMILIES}

    def around(self, address: Address) -> list[T]:
        """Items whose range holds the address, the widest first."""
        return self._around(address.version, int(address), BITS[address.version])

    def overlapping(self, network: Network) -> list[T]:
        """Items whose range shares addresses with this one, the widest first."""
        family, first = network.version, int(network.network_address)
        # CIDRs either hold one another or are apart. So what overlaps is what lies around the first address, or begins
        # inside and is longer.
        wide = self._around(family, first, network.prefixlen)
        start = bisect_left(self._firsts[family], first)
        end = bisect_right(self._firsts[family], int(network.broadcast_address))
        return wide + [item for _, length, item in self._ordered[family][start:end] if length > network.prefixlen]

    def _around(self, family: int, first: int, longest: int) -> list[T]:
        found: list[T] = []
        # One look-up for each prefix length there is, at most 128: independent of how many ranges there are, and of how
        # they lie inside one another.
        for length in self._lengths[family]:
            if length <= longest:
                bits = BITS[family] - length
                found += self._at.get((family, length, first >> bits << bits), ())
        return found


class Covering:
    """The addresses that any of some ranges hold, each once."""

    def __init__(self, networks: Iterable[Network]) -> None:
        by_family: dict[int, list[Network]] = {family: [] for family in FAMILIES}
        for network in networks:
            by_family[network.version].append(network)
        self._spans = {
            family: [(int(each.network_address), int(each.broadcast_address)) for each in _collapsed(by_family[family])]
            for family in FAMILIES
        }
        self._lasts = {family: [last for _, last in self._spans[family]] for family in FAMILIES}

    def within(self, network: Network) -> Iterator[tuple[int, int]]:
        """First and last address of each piece of `network` that is covered."""
        begin, end = int(network.network_address), int(network.broadcast_address)
        spans = self._spans[network.version]
        for first, last in spans[bisect_left(self._lasts[network.version], begin) :]:
            if first > end:
                return
            yield max(first, begin), min(last, end)

    def count(self, network: Network) -> int:
        """How many addresses of `network` are covered."""
        return sum(last - first + 1 for first, last in self.within(network))

    def networks(self, network: Network) -> Iterator[Network]:
        """The pieces of `network` that are covered, as ranges."""
        for first, last in self.within(network):
            if isinstance(network, ipaddress.IPv4Network):
                yield from ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
            else:
                yield from ipaddress.summarize_address_range(ipaddress.IPv6Address(first), ipaddress.IPv6Address(last))

    def mask(self, network: Network) -> int:
        """The covered addresses of a small `network` as bits, the lowest for its first address."""
        begin = int(network.network_address)
        found = 0
        for first, last in self.within(network):
            found |= ((1 << (last - first + 1)) - 1) << (first - begin)
        return found


def _collapsed(networks: list[Network]) -> Iterable[Network]:
    v4 = [each for each in networks if isinstance(each, ipaddress.IPv4Network)]
    v6 = [each for each in networks if isinstance(each, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6)]
