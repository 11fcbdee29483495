"""Ranges that are written as first and last address, and the CIDRs they are."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final

from periplus_spoke.conversion.cidr import Address, ImpossibleCidr, Network, merged, parse_address, parse_cidr

_DASH: Final = "-"


def span_cover(first: Address, last: Address) -> list[Network]:
    """The fewest CIDRs that hold both addresses, all between them, and no others. Raises ImpossibleCidr."""
    if first.version != last.version:
        raise ImpossibleCidr(f"'{first}-{last}' mixes IPv4 and IPv6")
    if int(first) > int(last):
        raise ImpossibleCidr(f"'{first}-{last}' ends before it begins")
    return [parse_cidr(str(each)) for each in ipaddress.summarize_address_range(first, last)]


def parse_span(text: str) -> list[Network]:
    """CIDRs of `first-last`, of one address, or of a CIDR. Raises ImpossibleCidr.

    Host bits of a CIDR are ignored, as allocators that take such texts do.
    """
    first, dash, last = text.partition(_DASH)
    if dash:
        return span_cover(parse_address(first.strip()), parse_address(last.strip()))
    return [parse_masked(text.strip()) if "/" in text else _whole(parse_address(text.strip()))]


def parse_masked(text: str) -> Network:
    """The CIDR that an address with a prefix length lies in. Raises ImpossibleCidr."""
    try:
        masked = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return parse_cidr(text)
    return parse_cidr(str(masked)) if "/" in text else parse_cidr(text)


def _whole(address: Address) -> Network:
    return parse_cidr(f"{address}/{address.max_prefixlen}")


def without(networks: Iterable[Network], excluded: Iterable[Network]) -> list[Network]:
    """The fewest CIDRs that hold what lies in any of `networks` and in none of `excluded`."""
    kept, left_out = list(networks), list(excluded)
    found: list[Network] = []
    for version, address in ((4, ipaddress.IPv4Address), (6, ipaddress.IPv6Address)):
        holes = merged(each for each in left_out if each.version == version)
        for first, last in merged(each for each in kept if each.version == version):
            for start, end in _around(first, last, holes):
                found += ipaddress.summarize_address_range(address(start), address(end))
    return found


def _around(first: int, last: int, holes: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of a stretch beside holes, which are in order."""
    for begin, end in holes:
        if begin > last:
            break
        if end >= first:
            if begin > first:
                yield first, begin - 1
            first = max(first, end + 1)
    if first <= last:
        yield first, last
