"""Free ranges are free, aligned, lowest first, and found in a full register."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.free.engine.planner import SPACES, FreeRanges, FreeSpace, free_ranges, space_of
from periplus_hub.addresses.prefixes.prefix import IPV4, IPV6, Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

TEN = "10.0.0.0/8"


def found(*used: Prefix | str) -> FreeRanges:
    prefixes = sorted({parse(each) if isinstance(each, str) else each for each in used})
    ranges: dict[tuple[int, int], Prefix | None] = {}
    for family in (IPV4, IPV6):
        columns = FamilyPrefixes.of_prefixes([each for each in prefixes if each.family == family])
        ranges |= free_ranges(columns, family)
    return ranges


def first(used: Sequence[str], family: int, length: int) -> str:
    return str(FreeSpace(found(*used)).first(family, length))


def _inside(bits: int, length: int) -> Prefix:
    value = parse("192.168.0.0/20").value | bits << 96
    return Prefix(4, value >> (128 - length) << (128 - length), length)


@given(st.lists(st.builds(_inside, st.integers(0, 0xFFF), st.integers(18, 32)), max_size=24), st.integers(20, 26))
def test_what_is_proposed_is_the_lowest_that_touches_nothing(used: list[Prefix], length: int) -> None:
    candidates = (_inside(start << (32 - length), length) for start in range(1 << (length - 20)))
    free = next((each for each in candidates if not any(u.covers(each) or each.covers(u) for u in used)), None)
    others = (parse(TEN), parse("172.16.0.0/12"), parse("100.64.0.0/10"), parse("192.168.16.0/20"))
    rest = tuple(parse(f"192.168.{third}.0/{length}") for third, length in ((32, 19), (64, 18), (128, 17)))
    assert found(*used, *others, *rest)[4, length] == free


def _inside6(bits: int, length: int) -> Prefix:
    value = parse("fd00::/56").value | bits << 64
    return Prefix(6, value >> (128 - length) << (128 - length), length)


@given(st.lists(st.builds(_inside6, st.integers(0, 0xFF), st.integers(58, 128)), max_size=24), st.integers(57, 64))
def test_with_ipv6_too_what_is_proposed_is_the_lowest_that_touches_nothing(used: list[Prefix], length: int) -> None:
    candidates = (_inside6(start << (64 - length), length) for start in range(1 << (length - 56)))
    free = next((each for each in candidates if not any(u.covers(each) or each.covers(u) for u in used)), None)
    rest = tuple(parse(f"fd00:0:0:{1 << bit:x}::/{64 - bit}") for bit in range(8, 16))
    wider = tuple(parse(f"fd00:0:{1 << bit:x}::/{48 - bit}") for bit in range(16))
    widest = tuple(parse(f"fd00:{1 << bit:x}::/{32 - bit}") for bit in range(16))
    top = tuple(parse(f"fd{1 << bit:02x}::/{16 - bit}") for bit in range(8))
    assert found(*used, *rest, *wider, *widest, *top)[6, length] == free


@given(st.lists(st.builds(_inside, st.integers(0, 0xFFF), st.integers(18, 32)), max_size=24))
def test_nothing_proposed_is_in_use_and_nothing_in_use_is_outside_the_sizes(used: list[Prefix]) -> None:
    for (family, length), free in found(*used).items():
        assert free is not None
        assert (free.family, free.length) == (family, length)
        assert not any(each.covers(free) or free.covers(each) for each in used)
        assert space_of(free) in SPACES[family]


@pytest.mark.parametrize(
    ("used", "family", "length", "expected"),
    [
        ((), 4, 8, TEN),
        ((), 4, 16, "10.0.0.0/16"),
        (("10.0.0.0/16",), 4, 16, "10.1.0.0/16"),
        (("10.0.0.77/32",), 4, 24, "10.0.1.0/24"),
        (("10.0.0.77/32",), 4, 26, "10.0.0.0/26"),
        (("10.0.0.0/9", "10.128.0.0/10"), 4, 9, "None"),
        ((TEN,), 4, 12, "172.16.0.0/12"),
        ((TEN,), 4, 16, "172.16.0.0/16"),
        (("8.0.0.0/5",), 4, 16, "172.16.0.0/16"),
        (("0.0.0.0/1", "128.0.0.0/1"), 4, 24, "None"),
        (("255.255.255.255/32", "9.255.255.255/32", "11.0.0.0/8"), 4, 8, TEN),
        (("10.0.0.0/8", "10.0.0.0/16", "10.9.0.0/16"), 4, 16, "172.16.0.0/16"),
        ((), 4, 7, "None"),
        ((), 6, 64, "fd00::/64"),
        (("fd00::/48",), 6, 64, "fd00:0:1::/64"),
        (("fd00:0:0:1::/64",), 6, 63, "fd00:0:0:2::/63"),
        (("fd00:0:0:1::/64",), 6, 64, "fd00::/64"),
        (("fd00:0:0:3::1/128",), 6, 62, "fd00:0:0:4::/62"),
        (("fd00::1/128",), 6, 112, "fd00:0:0:1::/112"),
        (("fd00::/8",), 6, 64, "None"),
    ],
)
def test_the_lowest_free_range(used: tuple[str, ...], family: int, length: int, expected: str) -> None:
    assert first(used, family, length) == expected


def test_single_addresses_are_not_planned_and_the_unknown_is_not_full() -> None:
    space = FreeSpace(found())
    assert space.knows(parse("10.0.0.0/26"))
    assert not space.knows(parse("10.0.0.1/32"))
    assert not FreeSpace({}).knows(parse("10.0.0.0/16"))
