"""Free ranges are free, aligned, complete, and lowest first."""

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.planner import FreeSpace, merged, worth_suggesting
from periplus_hub.addresses.prefixes import Prefix, parse

SPACE = parse("10.0.0.0/20")


def _inside(bits: int, length: int) -> Prefix:
    value = SPACE.value | bits << 96
    return Prefix(4, value >> (128 - length) << (128 - length), length)


used_lists = st.lists(st.builds(_inside, st.integers(0, 0xFFF), st.integers(18, 32)), max_size=12)


@given(used_lists, st.integers(20, 28))
def test_free_ranges_are_exactly_those_that_touch_nothing(used: list[Prefix], length: int) -> None:
    candidates = [_inside(start << (32 - length), length) for start in range(1 << (length - 20))]
    expected = [each for each in candidates if not any(u.covers(each) or each.covers(u) for u in used)]
    assert list(FreeSpace(used).ranges(length, SPACE)) == expected


@given(used_lists)
def test_merging_keeps_what_is_covered(used: list[Prefix]) -> None:
    tops = merged(used)
    assert all(sum(top.covers(each) for top in tops) == 1 for each in used)


def test_spaces_are_searched_in_order_and_too_small_ones_skipped() -> None:
    space = FreeSpace([parse("10.0.0.0/8")])
    assert space.first(4, 16) == space.first(4, 16) == (parse("172.16.0.0/16"), parse("172.16.0.0/12"))
    assert space.first(4, 9) is None
    assert [str(each) for each in FreeSpace([]).ranges(9, parse("10.0.0.0/8"))] == ["10.0.0.0/9", "10.128.0.0/9"]
    assert list(FreeSpace([]).ranges(7, parse("10.0.0.0/8"))) == []


def test_a_range_around_the_space_blocks_it() -> None:
    assert list(FreeSpace([parse("8.0.0.0/5")]).ranges(24, SPACE)) == []


def test_ipv6_has_room() -> None:
    assert FreeSpace([parse("fd00::/48")]).first(6, 64) == (parse("fd00:0:1::/64"), parse("fd00::/8"))


def test_single_addresses_are_not_planned() -> None:
    assert worth_suggesting(parse("10.0.0.0/24"))
    assert not worth_suggesting(parse("10.0.0.1/32"))
