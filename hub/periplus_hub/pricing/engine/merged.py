"""Costs of several times together. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from periplus_hub.pricing.engine.exact import total
from periplus_hub.pricing.model import CostLine, Costs, GroupCosts, UnpricedBytes


def merged(costs: Sequence[Costs]) -> Costs:
    """Of the same groups the sums; of lines those of one price and tier are one. Not of no costs at all."""
    if len(costs) == 1:
        return costs[0]
    everything = sorted((group for each in costs for group in each.groups), key=lambda group: group.key)
    groups = [_group(key, list(same)) for key, same in groupby(everything, key=lambda group: group.key)]
    return Costs(
        total=total([each.total for each in costs]),
        currency=costs[0].currency,
        groups=tuple(sorted(groups, key=lambda each: (-each.cost, each.key))),
        books=tuple(sorted({book for each in costs for book in each.books})),
    )


def _group(key: tuple[str, ...], same: Sequence[GroupCosts]) -> GroupCosts:
    return GroupCosts(
        key=key,
        cost=total([each.cost for each in same]),
        lines=_lines([line for each in same for line in each.lines]),
        unpriced=_unpriced([one for each in same for one in each.unpriced]),
        is_part_unmeasured=any(each.is_part_unmeasured for each in same),
    )


def _lines(lines: Sequence[CostLine]) -> tuple[CostLine, ...]:
    found: dict[object, CostLine] = {}
    for line in lines:
        key = line.path_class, line.price, line.tier
        before = found.get(key)
        found[key] = line if before is None else _both(before, line)
    return tuple(
        sorted(found.values(), key=lambda line: (-line.cost, line.path_class.value, line.price.sku, line.tier))
    )


def _both(a: CostLine, b: CostLine) -> CostLine:
    return replace(a, bytes=a.bytes + b.bytes, quantity=total([a.quantity, b.quantity]), cost=total([a.cost, b.cost]))


def _unpriced(each: Sequence[UnpricedBytes]) -> tuple[UnpricedBytes, ...]:
    found: dict[object, UnpricedBytes] = {}
    for one in each:
        key = one.path_class, one.provider, one.why
        before = found.get(key)
        found[key] = one if before is None else replace(one, bytes=one.bytes + before.bytes)
    return tuple(sorted(found.values(), key=lambda one: (-one.bytes, one.path_class.value)))
