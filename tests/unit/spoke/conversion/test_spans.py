"""Ranges as CIDRs, against a bitmap of every address."""

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.cidr import Address, ImpossibleCidr, covered, merged
from periplus_spoke.conversion.spans import parse_masked, parse_span, span_cover, without

BASES: dict[int, Address] = {4: ipaddress.ip_address("10.1.0.0"), 6: ipaddress.ip_address("fd00::")}
ends = st.tuples(st.integers(0, 511), st.integers(0, 511)).map(sorted)


def bitmap(networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network], base: Address) -> int:
    """A bit for each address that any of them holds."""
    bits = 0
    for network in networks:
        first = int(network.network_address) - int(base)
        bits |= ((1 << network.num_addresses) - 1) << first
    return bits


@given(ends, st.sampled_from((4, 6)))
def test_a_span_is_its_addresses_and_no_others_in_the_fewest_cidrs(span: list[int], family: int) -> None:
    base = BASES[family]
    first, last = (base + offset for offset in span)
    found = span_cover(first, last)
    assert bitmap(found, base) == ((1 << (span[1] - span[0] + 1)) - 1) << span[0]
    assert found == list(ipaddress.collapse_addresses(found))  # type: ignore[type-var] # all of one family
    assert parse_span(f"{first} - {last}") == parse_span(f"{first}-{last}") == found


@given(st.lists(ends, max_size=6))
def test_merged_stretches_are_apart_and_hold_every_address_once(spans: list[list[int]]) -> None:
    base = BASES[4]
    networks = [each for first, last in spans for each in span_cover(base + first, base + last)]
    stretches = merged(networks)
    bits = bitmap(networks, base)
    assert covered(networks) == bits.bit_count()
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(stretches))
    assert sum(((1 << (last - first + 1)) - 1) << (first - int(base)) for first, last in stretches) == bits


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.9-10.0.0.1", "ends before it begins"),
        ("10.0.0.1-fd00::1", "mixes IPv4 and IPv6"),
        ("10.0.0.1-", "not an address"),
        ("-", "not an address"),
        ("", "not an address"),
        ("10.0.0.1-10.0.0.5-10.0.0.9", "not an address"),
        ("0.0.0.0-255.255.255.255", "every address"),
        ("10.0.0.1/8/4", "not a CIDR"),
        ("0.0.0.0/0", "every address"),
        ("::ffff:10.0.0.1-::ffff:10.0.0.9", "not an address others can use"),
    ],
)
def test_what_is_no_span_says_why(text: str, why: str) -> None:
    with pytest.raises(ImpossibleCidr, match=why):
        parse_span(text)


def test_one_address_and_a_cidr_with_host_bits_are_spans() -> None:
    assert [str(each) for each in (*parse_span("10.0.0.7"), *parse_span("fd00::7"))] == ["10.0.0.7/32", "fd00::7/128"]
    assert [str(each) for each in parse_span("192.168.2.225/28")] == ["192.168.2.224/28"]
    with pytest.raises(ImpossibleCidr, match="prefix length"):
        parse_masked("10.0.0.1")


@given(st.lists(ends, max_size=5), st.lists(ends, max_size=5), st.sampled_from((4, 6)))
def test_what_is_left_without_holes_is_every_other_address(
    kept: list[list[int]], holes: list[list[int]], family: int
) -> None:
    base = BASES[family]
    networks, excluded = (
        [each for first, last in spans for each in span_cover(base + first, base + last)] for spans in (kept, holes)
    )
    found = without(networks, excluded)
    assert bitmap(found, base) == bitmap(networks, base) & ~bitmap(excluded, base)
    assert sum(each.num_addresses for each in found) == bitmap(found, base).bit_count()
