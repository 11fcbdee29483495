"""Two clusters compared: what looking at every pair would say, counted whole and paged in order."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.severity import pair_severity
from periplus_hub.addresses.overlaps.engine.two_clusters import End, Pair, PairKey, PairView
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.overlaps.model import SEVERITIES, Relation, Severity
from periplus_hub.addresses.prefixes.prefix import Prefix, parse

from tests.support.prefix_columns import prefix_columns

ROOTS = ("10.0.0.0/28", "fd00::/124")


def _prefix(root: str, bits: int, length: int) -> Prefix:
    base = parse(root)
    value = base.value | bits << (128 - base.length - 4)
    longer = base.length + length
    return Prefix(base.family, value >> (128 - longer) << (128 - longer), longer)


prefixes = st.builds(_prefix, st.sampled_from(ROOTS), st.integers(0, 15), st.integers(0, 4))
sets = st.sets(st.builds(End, prefixes, st.sampled_from(USES), st.integers(0, 2)), max_size=14)
accepted = st.sampled_from([(), (parse(ROOTS[0]),), tuple(map(parse, ROOTS)), (_prefix(ROOTS[0], 4, 2),)])


def columns(ends: set[End]) -> ClusterColumns:
    ordered = list(ends)
    uses = np.array([USES.index(end.use) for end in ordered], dtype=np.uint8)
    nodes = np.array([end.node for end in ordered], dtype=np.int64)
    return ClusterColumns(prefix_columns([end.prefix for end in ordered]), uses, nodes)


def oracle(a: set[End], b: set[End], relation: Relation, roots: tuple[Prefix, ...]) -> dict[tuple[End, End], Severity]:
    found = {}
    for one, other in product(a, b):
        if one.prefix.covers(other.prefix) or other.prefix.covers(one.prefix):
            around = [end.prefix for end in a | b if end.prefix.covers(one.prefix) and end.prefix.covers(other.prefix)]
            held = min(around, key=lambda prefix: prefix.length) in roots
            severity = pair_severity(relation, one.use, other.use)
            if severity is not None:
                found[one, other] = Severity.INTENDED if held else severity
    return found


def pages(view: PairView, first: int, *severities: Severity) -> list[Pair]:
    found: list[Pair] = []
    after: PairKey | None = None
    more = True
    while more:
        some, more = view.page(first, after, severities)
        assert len(some) == first or not more
        found += some
        after = found[-1].key if found else None
    return found


def shown(pair: Pair) -> tuple[tuple[End, End], Severity]:
    return (pair.a, pair.b), Severity.INTENDED if pair.accepted else pair.severity


@given(sets, sets, st.sampled_from(Relation), accepted, st.integers(1, 9))
def test_pairs_are_those_of_the_oracle(
    a: set[End], b: set[End], relation: Relation, roots: tuple[Prefix, ...], first: int
) -> None:
    view = PairView((columns(a), columns(b)), relation, roots)
    expected = oracle(a, b, relation, roots)
    assert view.counts == {each: sum(found is each for found in expected.values()) for each in SEVERITIES}
    found = pages(view, first)
    assert len(found) == len(expected)
    assert dict(map(shown, found)) == expected
    assert [pair.key for pair in found] == sorted(pair.key for pair in found)
    assert all(pair.cidr == max(pair.a.prefix, pair.b.prefix, key=lambda each: each.length) for pair in found)
    for severity in SEVERITIES:
        assert [shown(pair)[1] for pair in pages(view, first, severity)] == [severity] * view.counts[severity]


@given(sets, sets, st.data())
def test_a_page_goes_on_behind_a_pair_that_is_gone(a: set[End], b: set[End], data: st.DataObject) -> None:
    before = pages(PairView((columns(a), columns(b)), Relation.SAME, ()), 100)
    if not before:
        return
    mark = data.draw(st.sampled_from(before))
    view = PairView((columns(a), columns(b - {mark.b})), Relation.SAME, ())
    rest, _ = view.page(1_000, mark.key, ())
    assert [pair.key for pair in rest] == [pair.key for pair in pages(view, 100) if pair.key > mark.key]


def test_the_worst_stand_first_and_pages_are_cut_anywhere() -> None:
    a = {End(parse("10.0.0.0/8"), Use.SERVICE, 0), End(parse("192.168.0.0/24"), Use.POD, 0)}
    pods = {End(parse(f"10.1.{number}.0/24"), Use.POD, 0) for number in range(200)}
    services = {End(parse("10.9.0.0/16"), Use.SERVICE, 0), End(parse("192.168.0.7/32"), Use.NODE, 0)}
    view = PairView((columns(a), columns(pods | services)), Relation.SAME, ())
    assert view.counts[Severity.CONFLICT] == 201
    assert view.counts[Severity.BLOCKS_FEDERATION] == 1
    assert pages(view, 7) == pages(view, 1_000)
    assert view.page(1_000, None, ())[0][-1].severity is Severity.BLOCKS_FEDERATION


@pytest.mark.parametrize("sides", [(set(), set()), ({End(parse("10.0.0.0/8"), Use.POD, 0)}, set())])
def test_nothing_overlaps_nothing(sides: tuple[set[End], set[End]]) -> None:
    view = PairView((columns(sides[0]), columns(sides[1])), Relation.FLAT, ())
    assert (sum(view.counts.values()), view.page(10, None, ())) == (0, ([], False))
