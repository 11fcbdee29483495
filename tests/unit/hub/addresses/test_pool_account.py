"""What the numbers of a pool come to, against a bitmap that has every address."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.ipam.engine.pool_account import PARTS, Account, Counts, account
from periplus_hub.addresses.ipam.model import FULL_PPM, PoolLimit

BITS = 5
BITMAP = st.lists(st.sampled_from(PARTS), min_size=1 << BITS, max_size=1 << BITS)
HIDDEN = st.sets(st.sampled_from(PARTS))


def _largest_free(bitmap: list[str]) -> int | None:
    """The prefix length of the largest aligned block that is free, of a pool of 2^BITS addresses that is a /27."""
    for bits in range(BITS, -1, -1):
        size = 1 << bits
        if any(set(bitmap[start : start + size]) == {"free"} for start in range(0, len(bitmap), size)):
            return 32 - bits
    return None


ANY = st.none() | st.integers(min_value=0, max_value=40)


@given(st.builds(Counts, **dict.fromkeys(Counts.__dataclass_fields__, ANY)), st.none() | st.integers(20, 32))
def test_whatever_is_told_the_parts_are_the_capacity_or_the_rest_is_unknown(counts: Counts, block: int | None) -> None:
    found = account(counts, block)
    if found.unaccounted is None:
        assert counts.capacity is None or found.contradictions
        assert (found.idle, found.fragmented) == (None, None)
        return
    told = sum(getattr(counts, name) or 0 for name in PARTS)
    assert told + (found.idle or 0) + found.unaccounted == counts.capacity
    assert min(found.unaccounted, found.idle or 0) >= 0
    assert found.fragmented is None or 0 <= found.fragmented <= (counts.free or 0)


@given(BITMAP)
def test_what_is_free_outside_of_the_largest_free_block_is_fragmented(bitmap: list[str]) -> None:
    free, length = bitmap.count("free"), _largest_free(bitmap)
    found = account(Counts(capacity=len(bitmap), free=free, largest_free_block=length))
    assert found.fragmented == (0 if length is None else free - (1 << (32 - length)))
    assert account(Counts(capacity=len(bitmap), free=free)).fragmented == (None if free else 0)
    assert account(Counts(capacity=len(bitmap), largest_free_block=length)).fragmented is None


def test_blocks_of_ipv6_are_counted_by_its_bits() -> None:
    wide = Counts(capacity=2**64, free=2**63 + 5, largest_free_block=65)
    assert account(wide, bits=128).fragmented == 5
    assert account(wide).fragmented is None, "no block of IPv4 has that length"


@given(BITMAP, HIDDEN)
def test_what_is_told_and_what_is_not_is_the_capacity(bitmap: list[str], hidden: set[str]) -> None:
    counted = Counter(bitmap)
    told = {name: None if name in hidden else counted[name] for name in PARTS}
    found = account(Counts(capacity=len(bitmap), **told))
    assert found.contradictions == ()
    assert found.unaccounted == sum(counted[name] for name in hidden)
    if "free" not in hidden:
        assert found.taken_ppm == (len(bitmap) - counted["free"]) * FULL_PPM // len(bitmap)
        assert (found.taken_ppm == FULL_PPM) == (counted["free"] == 0)
    elif found.taken_ppm is not None:
        assert found.taken_ppm <= (len(bitmap) - counted["free"]) * FULL_PPM // len(bitmap), "never more than is true"


@given(st.lists(st.booleans(), min_size=8, max_size=8), st.integers(min_value=0, max_value=3))
def test_a_pool_of_blocks_is_full_when_none_fits(held: list[bool], wanted_bits: int) -> None:
    """Eight blocks of four addresses; the next node takes one of 2^(2 + wanted) addresses."""
    bitmap = ["used" if each else "free" for each in held for _ in range(4)]
    free = bitmap.count("free")
    block = _largest_free(bitmap)
    counts = Counts(capacity=32, assigned=32 - free, used=32 - free, free=free, largest_free_block=block)
    size = 4 << wanted_bits
    fits = any(set(bitmap[start : start + size]) == {"free"} for start in range(0, 32, size))
    found = account(counts, 30 - wanted_bits)
    if any(held):
        assert (found.taken_ppm == FULL_PPM) == (not fits)
        assert (found.limit is PoolLimit.BLOCKS) == (not fits and free > 0)
    else:
        assert found.taken_ppm == 0


@given(BITMAP, st.sampled_from(("capacity", *PARTS)), st.integers(min_value=1, max_value=100))
def test_more_than_there_is_is_named(bitmap: list[str], wrong: str, more: int) -> None:
    told = {"capacity": len(bitmap), **{name: Counter(bitmap)[name] for name in PARTS}}
    told[wrong] += -min(more, told[wrong]) if wrong == "capacity" else more
    assert account(Counts(**told)).contradictions != ()


def test_what_nodes_hold_and_do_not_use_is_no_gap() -> None:
    found = account(Counts(capacity=1024, assigned=512, used=100, free=512))
    assert (found.idle, found.unaccounted, found.taken_ppm) == (412, 0, 500_000)


def test_pods_that_borrow_find_room_in_blocks_that_nodes_hold() -> None:
    """All blocks are held and most of their addresses are free: not full, as pods may have them."""
    counts = Counts(capacity=1024, assigned=1024, used=300, free=724)
    assert account(counts, 26) == Account(
        taken_ppm=292_968, limit=PoolLimit.ADDRESSES, idle=None, unaccounted=0, fragmented=None
    )


@pytest.mark.parametrize(
    ("counts", "taken_ppm", "said"),
    [
        (Counts(capacity=256, used=300), FULL_PPM, ("300 are in use, of 256",)),
        (Counts(capacity=256, used=300, free=0), FULL_PPM, ("300 are in use, of 256",)),
        (Counts(capacity=256, used=300, free=9), None, ("300 are in use, of 256",)),
        (Counts(capacity=256, used=200, free=100), None, ("its parts are 300 addresses, of 256",)),
        (Counts(capacity=256, assigned=257), None, ("257 are assigned, of 256",)),
        (Counts(used=1, borrowed=2), None, ("2 are borrowed, of 1 in use",)),
        (Counts(capacity=0, used=0, free=0), None, ()),
        (Counts(capacity=256), None, ()),
        (Counts(used=7), None, ()),
    ],
)
def test_contradictions_leave_the_fill_unknown_but_of_a_pool_that_was_shrunk(
    counts: Counts, taken_ppm: int | None, said: tuple[str, ...]
) -> None:
    found = account(counts)
    assert (found.taken_ppm, found.contradictions) == (taken_ppm, said)
