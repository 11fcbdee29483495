"""Ranges in the way of a rule: what looking at every pair of rows of two clusters would say."""

from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.federations import APART, Apart, Stop, stop_of
from periplus_hub.addresses.overlaps.engine.uses import USES, Use, kinds_of
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.addresses.preflight.engine.collisions import MOST_RANGES, AllRows, Collisions

from tests.support.prefix_columns import prefix_columns

RULES = sorted({rule for rules in APART.values() for rule in rules}, key=lambda rule: (rule.id, rule.asks))
PODS_DIFFER = next(rule for rule in APART[FederationTarget.LINKERD_FLAT] if rule.id == "pods-differ")
ROOTS = ("10.0.0.0/28", "fd00::/124")


class Row(NamedTuple):
    owner: int
    prefix: Prefix
    use: Use


def _prefix(root: str, bits: int, length: int) -> Prefix:
    base = parse(root)
    longer = base.length + length
    value = base.value | bits << (128 - base.length - 4)
    return Prefix(base.family, value >> (128 - longer) << (128 - longer), longer)


prefixes = st.builds(_prefix, st.sampled_from(ROOTS), st.integers(0, 15), st.integers(0, 4))
fleets = st.lists(st.sets(st.tuples(prefixes, st.sampled_from(USES)), max_size=6), min_size=1, max_size=5)


def columns(rows: "set[tuple[Prefix, Use]]") -> ClusterColumns:
    ordered = list(rows)
    uses = np.array([USES.index(use) for _, use in ordered], dtype=np.uint8)
    return ClusterColumns(
        prefix_columns([prefix for prefix, _ in ordered]), uses, np.zeros(len(ordered), dtype=np.int64)
    )


def oracle(rows: list[Row], rule: Apart, least: Stop) -> dict[Prefix, dict[int, tuple[AllocationKind, ...]]]:
    """The outermost of all rows that take part in a pair, with what takes part inside."""
    hit: set[Row] = set()
    for a, b in combinations(rows, 2):
        touch = a.prefix.covers(b.prefix) or b.prefix.covers(a.prefix)
        if a.owner != b.owner and touch and stop_of(rule, a.use, b.use) >= least:
            hit |= {a, b}
    outermost = {
        row.prefix for row in hit if not any(o.prefix != row.prefix and o.prefix.covers(row.prefix) for o in hit)
    }
    return {
        top: {
            owner: kinds_of(row.use for row in hit if row.owner == owner and top.covers(row.prefix))
            for owner in {row.owner for row in hit if top.covers(row.prefix)}
        }
        for top in outermost
    }


def shown(found: Collisions) -> dict[Prefix, dict[int, tuple[AllocationKind, ...]]]:
    return {each.prefix: dict(each.owners) for each in found.ranges}


@given(fleets, st.sampled_from(RULES))
def test_ranges_in_the_way_are_those_of_the_oracle(fleet: "list[set[tuple[Prefix, Use]]]", rule: Apart) -> None:
    rows = [Row(owner, *row) for owner, cluster in enumerate(fleet) for row in cluster]
    all_rows = AllRows([columns(cluster) for cluster in fleet])
    for found, least in ((all_rows.surely(rule), Stop.YES), (all_rows.perhaps(rule), Stop.PERHAPS)):
        expected = oracle(rows, rule, least)
        assert found.total == len(expected)
        if found.total <= MOST_RANGES:
            assert shown(found) == expected
        owners = [len(each.owners) for each in found.ranges]
        assert owners == sorted(owners, reverse=True)


@given(fleets, st.lists(prefixes, max_size=5))
def test_what_touches_a_range_is_what_lies_in_it_or_around_it(
    fleet: "list[set[tuple[Prefix, Use]]]", ranges: list[Prefix]
) -> None:
    found = AllRows([columns(cluster) for cluster in fleet]).touching(ranges)
    told = set(zip(found.range.tolist(), found.owner.tolist(), found.use.tolist(), strict=True))
    assert len(told) == len(found.range)
    expected = {
        (number, owner, USES.index(use))
        for number, range_ in enumerate(ranges)
        for owner, cluster in enumerate(fleet)
        for prefix, use in cluster
        if range_.covers(prefix) or prefix.covers(range_)
    }
    assert told == expected


def test_nobody_collides_with_nobody() -> None:
    assert AllRows([columns(set()), columns(set())]).surely(RULES[0]) == Collisions()


def test_of_many_ranges_those_of_most_clusters_are_told_and_all_are_counted() -> None:
    pods = [parse(f"10.{number}.0.0/16") for number in range(30)]
    everywhere = parse("172.16.0.0/16")
    rule = PODS_DIFFER
    fleet = [{(each, Use.POD) for each in pods}, {(each, Use.POD) for each in [*pods, everywhere]}]
    fleet += [{(everywhere, Use.POD)}, {(everywhere, Use.POD)}]
    found = AllRows([columns(cluster) for cluster in fleet]).surely(rule)
    assert (found.total, len(found.ranges)) == (31, MOST_RANGES)
    assert (found.ranges[0].prefix, len(found.ranges[0].owners)) == (everywhere, 3)


def test_a_thousand_clusters_on_one_default_are_one_range() -> None:
    rule = PODS_DIFFER
    nodes = [parse(f"10.244.{number}.0/24") for number in range(50)]
    default = {(parse("10.244.0.0/16"), Use.POD), *product(nodes, [Use.POD])}
    (found,) = AllRows([columns(default)] * 1_000).surely(rule).ranges
    assert (str(found.prefix), len(found.owners)) == ("10.244.0.0/16", 1_000)
