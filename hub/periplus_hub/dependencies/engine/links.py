"""Links between clusters: what passed between two of them, each way, whoever opened connections. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from periplus_hub.dependencies.engine.ends import ends_of
from periplus_hub.dependencies.engine.graph import Numbers, Totals
from periplus_hub.dependencies.engine.sums import Rows, added, is_known, rows_of, strongest, totals, totals_by_verdict
from periplus_hub.dependencies.model import NOT_ARRIVED, EdgeState
from periplus_hub.flows.engine.columns import Flags, Ints
from periplus_hub.flows.model_kinds import UNRESOLVED


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLink:
    """Two clusters, of which `a` has the lesser id. None is not known."""

    a: UUID
    b: UUID
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


def cluster_links(table: pa.Table, most: int) -> ClusterLinks:
    """Of all edges between clusters, as `repository_graph.rows` finds them at that level."""
    rows, ends = rows_of(table), ends_of(table)
    nobody = ends.is_nobody
    is_unknown = ends.among("kind", UNRESOLVED) & nobody
    crosses = ~nobody[ends.src] & ~nobody[ends.dst] & (ends.src != ends.dst)
    first, second = np.minimum(ends.src, ends.dst), np.maximum(ends.src, ends.dst)
    pairs, group = np.unique((first * ends.count + second)[crosses], return_inverse=True)
    of_row = np.full(table.num_rows, -1, dtype=np.int64)
    of_row[crosses] = group
    found = _Links(rows, of_row, len(pairs), ends.src == first)
    ids = [
        (ends.registration_id(int(pair // ends.count)), ends.registration_id(int(pair % ends.count))) for pair in pairs
    ]
    links = _made(found, ids)
    links.sort(key=lambda each: (-(each.bytes_a_to_b or 0) - (each.bytes_b_to_a or 0), each.a, each.b))
    return ClusterLinks(
        links=tuple(links[:most]),
        count=len(links),
        unresolved=totals_by_verdict(rows, is_unknown[ends.src] | is_unknown[ends.dst]),
    )


def _made(found: _Links, ids: list[tuple[UUID | None, UUID | None]]) -> list[ClusterLink]:
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
        for number, (a, b) in enumerate(ids)
        if a is not None and b is not None
    ]


def _dropped(found: _Links, dropped: Flags) -> list[int | None]:
    sums = totals(found.rows, np.where(dropped, found.of_row, -1), found.count)
    both = zip(sums.bytes_tx, sums.bytes_rx, strict=True)
    return [None if tx is None and rx is None else (tx or 0) + (rx or 0) for tx, rx in both]
