"""CIDRs as clusters write them. What cannot be a range is an error with a reason, never silently left out."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Fault = Callable[[str], None]
"""Told about every range or address that cannot be."""
T = TypeVar("T")

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


class ImpossibleCidr(ValueError):
    """A text that stands where a CIDR should, and is none; the message names it and says why."""


def parse_cidr(text: str) -> Network:
    """A network in canonical form. Host bits, /0 and IPv4-mapped ranges are impossible."""
    try:
        # Strict, and nothing is corrected: 10.1.2.3/16 may be meant as 10.1.0.0/16 or as one address, and either would
        # be a claim that nobody made. Formats of which host bits are a habit are read by `spans.parse_masked`.
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ImpossibleCidr(_why(text)) from None
    if "/" not in text:
        raise ImpossibleCidr(f"{text!r} has no prefix length")
    if network.prefixlen == 0:
        raise ImpossibleCidr(f"{text!r} is every address there is")
    # The same addresses have a second spelling as IPv4, and the two would never be found to overlap.
    if isinstance(network, ipaddress.IPv6Network) and network.overlaps(_MAPPED):
        raise ImpossibleCidr(f"{text!r} holds IPv4-mapped addresses")
    return network


def _why(text: str) -> str:
    try:
        inside = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return f"{text[:64]!r} is not a CIDR"
    return f"{text!r} has host bits set; the range would be {inside}"


def parse_address(text: str) -> Address:
    """A single address; raises ImpossibleCidr."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ImpossibleCidr(f"{text[:64]!r} is not an address") from None
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.scope_id):
        raise ImpossibleCidr(f"{text!r} is not an address others can use")
    return address


def single(address: Address) -> str:
    """The /32 or /128 of one address."""
    return f"{address}/{address.max_prefixlen}"


def exact_cover(addresses: Iterable[Address]) -> list[Network]:
    """The fewest ranges that hold these addresses and no others."""
    v4, v6 = set[int](), set[int]()
    for address in addresses:
        (v4 if isinstance(address, ipaddress.IPv4Address) else v6).add(int(address))
    found: list[Network] = []
    for first, last in _runs(v4):
        found += ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
    for first, last in _runs(v6):
        found += ipaddress.summarize_address_range(ipaddress.IPv6Address(first), ipaddress.IPv6Address(last))
    return found


def _runs(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours: tens of thousands of addresses are too many to join pair by pair."""
    first = last = None
    for number in sorted(numbers):
        if first is not None and last is not None and number != last + 1:
            yield first, last
            first = number
        first, last = number if first is None else first, number
    if first is not None and last is not None:
        yield first, last


def told_elsewhere(_: str) -> None:
    """The `Fault` of who looks at objects a second time: another reader of them tells what in them cannot be."""


def checked(parse: Callable[[str], T], text: str, where: str, fault: Fault) -> T | None:
    """`text` parsed, or None after telling `fault` where it stands."""
    try:
        return parse(text)
    except ImpossibleCidr as error:
        fault(f"{where}: {error}")
        return None


def is_within(inner: Network, outer: Network) -> bool:
    """Whether one range holds all of the other."""
    return inner.version == outer.version and inner.network_address in outer and inner.broadcast_address in outer


def merged(blocks: Iterable[Network]) -> list[tuple[int, int]]:
    """First and last addresses of the stretches that blocks of one family fill, in order and apart."""
    stretches: list[tuple[int, int]] = []
    for block in sorted(blocks, key=lambda each: (int(each.network_address), each.prefixlen)):
        first, last = int(block.network_address), int(block.broadcast_address)
        if stretches and first <= stretches[-1][1] + 1:
            stretches[-1] = (stretches[-1][0], max(last, stretches[-1][1]))
        else:
            stretches.append((first, last))
    return stretches


def covered(blocks: Iterable[Network]) -> int:
    """How many addresses lie in any of these blocks of one family."""
    return sum(last - first + 1 for first, last in merged(blocks))


def largest_free_block(network: Network, taken: Iterable[Network]) -> int | None:
    """Prefix length of the largest block of `network` that touches none of `taken`, which lie in it; None when full."""
    first, best = int(network.network_address), -1
    for start, after in sorted((int(each.network_address), int(each.broadcast_address) + 1) for each in taken):
        # A gap before each taken stretch, in order. They may overlap or lie in one another, hence the `max` below:
        # `first` never goes back.
        best = max(best, _largest_inside(first, start))
        first = max(first, after)
    best = max(best, _largest_inside(first, int(network.broadcast_address) + 1))
    return None if best < 0 else network.max_prefixlen - best


def _largest_inside(first: int, after: int) -> int:
    """Bits of the largest aligned power of two within [first, after); -1 for nothing."""
    # From the largest power of two that fits down to the first that fits where its alignment puts it.
    bits = max(after - first, 0).bit_length() - 1
    while bits >= 0 and ((first + (1 << bits) - 1) >> bits << bits) + (1 << bits) > after:
        bits -= 1
    return bits
