"""Links between clusters, regions or zones: what passed between two, each way, whoever opened connections. Pure.

What has no known zone is one place, which may be any: what stays in it is a link, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from periplus_hub.dependencies.engine.ends import LOCAL_PARTS, PARTS, Ends, ends_of
from periplus_hub.dependencies.engine.graph import Numbers, Totals
from periplus_hub.dependencies.engine.sums import Rows, added, is_known, rows_of, strongest, totals, totals_by_verdict
from periplus_hub.dependencies.model import NOT_ARRIVED, EdgeState, LinkLevel
from periplus_hub.flows.engine.columns import Flags, Ints
from periplus_hub.flows.model_kinds import UNRESOLVED

NAMED_BY_PROVIDER: Final = frozenset({"aws", "azure", "digitalocean", "equinix", "gcp", "hetzner", "ibm", "oracle"})
"""Providers with names of regions and zones that mean the same in all their clusters. Others are named where they are
installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPlace:
    """A cluster, a region or a zone. One without anything is where it is not known."""

    registration_id: UUID | None = None
    """The cluster that it is, or that alone its names hold in."""
    provider: str = ""
    region: str = ""
    zone: str = ""


NOT_KNOWN: Final = LinkPlace()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLink:
    """Two places, of which `a` is first by name, of clusters by id. None is not known."""

    a: LinkPlace
    b: LinkPlace
    bytes_a_to_b: int | None
    bytes_b_to_a: int | None
    packets_a_to_b: int | None
    packets_b_to_a: int | None
    connections_by_a: int | None
    connections_by_b: int | None
    failures: int | None
    retransmits: int | None
    rtt_us: float | None
    dropped_bytes: int | None
    """Both ways, sent and not arrived. Never 0 because nobody tells of any: hardly a source sees what is dropped."""
    is_part_unmeasured: bool
    state: EdgeState
    last_seen: datetime

    @property
    def retransmit_ratio(self) -> float | None:
        """Of the packets both ways, where both are counted."""
        if self.retransmits is None or self.packets_a_to_b is None or self.packets_b_to_a is None:
            return None
        packets = self.packets_a_to_b + self.packets_b_to_a
        return self.retransmits / packets if packets else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLinks:
    """The heaviest, how many there are, and what may have crossed without it being known."""

    links: tuple[ClusterLink, ...]
    count: int
    unresolved: Totals


@dataclass(frozen=True, slots=True)
class _Links:
    """Rows that cross, by their link."""

    rows: Rows
    of_row: Ints
    """-1 where a row is of none."""
    count: int
    forward: Flags
    """Whether the first cluster opened the connections."""

    def each(self, forward: str, backward: str, mine: Flags) -> Numbers:
        """Of each link the sum of one measure of rows in one direction and of the other in the other.

        Where no row is `mine`, nothing passed: 0. Where rows are, and none of them tells, it is not known.
        """
        values = np.where(self.forward, self.rows.sums[forward], self.rows.sums[backward])
        told = np.where(self.forward, is_known(self.rows.known, (forward,)), is_known(self.rows.known, (backward,)))
        is_mine = (self.of_row >= 0) & mine
        at = np.flatnonzero(is_mine & told)
        summed = added(values[at], self.of_row[at], self.count).tolist()
        silent = np.bincount(self.of_row[at], minlength=self.count) == 0
        silent &= np.bincount(self.of_row[is_mine], minlength=self.count) > 0
        return [None if is_silent else value for value, is_silent in zip(summed, silent.tolist(), strict=True)]


