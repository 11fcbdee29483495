"""Tiers: monotone, continuous, and each byte in one of them."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.pricing.engine.exact import total
from periplus_hub.pricing.engine.tiers import Charge, charges, pool_shares
from periplus_hub.pricing.model import Meter, PathClass, Price, Tier, TierMode

PRICE = Price(
    sku="out", provider="aws", path_classes=frozenset({PathClass.INTERNET_EGRESS}), meter=Meter.SENDER,
    regions=frozenset({"*"}), peers=frozenset({"*"}), unit="GB", unit_bytes=10,
    tiers=(Tier(Decimal(10), Decimal("0.09")), Tier(Decimal(40), Decimal("0.085")), Tier(None, Decimal("0.05"))),
    valid_from=date(2026, 1, 1), source="test", is_verified=True, book="test 1", line=1,
)  # fmt: skip
used = st.dictionaries(st.text(min_size=1, max_size=2), st.integers(0, 2_000), min_size=1, max_size=6)
modes = st.sampled_from(TierMode)


def cost(size: int, *, before: int = 0, free: int = 0) -> Decimal:
    return total([each.cost for each in charges(PRICE, {"a": size}, mode=TierMode.AVERAGE, before=before, free=free)])


def by_tier(found: list[Charge[str]]) -> list[int]:
    return [sum(each.bytes for each in found if each.tier == tier) for tier in range(4)]


@given(used, modes, st.integers(0, 1_000), st.integers(0, 1_000))
def test_every_byte_is_in_one_tier(who: dict[str, int], mode: TierMode, before: int, free: int) -> None:
    found = charges(PRICE, who, mode=mode, before=before, free=free)
    by_user = {key: sum(each.bytes for each in found if each.key == key) for key in who}
    assert by_user == who
    whole = sum(who.values())
    together = charges(PRICE, {"x": whole}, mode=mode, before=before, free=free)
    assert by_tier(found) == by_tier(together)


@given(used, modes)
def test_parts_cost_what_the_whole_does(who: dict[str, int], mode: TierMode) -> None:
    assert total([each.cost for each in charges(PRICE, who, mode=mode)]) == cost(sum(who.values()))


@given(st.integers(0, 3_000), st.integers(1, 100))
def test_more_costs_more_and_without_a_jump(size: int, more: int) -> None:
    step = cost(size + more) - cost(size)
    assert Decimal("0.05") * more / 10 <= step <= Decimal("0.09") * more / 10


@given(st.integers(0, 900), st.integers(0, 900))
def test_what_was_used_before_is_of_the_first_tiers(before: int, size: int) -> None:
    assert cost(before) + cost(size, before=before) == cost(before + size)


def test_an_average_is_the_same_for_everybody() -> None:
    found = charges(PRICE, {"a": 100, "b": 100}, mode=TierMode.AVERAGE)
    assert [total([each.cost for each in found if each.key == key]) for key in ("a", "b")] == [Decimal("0.875")] * 2


def test_who_comes_first_fills_the_dear_tier() -> None:
    found = charges(PRICE, {"a": 100, "b": 100}, mode=TierMode.MARGINAL)
    assert {each.key: each.cost for each in found} == {"a": Decimal("0.9"), "b": Decimal("0.85")}


def test_who_used_nothing_pays_nothing_and_is_named() -> None:
    assert [(each.key, each.cost) for each in charges(PRICE, {"a": 0}, mode=TierMode.AVERAGE)] == [("a", Decimal(0))]


@given(st.integers(0, 5_000), used)
def test_a_pool_pays_nobody_more_than_was_used(pool: int, who: dict[str, int]) -> None:
    found = pool_shares(pool, who)
    assert sum(found.values()) == min(pool, sum(who.values()))
    assert all(0 <= found[key] <= size for key, size in who.items())
