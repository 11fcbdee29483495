"""Ranges that are handed out are free, aligned and apart, as many as there is room for: held against a bitmap."""

import random
from ipaddress import ip_network
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.free.engine.allocator import Tier, Want, allocate, ula_networks
from periplus_hub.addresses.free.engine.held_back import HELD_BACK, SPACES, Use, held_back, why_held_back
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

BITS = 10
"""The little world of the oracle: what lies in one /22, or in one /54 of /64s."""
WORLDS = {4: (parse("192.168.4.0/22"), 32), 6: (parse("fd12:3456:789a:fc00::/54"), 64)}


def prefix(family: int, at: int, host_bits: int) -> Prefix:
    """A block of the world."""
    world, unit = WORLDS[family]
    return Prefix(family, world.value | (at >> host_bits << host_bits) << (128 - unit), unit - host_bits)


def cells(each: Prefix) -> slice:
    """Where a prefix is in the world's bitmap."""
    world, unit = WORLDS[each.family]
    first = (each.value - world.value) >> (128 - unit)
    return slice(max(first, 0), first + (1 << max(unit - each.length, 0)))


Block = tuple[int, int]
Case = tuple[int, list[Block], list[tuple[int, str]], list[Block]]
blocks = st.tuples(st.integers(0, (1 << BITS) - 1), st.integers(0, 7))
cases = st.tuples(
    st.sampled_from([4, 6]),
    st.lists(blocks, max_size=20),
    st.lists(st.tuples(st.integers(0, 6), st.text("abc", max_size=3)), max_size=30),
    st.lists(blocks, max_size=3),
)


def run(case: Case) -> tuple[list[Prefix], list[Prefix], list[Want], list[Prefix | None]]:
    """What is taken, what is avoided at first, what is wanted, and what is found."""
    family, used, wished, shunned = case
    world, unit = WORLDS[family]
    taken = [prefix(family, *each) for each in used]
    avoided = [prefix(family, *each) for each in shunned]
    wants = [Want(unit - bits, near) for bits, near in wished]
    half = Prefix(family, world.value, world.length + 1)
    tiers = [Tier((half,), tuple(avoided)), Tier((world,))]
    return taken, avoided, wants, allocate(FamilyPrefixes.of_prefixes(taken), wants, tiers, family)


@given(cases)
def test_what_is_found_is_free_aligned_inside_and_apart(case: Case) -> None:
    taken, _, wants, found = run(case)
    bitmap = np.zeros(1 << BITS, dtype=bool)
    for each in taken:
        bitmap[cells(each)] = True
    world, _ = WORLDS[case[0]]
    for want, each in zip(wants, found, strict=True):
        if each is not None:
            assert each.length == want.length
            assert world.covers(each)
            assert each.value & ((1 << (128 - each.length)) - 1) == 0
            assert not bitmap[cells(each)].any()
            bitmap[cells(each)] = True


@given(cases)
def test_as_many_are_found_as_there_is_room_for(case: Case) -> None:
    taken, _, wants, found = run(case)
    free = np.ones(1 << BITS, dtype=bool)
    for each in taken:
        free[cells(each)] = False
    for length in sorted({want.length for want in wants}):
        placed = [each for each in found if each is not None and each.length == length]
        wanted = sum(want.length == length for want in wants)
        room = free.reshape(-1, 1 << (WORLDS[case[0]][1] - length)).all(axis=1).sum()
        assert len(placed) == min(wanted, room)
        for each in placed:
            free[cells(each)] = False


@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_what_is_taken_and_wanted_changes_nothing(case: Case, rng: random.Random) -> None:
    family, used, wished, shunned = case
    _, _, wants, found = run(case)
    shuffled = rng.sample(range(len(wants)), len(wants))
    again = run((family, rng.sample(used, len(used)), [wished[at] for at in shuffled], shunned))[3]
    ranges: dict[Want, set[Prefix | None]] = {}
    other: dict[Want, set[Prefix | None]] = {}
    for at, each in enumerate(found):
        ranges.setdefault(wants[at], set()).add(each)
    for at, each in zip(shuffled, again, strict=True):
        other.setdefault(wants[at], set()).add(each)
    assert ranges == other


