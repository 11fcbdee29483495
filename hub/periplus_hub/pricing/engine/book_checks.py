"""What has to be true of the rows of a price book together. Pure."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import pairwise, product
from typing import TypeAlias

from periplus_hub.pricing.engine.book_rows import BookError
from periplus_hub.pricing.model import FixedPrice, Price

_Dated: TypeAlias = Price | FixedPrice


def check(prices: Sequence[Price], fixed: Sequence[FixedPrice], pools: Collection[str]) -> None:
    """Raises BookError where two prices hold at once, none holds between two, or a pool is not there."""
    dated: dict[tuple[object, ...], list[_Dated]] = defaultdict(list)
    for price in prices:
        if price.free_pool is not None and price.free_pool not in pools:
            raise BookError(price.line, f"there is no [[free_pool]] named {price.free_pool!r}")
        for path_class, region, peer in product(price.path_classes, price.regions, price.peers):
            dated[price.sku, price.meter, path_class, region, peer].append(price)
    for each in fixed:
        for region in each.regions:
            dated[each.sku, each.resource, region].append(each)
    for rows in dated.values():
        _one_at_a_time(rows)


def _one_at_a_time(rows: Sequence[_Dated]) -> None:
    for before, after in pairwise(sorted(rows, key=lambda row: (row.valid_from, row.line))):
        if before.valid_until is None or before.valid_until > after.valid_from:
            raise BookError(
                after.line,
                f"{after.sku} has two prices on {after.valid_from} for the same traffic: this one and that of line "
                f"{before.line}; let that one end with valid_until",
            )
        if before.valid_until < after.valid_from:
            raise BookError(
                after.line,
                f"{after.sku} has no price from {before.valid_until} to {after.valid_from}: line {before.line} ends "
                "before this one begins",
            )
