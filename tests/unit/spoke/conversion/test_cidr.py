"""How much room a range has left, against trying every block."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.cidr import exact_cover, largest_free_block

WHOLE = ipaddress.IPv4Network("10.1.0.0/24")
BLOCKS = [block for length in range(24, 31) for block in WHOLE.subnets(new_prefix=length)]


@given(st.lists(st.sampled_from(BLOCKS), max_size=12))
def test_the_largest_free_block_is_what_trying_every_block_finds(taken: list[ipaddress.IPv4Network]) -> None:
    every = (block for length in range(24, 33) for block in WHOLE.subnets(new_prefix=length))
    free = (block.prefixlen for block in every if not any(block.overlaps(each) for each in taken))
    assert largest_free_block(WHOLE, taken) == next(free, None)


def test_ipv6_is_the_same() -> None:
    whole = ipaddress.IPv6Network("fd00::/48")
    assert largest_free_block(whole, [ipaddress.IPv6Network("fd00::/64")]) == 49
    assert largest_free_block(whole, [whole]) is None


@given(st.sets(st.integers(0, 63)), st.sets(st.integers(0, 63)))
def test_an_exact_cover_is_what_joining_pair_by_pair_makes(v4: set[int], v6: set[int]) -> None:
    narrow = [ipaddress.IPv4Address("10.0.0.0") + at for at in v4]
    wide = [ipaddress.IPv6Address("fd00::") + at for at in v6]
    joined = [
        *ipaddress.collapse_addresses(map(ipaddress.IPv4Network, narrow)),
        *ipaddress.collapse_addresses(map(ipaddress.IPv6Network, wide)),
    ]
    assert exact_cover([*wide, *narrow]) == joined