def cluster_links(
    table: pa.Table, most: int, by: LinkLevel = LinkLevel.CLUSTER, providers: Mapping[UUID, str] | None = None
) -> ClusterLinks:
    """Of all edges between clusters, or their regions or zones, as `repository_graph.rows` finds them.

    `providers` are those of clusters. The heaviest come first.
    """
    rows = rows_of(table)
    ends = ends_of(table, PARTS if by is LinkLevel.CLUSTER else LOCAL_PARTS)
    places, place_of = _places(ends, by, providers or {})
    src, dst = place_of[ends.src], place_of[ends.dst]
    may_cross = np.array([each == NOT_KNOWN for each in places], dtype=np.bool_)
    nobody = ends.is_nobody
    is_unknown = ends.among("kind", UNRESOLVED) & nobody
    crosses = ~nobody[ends.src] & ~nobody[ends.dst] & ((src != dst) | may_cross[src])
    first, second = np.minimum(src, dst), np.maximum(src, dst)
    pairs, group = np.unique((first * len(places) + second)[crosses], return_inverse=True)
    of_row = np.full(table.num_rows, -1, dtype=np.int64)
    of_row[crosses] = group
    found = _Links(rows, of_row, len(pairs), src == first)
    between = [divmod(pair, len(places)) for pair in pairs.tolist()]
    links = _made(found, [(places[a], places[b]) for a, b in between])
    links.sort(key=lambda each: -(each.bytes_a_to_b or 0) - (each.bytes_b_to_a or 0))
    return ClusterLinks(
        links=tuple(links[:most]),
        count=len(links),
        unresolved=totals_by_verdict(rows, is_unknown[ends.src] | is_unknown[ends.dst]),
    )


def _places(ends: Ends, by: LinkLevel, providers: Mapping[UUID, str]) -> tuple[list[LinkPlace], Ints]:
    """All places in order, and for each end the number of its own."""
    if by is LinkLevel.CLUSTER:
        numbers = np.arange(ends.count)
        return [LinkPlace(registration_id=ends.registration_id(end)) for end in numbers.tolist()], numbers
    named = [_place(ends, end, by, providers) for end in range(ends.count)]
    order = sorted(
        set(named), key=lambda each: (each.provider, str(each.registration_id or ""), each.region, each.zone)
    )
    number = {place: at for at, place in enumerate(order)}
    return order, np.array([number[each] for each in named], dtype=np.int64)


def _place(ends: Ends, end: int, by: LinkLevel, providers: Mapping[UUID, str]) -> LinkPlace:
    region, zone = ends.word("region", end), ends.word("zone", end)
    cluster = ends.registration_id(end)
    if cluster is None or not (zone if by is LinkLevel.ZONE else region):
        return NOT_KNOWN
    provider = providers.get(cluster, "")
    whose = None if provider in NAMED_BY_PROVIDER else cluster
    return LinkPlace(registration_id=whose, provider=provider, region=region, zone=zone)


def _made(found: _Links, between: list[tuple[LinkPlace, LinkPlace]]) -> list[ClusterLink]:
    rows, of_row, count = found.rows, found.of_row, found.count
    arrived = ~np.isin(rows.outcome, NOT_ARRIVED)
    sums = totals(rows, np.where(arrived, of_row, -1), count)
    inside = np.flatnonzero(of_row >= 0)
    last = np.zeros(count, dtype=np.int64)
    np.maximum.at(last, of_row[inside], rows.last_seen[inside])
    states = strongest(rows.state[inside], of_row[inside], count)
    columns: dict[str, Sequence[Any]] = {
        "bytes_a_to_b": found.each("bytes_tx", "bytes_rx", arrived),
        "bytes_b_to_a": found.each("bytes_rx", "bytes_tx", arrived),
        "packets_a_to_b": found.each("packets_tx", "packets_rx", arrived),
        "packets_b_to_a": found.each("packets_rx", "packets_tx", arrived),
        "connections_by_a": found.each("connections_opened", "connections_opened", arrived & found.forward),
        "connections_by_b": found.each("connections_opened", "connections_opened", arrived & ~found.forward),
        "failures": sums.failures,
        "retransmits": sums.retransmits,
        "rtt_us": sums.rtt_us,
        "dropped_bytes": _dropped(found, ~arrived),
        "is_part_unmeasured": sums.is_part_unmeasured,
    }
    return [
        ClusterLink(
            a=a,
            b=b,
            **{name: column[number] for name, column in columns.items()},
            state=states[number],
            last_seen=datetime.fromtimestamp(int(last[number]), UTC),
        )
        for number, (a, b) in enumerate(between)
    ]


def _dropped(found: _Links, dropped: Flags) -> list[int | None]:
    sums = totals(found.rows, np.where(dropped, found.of_row, -1), found.count)
    both = zip(sums.bytes_tx, sums.bytes_rx, strict=True)
    return [None if tx is None and rx is None else (tx or 0) + (rx or 0) for tx, rx in both]