@given(cases)
def test_what_is_avoided_is_used_only_when_nothing_else_is_free(case: Case) -> None:
    taken, avoided, wants, found = run(case)
    world, unit = WORLDS[case[0]]
    half = 1 << (BITS - 1)
    free = np.ones(1 << BITS, dtype=bool)
    free[half:] = False
    for each in (*taken, *avoided):
        free[cells(each)] = False
    for length in sorted({want.length for want in wants}):
        placed = [each for each in found if each is not None and each.length == length]
        liked = [each for each in placed if free[cells(each)].all()]
        room = free.reshape(-1, 1 << (unit - length)).all(axis=1).sum()
        assert len(liked) == min(len(placed), room)
        for each in placed:
            free[cells(each)] = False
    assert world.length == unit - BITS


def test_a_range_stays_where_it_was_while_its_place_is_free() -> None:
    tiers = [Tier((parse("10.0.0.0/8"),))]
    wants = [Want(20, name, "pod") for name in ("red", "tan", "sea", "sky")]
    before = allocate(FamilyPrefixes.of_prefixes(()), wants, tiers, 4)
    elsewhere = FamilyPrefixes.of_prefixes([parse("10.0.0.0/16"), before[0] or parse("10.0.0.0/8")])
    after = allocate(elsewhere, wants, tiers, 4)
    assert after[1:] == before[1:]
    assert after[0] != before[0]


def test_fleets_spread_over_private_space() -> None:
    tiers = [Tier((parse("10.0.0.0/8"),))]
    wants = [Want(24, f"cluster-{number}") for number in range(64)]
    found = [each for each in allocate(FamilyPrefixes.of_prefixes(()), wants, tiers, 4) if each is not None]
    assert len({str(each).split(".")[1] for each in found}) > 40
    assert len({each for each in found if str(each).startswith("10.0.")}) < 3


def test_fleets_do_not_meet_behind_what_is_full() -> None:
    tiers = [Tier((parse("10.0.0.0/8"), parse("172.16.0.0/12")))]
    wants = [Want(20, f"cluster-{number}") for number in range(40)]
    full = FamilyPrefixes.of_prefixes([parse("10.64.0.0/10"), parse("10.128.0.0/9")])
    found = [str(each) for each in allocate(full, wants, tiers, 4)]
    assert sum(each.startswith("172.16.") for each in found) < 5
    assert sum(each.startswith("10.") for each in found) > 20


def test_a_range_longer_than_64_takes_a_block_of_its_own() -> None:
    tiers = [Tier((parse("fd12:3456:789a::/63"),))]
    found = allocate(FamilyPrefixes.of_prefixes(()), [Want(112, "a"), Want(112, "b"), Want(112, "c")], tiers, 6)
    assert sorted(map(str, filter(None, found))) == ["fd12:3456:789a:1::/112", "fd12:3456:789a::/112"]
    assert found.count(None) == 1


def test_networks_of_their_own_are_random_and_always_the_same() -> None:
    mine, theirs = ula_networks(b"mine", 50), ula_networks(b"theirs", 50)
    assert ula_networks(b"mine", 50) == mine
    assert len({*mine, *theirs}) == 100
    assert all(parse("fd00::/8").covers(each) and each.length == 48 for each in mine)
    assert len({each.value >> 112 for each in mine}) > 30


def test_the_table_of_ranges_that_are_held_back_is_sound() -> None:
    networks = [ip_network(row.cidr) for row in HELD_BACK]
    assert [str(network) for network in networks] == [row.cidr for row in HELD_BACK]
    assert all(row.holder and row.why and row.source.startswith("https://") for row in HELD_BACK)
    spaces = [[ip_network(str(each)) for each in given] for given in SPACES.values()]
    assert not any(a.overlaps(b) for each in spaces for a, b in combinations(each, 2))
    assert FAMILY_BITS.keys() == SPACES.keys()


@pytest.mark.parametrize(
    "cidr",
    ["172.17.4.0/24", "100.64.0.0/20", "100.88.1.0/24", "169.254.20.0/24", "34.118.224.0/24", "127.0.0.0/8",
     "224.0.0.0/8", "172.31.0.0/20", "100.65.0.0/24", "fd98::/64", "fe80::/64", "172.16.0.0/12"],
)  # fmt: skip
def test_what_others_hold_is_never_given(cidr: str) -> None:
    assert why_held_back(parse(cidr), ()) is not None


def test_shared_addresses_are_what_each_cloud_makes_of_them() -> None:
    shared = parse("100.64.0.0/10")
    assert shared in held_back(Use.LAST, 4, ["aws"])
    assert shared not in held_back(Use.NEVER, 4, ["aws", "gcp", "azure"])
    assert shared in held_back(Use.NEVER, 4, ["aws", "alibaba"])
