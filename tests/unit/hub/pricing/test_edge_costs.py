"""Costs of edges, held against a pricer that goes row by row in fractions and knows nothing of the hub's."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.flows.model import MEASURES, NOBODY
from periplus_hub.pricing.built_in_books import built_in_books
from periplus_hub.pricing.engine.exact import total
from periplus_hub.pricing.engine.merged import merged
from periplus_hub.pricing.engine.paths import path_of
from periplus_hub.pricing.engine.periods import month_of, priced_times
from periplus_hub.pricing.engine.places import place_pairs
from periplus_hub.pricing.engine.pricing import Pricing, priced
from periplus_hub.pricing.model import ClusterPlace, CostGrouping, Costs, PathClass, Policy

GIB = 2**30
EAST, WEST, GOOGLE, LAB = (UUID(int=number) for number in (1, 2, 3, 4))
CLUSTERS = {
    EAST: ClusterPlace(provider="aws", account="a"),
    WEST: ClusterPlace(provider="aws", account="a"),
    GOOGLE: ClusterPlace(provider="gcp", account="p"),
    LAB: ClusterPlace(),
}
TEAMS = {(EAST, "shop"): "web", (WEST, "shop"): "web", (EAST, "pay"): "money", (GOOGLE, "shop"): "data"}
WHERE = {
    EAST: ("us-east-1", ("us-east-1a", "us-east-1b")),
    WEST: ("us-west-2", ("us-west-2a",)),
    GOOGLE: ("us-central1", ("us-central1-a", "us-central1-b")),
}
PRICING = Pricing(built_in_books(), date(2026, 10, 1), Policy.ENDPOINT_OWNER, CLUSTERS, TEAMS)
ALL = (1 << len(MEASURES)) - 1


class End(NamedTuple):
    registration: UUID
    namespace: str = "shop"
    kind: str = "Deployment"
    workload: str = "web"
    region: str = ""
    zone: str = ""


class Row(NamedTuple):
    src: End
    dst: End
    tx: int
    rx: int
    measured: int = ALL
    unmeasured: int = 0


def end(cluster: UUID, zone: int = 0, namespace: str = "shop") -> End:
    region, zones = WHERE[cluster]
    return End(cluster, namespace, region=region, zone=zones[zone % len(zones)])


INTERNET = End(NOBODY, "", "external", "203.0.113.0/24")
HOST = End(NOBODY, "", "external", "api.example.com")
STRANGER = End(NOBODY, "", "address", "10.9.9.9")
SEVERAL = End(NOBODY, "", "ambiguous", "")


def table(rows: list[Row]) -> pa.Table:
    columns: dict[str, Any] = {}
    for side in ("src", "dst"):
        ends: list[End] = [getattr(row, side) for row in rows]
        columns[f"{side}_registration"] = pa.array([each.registration.bytes for each in ends], pa.binary(16))
        for part in ("namespace", "kind", "workload", "region", "zone"):
            columns[f"{side}_{part}"] = pa.array([getattr(each, part) for each in ends], pa.string())
    columns["bytes_tx"] = pa.array([row.tx for row in rows], pa.uint64())
    columns["bytes_rx"] = pa.array([row.rx for row in rows], pa.uint64())
    for name in ("measured", "unmeasured"):
        columns[name] = pa.array([getattr(row, name) for row in rows], pa.uint16())
    return pa.table(columns)


def costs(rows: list[Row], by: CostGrouping = CostGrouping.TEAM, *, month: list[Row] | None = None) -> Costs:
    return priced(table(rows), table(rows if month is None else month), by, PRICING)


ends = st.one_of(
    st.builds(end, st.sampled_from([*WHERE]), st.integers(0, 1), st.sampled_from(["shop", "pay"])),
    st.sampled_from([INTERNET, STRANGER, SEVERAL, HOST]),
)
anywhere = st.one_of(
    ends,
    st.builds(
        lambda cluster, region, zone: End(cluster, region=region, zone=zone),
        st.sampled_from([*WHERE, LAB]),
        st.sampled_from(["", "us-east-1", "us-central1"]),
        st.sampled_from(["", "us-east-1a", "us-east-1b"]),
    ),
)
"""Also where nobody can tell."""
sizes = st.integers(0, 2**44)
rows_of_fleets = st.lists(
    st.tuples(ends, ends, sizes, sizes)
    .filter(lambda each: {each[0], each[1]} != {INTERNET})
    .map(lambda each: Row(*each)),
    max_size=12,
)


def blended(bytes_: int, tiers: list[tuple[int | None, Fraction]], free: int = 0) -> Fraction:
    """What a byte costs of so many, by bands in GiB."""
    left, cost = max(0, bytes_ - free * GIB), Fraction(0)
    for size, price in tiers:
        part = left if size is None else min(left, size * GIB)
        cost += Fraction(part, GIB) * price
        left -= part
    return cost / bytes_ if bytes_ else Fraction(0)


def cents(text: str) -> Fraction:
    return Fraction(text)


class Brute:
    """Row by row."""

    def __init__(self, rows: list[Row]) -> None:
        self.sums: dict[str, Fraction] = {}
        directed = [(row.src, row.dst, row.tx) for row in rows] + [(row.dst, row.src, row.rx) for row in rows]
        out = {
            provider: sum(size for a, b, size in directed if self._leaves(a, b, provider))
            for provider in ("aws", "gcp")
        }
        aws = blended(
            out["aws"],
            [(10240, cents("0.09")), (40960, cents("0.085")), (102400, cents("0.07")), (None, cents("0.05"))],
            100,
        )
        gcp = blended(
            out["gcp"], [(1, cents("0")), (1023, cents("0.12")), (9216, cents("0.11")), (None, cents("0.08"))]
        )
        for a, b, size in directed:
            self._price(a, b, size, {"aws": aws, "gcp": gcp})

    @staticmethod
    def _provider(each: End) -> str:
        known = CLUSTERS.get(each.registration)
        return known.provider if known else ""

    def _leaves(self, a: End, b: End, provider: str) -> bool:
        """Whether it is charged as going out to the internet."""
        return self._provider(a) == provider and (b == INTERNET or self._provider(b) not in {"", provider})

    def _pay(self, who: End, cost: Fraction) -> None:
        team = TEAMS.get((who.registration, who.namespace), "unallocated")
        self.sums[team] = self.sums.get(team, Fraction(0)) + cost

    def _price(self, a: End, b: End, size: int, out: dict[str, Fraction]) -> None:
        ours, theirs = self._provider(a), self._provider(b)
        if not ours or (not theirs and b != INTERNET):
            return
        gib = Fraction(size, GIB)
        if self._leaves(a, b, ours):
            self._pay(a, size * out[ours])
        elif a.region != b.region:
            self._pay(a, gib * cents("0.02"))
        elif a.zone != b.zone:
            self._pay(a, gib * cents("0.01"))
            if ours == "aws":
                self._pay(b, gib * cents("0.01"))


@given(rows_of_fleets)
def test_costs_are_what_a_pricer_by_rows_finds(rows: list[Row]) -> None:
    found = costs(rows)
    expected = Brute(rows)
    # Tiers are of whole bytes: of each price and tier a group may have one byte more or less.
    assert abs(Fraction(found.total) - sum(expected.sums.values(), Fraction(0))) < Fraction(1, 10**6)
    got = {group.key[0]: Fraction(group.cost) for group in found.groups}
    for team in {*got, *expected.sums}:
        assert abs(got.get(team, Fraction(0)) - expected.sums.get(team, Fraction(0))) < Fraction(1, 10**6)


@given(rows_of_fleets, st.sampled_from(CostGrouping), st.randoms())
def test_every_grouping_adds_up_and_order_changes_nothing(rows: list[Row], by: CostGrouping, random: Any) -> None:
    found = costs(rows, by)
    assert found.total == total([group.cost for group in found.groups])
    assert found.total == total([line.cost for group in found.groups for line in group.lines])
    assert found.total == costs(rows).total
    for line in (line for group in found.groups for line in group.lines):
        assert line.quantity * line.price.unit_bytes == line.bytes
        assert Fraction(line.quantity) * Fraction(line.unit_price) == Fraction(line.cost)
    shuffled = random.sample(rows, len(rows))
    assert {group.key: group.cost for group in costs(shuffled, by).groups} == {
        group.key: group.cost for group in found.groups
    }


@given(rows_of_fleets)
def test_bytes_of_nobody_known_are_told(rows: list[Row]) -> None:
    found = costs(rows, CostGrouping.PATH_CLASS)
    unpriced = [each for group in found.groups for each in group.unpriced if each.path_class is PathClass.UNKNOWN]
    unclear = [row for row in rows if {row.src, row.dst} & {STRANGER, SEVERAL, HOST}]
    assert sum(each.bytes for each in unpriced) == sum(row.tx + row.rx for row in unclear)


@given(st.lists(st.tuples(anywhere, anywhere), max_size=20))
def test_a_pair_of_places_stands_for_what_is_alike(pairs: list[tuple[End, End]]) -> None:
    found = place_pairs(table([Row(src, dst, 0, 0) for src, dst in pairs]), CLUSTERS)
    for (src, dst), number in zip(pairs, found.pair.tolist(), strict=True):
        alone = place_pairs(table([Row(src, dst, 0, 0)]), CLUSTERS).traffic[0]
        stands = found.traffic[number]
        assert path_of(stands) is path_of(alone)
        for end_ in ("initiator", "acceptor"):
            here, there = getattr(stands, end_), getattr(alone, end_)
            assert (here.where, here.provider, here.region) == (there.where, there.provider, there.region)


def test_both_ends_pay_where_both_are_charged() -> None:
    found = costs([Row(end(EAST, 0), end(EAST, 1, "pay"), 1024 * GIB, 0)])
    assert {group.key: str(group.cost.normalize()) for group in found.groups} == {
        ("web",): "10.24",
        ("money",): "10.24",
    }


@pytest.mark.parametrize(
    ("policy", "payers"),
    [
        (Policy.ENDPOINT_OWNER, {"web": "10.24", "money": "10.24"}),
        (Policy.INITIATOR_PAYS, {"money": "20.48"}),
        (Policy.SENDER_PAYS, {"web": "20.48"}),
    ],
)
def test_who_pays_is_said_by_the_policy(policy: Policy, payers: dict[str, str]) -> None:
    rows = table([Row(end(EAST, 1, "pay"), end(EAST, 0), 0, 1024 * GIB)])
    found = priced(rows, rows, CostGrouping.TEAM, replace(PRICING, policy=policy))
    assert {group.key[0]: str(group.cost.normalize()) for group in found.groups if group.cost} == payers


def test_what_is_unknown_is_no_money_and_is_told() -> None:
    found = costs([Row(end(EAST), STRANGER, 5, 7), Row(end(EAST), HOST, 1, 0)], CostGrouping.PATH_CLASS)
    assert found.total == 0
    assert [(each.path_class, each.bytes, each.why) for each in found.groups[0].unpriced] == [
        (PathClass.UNKNOWN, 13, "it is not known where an end is")
    ]


def test_a_cluster_without_a_provider_has_no_price() -> None:
    lab = End(LAB, region="lab", zone="lab")
    [group] = costs([Row(lab, lab, 5, 0)]).groups
    assert [each.why for each in group.unpriced] == ["the provider of an end is not known"]


def test_a_cluster_that_is_in_one_region_is_there_before_its_nodes_are_known() -> None:
    places = CLUSTERS | {
        EAST: replace(CLUSTERS[EAST], region="us-east-1"),
        WEST: replace(CLUSTERS[WEST], region="us-west-2"),
    }
    rows = table([Row(End(EAST), End(WEST), 100 * GIB, 0), Row(End(EAST), End(EAST), 5, 0)])
    found = priced(rows, rows, CostGrouping.REGION_PAIR, replace(PRICING, clusters=places))
    assert {group.key: str(group.cost.normalize()) for group in found.groups} == {
        ("us-east-1", "us-west-2"): "2",
        ("us-east-1", "us-east-1"): "0",
    }
    # In which zone they were is not known still.
    assert [each.bytes for group in found.groups for each in group.unpriced] == [5]


def test_what_was_not_measured_is_not_nothing() -> None:
    [group] = costs([Row(end(EAST), end(EAST), 0, 0, 0, ALL)]).groups
    assert group.is_part_unmeasured


def test_tiers_are_of_the_month() -> None:
    part = [Row(end(EAST), INTERNET, 100 * GIB, 0)]
    month = [Row(end(EAST), INTERNET, 1100 * GIB, 0)]
    assert costs(part).total == 0
    # Of 1,100 GiB 100 are free: a tenth of the asked hundred is not ten, but 100 / 1,100 of them.
    found = costs(part, month=month).total
    assert abs(found - Decimal(100) * 1000 / 1100 * Decimal("0.09")) < Decimal("0.000001")


def test_months_are_priced_apart_and_added_up() -> None:
    since, until = datetime(2026, 9, 30, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    times = list(priced_times(since, until, datetime(2026, 11, 15, tzinfo=UTC), built_in_books()))
    assert [(each.since.day, each.month_since.month, each.month_until) for each in times] == [
        (30, 9, datetime(2026, 10, 1, tzinfo=UTC)),
        (1, 10, datetime(2026, 11, 1, tzinfo=UTC)),
        (1, 11, datetime(2026, 11, 15, tzinfo=UTC)),
    ]
    one = costs([Row(end(EAST), INTERNET, 200 * GIB, 0)])
    both = merged([one, one])
    assert both.total == 2 * one.total
    assert [line.bytes for group in both.groups for line in group.lines] == [
        2 * line.bytes for group in one.groups for line in group.lines
    ]


def test_a_month_begins_in_utc() -> None:
    assert month_of(datetime.fromisoformat("2026-11-01T00:30:00+02:00")) == datetime(2026, 10, 1, tzinfo=UTC)
