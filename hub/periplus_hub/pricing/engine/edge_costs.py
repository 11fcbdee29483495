"""What edges cost, added up by group: legs in columns, money on what is left of them. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import Flags, Ints, numbers
from periplus_hub.flows.model import MEASURES
from periplus_hub.pricing.engine.attribution import pays_at_initiator
from periplus_hub.pricing.engine.exact import total
from periplus_hub.pricing.engine.legs import Prices
from periplus_hub.pricing.engine.paths import path_of
from periplus_hub.pricing.engine.places import PlacePairs
from periplus_hub.pricing.engine.tiers import charges, pool_shares
from periplus_hub.pricing.model import (
    CostLine,
    Costs,
    GroupCosts,
    PathClass,
    Policy,
    Price,
    PriceBook,
    TierMode,
    UnpricedBytes,
)

_BYTES: Final = tuple(1 << MEASURES.index(name) for name in ("bytes_tx", "bytes_rx"))
_NO_PRICE: Final = "no price book has a price of it"

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """Which group pays for each row: the initiator's where it pays, else the acceptor's. Of pairs both are one."""

    keys: Sequence[Key]
    initiator: Ints
    acceptor: Ints


@dataclass(frozen=True, slots=True)
class _Part:
    """One leg, or what has no price, of all rows of a pair of places."""

    pair: int
    path_class: PathClass
    is_sent: bool
    is_paid_at_initiator: bool
    price: Price | None
    why: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Legs:
    """Bytes of each group by path class and price; and those without a price."""

    priced: Mapping[tuple[int, PathClass, Price], int]
    unpriced: Mapping[tuple[int, PathClass, str, str], int]
    unmeasured: frozenset[int]
    """Groups of which bytes are missing: nobody could count them."""


def legs_of(rows: pa.Table, pairs: PlacePairs, groups: Groups, prices: Prices, policy: Policy) -> Legs:
    """Of rows with bytes_tx, bytes_rx, measured and unmeasured; both reporters are merged in them already."""
    parts = _parts(pairs, prices, policy)
    first = np.searchsorted([part.pair for part in parts], np.arange(len(pairs.traffic) + 1))
    count = np.diff(first)[pairs.pair]
    row = np.repeat(np.arange(rows.num_rows), count)
    part = np.repeat(first[pairs.pair], count) + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    is_sent = np.array([each.is_sent for each in parts], dtype=np.bool_)[part]
    at_initiator = np.array([each.is_paid_at_initiator for each in parts], dtype=np.bool_)[part]
    sizes = np.where(is_sent, numbers(rows.column("bytes_tx"))[row], numbers(rows.column("bytes_rx"))[row])
    group = np.where(at_initiator, groups.initiator[row], groups.acceptor[row])
    combined, place = np.unique(group * (len(parts) + 1) + part, return_inverse=True)
    summed = np.zeros(len(combined), dtype=np.int64)
    np.add.at(summed, place, sizes)
    priced: dict[tuple[int, PathClass, Price], int] = defaultdict(int)
    unpriced: dict[tuple[int, PathClass, str, str], int] = defaultdict(int)
    for key, size in zip(combined.tolist(), summed.tolist(), strict=True):
        whose, said = divmod(key, len(parts) + 1)
        each = parts[said]
        if each.price is not None:
            priced[whose, each.path_class, each.price] += size
        elif size:
            unpriced[whose, each.path_class, each.provider, each.why] += size
    missing = _missing(rows)[row]
    return Legs(priced, unpriced, frozenset(np.unique(group[missing]).tolist()))


def _missing(rows: pa.Table) -> Flags:
    """Rows of which some bytes were not measured."""
    unmeasured, measured = (numbers(rows.column(name)) for name in ("unmeasured", "measured"))
    both = _BYTES[0] | _BYTES[1]
    found: Flags = ((unmeasured & both) != 0) | ((measured & both) != both)
    return found


def _parts(pairs: PlacePairs, prices: Prices, policy: Policy) -> Sequence[_Part]:
    """Of all pairs, in their order. What is of no known class has no price in either direction."""
    found: list[_Part] = []
    for number, traffic in enumerate(pairs.traffic):
        rule = path_of(traffic)
        if rule.path_class is PathClass.UNKNOWN:
            found += [
                _Part(number, rule.path_class, is_sent, is_sent or policy is Policy.INITIATOR_PAYS, None, rule.evidence)
                for is_sent in (True, False)
            ]
            continue
        legs, without = prices.legs(traffic, rule.path_class)
        found += [
            _Part(number, rule.path_class, leg.is_sent_by_initiator, pays_at_initiator(leg, policy), leg.price)
            for leg in legs
        ]
        found += [
            _Part(
                *(number, each.path_class, each.is_sent_by_initiator, pays_at_initiator(each, policy), None),
                why=_NO_PRICE,
                provider=each.provider,
            )
            for each in without
        ]
    return found


def month_bytes(legs: Legs) -> dict[Price, int]:
    """All bytes of each price."""
    found: dict[Price, int] = defaultdict(int)
    for (_, _, price), size in legs.priced.items():
        found[price] += size
    return dict(found)


def costs_of(legs: Legs, keys: Sequence[Key], books: Sequence[PriceBook], of_month: Mapping[Price, int]) -> Costs:
    """What groups pay of the legs of a part of a month, in which `of_month` bytes passed in all.

    Tiers are averaged: every byte of the month has the same share of each. Free pools are shared alike.
    """
    lines: dict[int, list[CostLine]] = defaultdict(list)
    number = {key: group for group, key in enumerate(keys)}
    for price, used in _by_price(legs, keys).items():
        rest = of_month.get(price, 0) - sum(used.values())
        asked = {**used, None: rest} if rest > 0 else dict(used)
        free = _free(price, books, of_month)
        for charge in charges(price, asked, mode=TierMode.AVERAGE, free=free):
            if charge.key is not None:
                key, path_class = charge.key
                lines[number[key]].append(
                    CostLine(
                        path_class=path_class,
                        price=price,
                        tier=charge.tier,
                        bytes=charge.bytes,
                        quantity=charge.quantity,
                        unit_price=charge.unit_price,
                        cost=charge.cost,
                    )
                )
    unpriced: dict[int, list[UnpricedBytes]] = defaultdict(list)
    for (group, path_class, provider, why), size in legs.unpriced.items():
        unpriced[group].append(UnpricedBytes(path_class=path_class, provider=provider, why=why, bytes=size))
    found = [
        GroupCosts(
            key=keys[group],
            cost=total([line.cost for line in lines[group]]),
            lines=tuple(sorted(lines[group], key=_order)),
            unpriced=tuple(sorted(unpriced[group], key=lambda each: (-each.bytes, each.path_class.value))),
            is_part_unmeasured=group in legs.unmeasured,
        )
        for group in sorted({*lines, *unpriced, *legs.unmeasured})
    ]
    return Costs(
        total=total([each.cost for each in found]),
        currency=_currency(books),
        groups=tuple(sorted(found, key=lambda each: (-each.cost, each.key))),
        books=tuple(sorted({line.price.book for each in lines.values() for line in each})),
    )


def _order(line: CostLine) -> tuple[Decimal, str, str, int]:
    return -line.cost, line.path_class.value, line.price.sku, line.tier


def _by_price(legs: Legs, keys: Sequence[Key]) -> Mapping[Price, dict[tuple[Key, PathClass] | None, int]]:
    """By the names of groups: where a byte may be of one or the other, these decide, and not the order of rows."""
    found: dict[Price, dict[tuple[Key, PathClass] | None, int]] = defaultdict(dict)
    for (group, path_class, price), size in legs.priced.items():
        found[price][keys[group], path_class] = size
    return found


def _free(price: Price, books: Sequence[PriceBook], of_month: Mapping[Price, int]) -> int:
    """How many bytes of this price its free pool pays for."""
    pools = [book.free_pools[price.free_pool] for book in books if _is_of(book, price) and price.free_pool is not None]
    if not pools:
        return 0
    mine = {
        _named(each): size
        for each, size in of_month.items()
        if (each.provider, each.free_pool) == (price.provider, price.free_pool)
    }
    return pool_shares(int(pools[0].quantity * pools[0].unit_bytes), mine).get(_named(price), 0)


def _named(price: Price) -> tuple[str, ...]:
    """What tells it from others, in the same words at any time."""
    return price.book, price.sku, price.meter.value, f"{price.line:09}"


def _is_of(book: PriceBook, price: Price) -> bool:
    return book.provider == price.provider and price.free_pool in book.free_pools


def _currency(books: Sequence[PriceBook]) -> str:
    return next((book.currency for book in books), "USD")
