"""Dependencies and coverage, as values. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final
from uuid import UUID

from periplus_contract.flow_words import LOST_EVENTS, LOST_NODES, LOST_UNREADABLE, Verdict
from periplus_hub.flows.model import MEASURES, FlowEnd, Span

QUIET_S: Final = 3_600
"""An edge without a row for so long, while its clusters tell of others, is silent."""
LATE_S: Final = 900
"""A cluster that tells nothing for so long is late: what passes there now is not known."""
HISTORY_S: Final = 3_600
"""An edge is new only where its clusters had told flows without it for so long before."""
RECENT_S: Final = 86_400
"""What is first seen longer ago is not new any more."""
GRACE_S: Final = 120
"""What a spoke has not sent yet because its window is not over is not missing."""


NOT_ARRIVED: Final = (Verdict.DROPPED, Verdict.ERROR)
"""Verdicts of what was sent and reached nobody."""
FAILURES: Final = ("failures_refused", "failures_timeout", "failures_other")
"""The measures that are connections which failed."""
ADDED_UP: Final = sum(1 << number for number, name in enumerate(MEASURES) if name not in {"rtt_us_sum", "rtt_count"})
"""The bits of measures whose sum is at least so much where a row lacks them; a mean is not."""


class EdgeLevel(Enum):
    """What the ends of an edge are."""

    CLUSTER = "cluster"
    NAMESPACE = "namespace"
    WORKLOAD = "workload"


class LinkLevel(Enum):
    """What links are between."""

    CLUSTER = "cluster"
    REGION = "region"
    ZONE = "zone"


class EdgeState(Enum):
    """Whether an edge is there."""

    ACTIVE = "active"
    NEW = "new"
    SILENT = "silent"
    UNKNOWN = "unknown"


STATES: Final = tuple(EdgeState)
"""The store's number of a state is its place here."""


class EdgeSide(Enum):
    """An end of an edge."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeEnd(FlowEnd):
    """An end of an edge, with the lookups by which its addresses were found, where these are told."""

    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What became of all that one end sent another in the asked time, with one verdict. None is not known."""

    src: EdgeEnd
    dst: EdgeEnd
    verdict: Verdict
    ports: tuple[tuple[int, int], ...]
    """(IANA's number of the protocol, port)."""
    bytes_tx: int | None
    bytes_rx: int | None
    packets_tx: int | None
    packets_rx: int | None
    connections_opened: int | None
    failures: int | None
    rtt_us: float | None
    retransmits: int | None
    is_part_unmeasured: bool
    """Some rows could not tell every measure, so that sums are at least so much."""
    state: EdgeState
    only_seen_by: EdgeSide | None
    """The only side that reported it, where the other one's cluster told flows of that time, too."""
    sampling: int
    first_seen: datetime
    last_seen: datetime


class EdgeOrder(Enum):
    """What edges are sorted by. The greatest comes first, what is not known last."""

    BYTES = "bytes"
    CONNECTIONS = "connections"
    FAILURES = "failures"
    RTT = "rtt"
    RETRANSMITS = "retransmits"
    LAST_SEEN = "last_seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFilter:
    """Which end is meant: all conditions together."""

    clusters: tuple[UUID, ...] = ()
    """One of them; none is any."""
    namespace: str | None = None
    kind: str | None = None
    name: str | None = None

    @property
    def is_any(self) -> bool:
        """Whether every end is meant."""
        return not self.clusters and self.namespace is None and self.kind is None and self.name is None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFilter:
    """Which edges are asked for: all conditions together, of no words all."""

    since: datetime
    until: datetime
    level: EdgeLevel = EdgeLevel.WORKLOAD
    by: LinkLevel = LinkLevel.CLUSTER
    """Of the level CLUSTER: what clusters are divided into."""
    cross_cluster: bool = False
    either: EndFilter = field(default_factory=EndFilter)
    """At least one of the two ends."""
    src: EndFilter = field(default_factory=EndFilter)
    dst: EndFilter = field(default_factory=EndFilter)
    port: int | None = None
    protocol: int | None = None
    verdicts: tuple[Verdict, ...] = ()
    states: tuple[EdgeState, ...] = ()
    days_until: int = 0
    """What is before, in seconds, is asked of whole UTC days; the time begins and ends with one where it is there."""
    spans: tuple[Span, ...] = ()
    """Those that can be asked instead of their hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The first edges of the asked order, and how many there are."""

    edges: tuple[Edge, ...]
    count: int
    unordered: int
    """Of all: those of which it is not known what they are sorted by. They come last."""
    unresolved: int
    """Of all: those with an end that several may be, or that is an address of nobody known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCoverage:
    """What one active cluster told of the asked time."""

    registration_id: UUID
    minutes_told: int
    minutes_expected: int
    told_from: int | None
    """The first hour it told flows of, as far as is looked back; None when it never did."""
    told_until: int | None
    sampling: int
    rows: int
    rejected: int
    begun_later: int | None = None
    """The first minute it told, where that is in the asked time, and none of the week before is known."""
    observed: int = 0
    """Connections, events or series that its sources had."""
    unmeasured: int = 0
    """Those of them whose bytes no source can tell."""
    other_rows: int = 0
    """Rows beyond the spokes' row budgets: who they are about is not told."""
    other_hosts: int = 0
    """Rows without the name that the client asked for: the windows of its spokes had too many."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """What its sources say that they did not see, by the words of `periplus_contract.flow_words`."""
    node_minutes_told: int = 0
    node_minutes_expected: int = 0
    """Of all nodes together; 0 where no agent of a node tells flows, so that one source sees the whole cluster."""
    nodes: int = 0
    nodes_silent: int = 0
    """Of its nodes now, those of which no agent told anything of late."""

    @property
    def ratio(self) -> float | None:
        """None where nothing was expected yet. An agent tells of its own node, so that each node counts."""
        if not self.minutes_expected:
            return None
        told, expected = self.minutes_told, self.minutes_expected
        if self.node_minutes_expected:
            told, expected = self.node_minutes_told, self.node_minutes_expected
        return min(1.0, told / expected)

    @property
    def is_whole(self) -> bool:
        """Whether what it does not tell did not happen: every node of it told what there was, until lately.

        A source that counts no bytes at all may only see connections begin, and not whether they are still used.
        """
        counts_bytes = not self.observed or self.unmeasured < self.observed
        is_known = not self.other_rows and not is_mostly_lost(self.observed, self.lost)
        return counts_bytes and is_known and not self.nodes_silent and not self.lost.get(LOST_NODES)


def is_mostly_lost(observed: int, lost: Mapping[str, int]) -> bool:
    """Whether sources say that they did not see more than half. What they lost otherwise they had seen once."""
    return lost.get(LOST_EVENTS, 0) + lost.get(LOST_UNREADABLE, 0) > observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what should be known the answer is made of."""

    clusters: tuple[ClusterCoverage, ...]
    collected: int
    settled: int
    rejected: int
    dropped: Mapping[str, int]
    now: datetime
    waiting_since: int | None = None
    """The first hour of the asked time with accepted rows that are not among its edges."""
    waits_lately: bool = False
    """There are such hours in the day before the end of the time: who is silent is not known."""
    days_until: int | None = None
    """Up to when the answer is of whole UTC days; None where it is of hours alone."""
    kept_from: int | None = None
    """Before then nothing is kept; None where all of the asked time is."""

    @property
    def ratio(self) -> float | None:
        """The share of minutes that clusters told, times the share of their rows that are here; None for no cluster."""
        expected = sum(each.minutes_expected for each in self.clusters)
        if not expected:
            return None
        told = sum((each.ratio or 0) * each.minutes_expected for each in self.clusters)
        lost = self.rejected + sum(self.dropped.values())
        # Rejected rows are booked with their batch, and all others with a later one.
        rows = max(self.collected, self.settled + sum(self.dropped.values()), lost)
        return told / expected * (1 - lost / rows if rows else 1.0)

    @property
    def sampling(self) -> int:
        """The coarsest."""
        return max((each.sampling for each in self.clusters), default=1)

    @property
    def late(self) -> list[UUID]:
        """Clusters that told flows once, and have not for a while."""
        return [each.registration_id for each in self.clusters if self._is_late(each)]

    @property
    def begun_later(self) -> Mapping[UUID, int]:
        """Clusters of which nothing is known of the beginning of the asked time, and since when they told."""
        begun = {each.registration_id: each.begun_later for each in self.clusters}
        return {cluster: since for cluster, since in begun.items() if since is not None}

    @property
    def partly_told(self) -> list[UUID]:
        """Clusters with nodes of which nothing was told of late."""
        return [each.registration_id for each in self.clusters if each.nodes_silent]

    @property
    def observed(self) -> int:
        """By all sources."""
        return sum(each.observed for each in self.clusters)

    @property
    def unmeasured(self) -> int:
        """By all sources."""
        return sum(each.unmeasured for each in self.clusters)

    @property
    def other_rows(self) -> int:
        """By all spokes."""
        return sum(each.other_rows for each in self.clusters)

    @property
    def other_hosts(self) -> int:
        """By all spokes."""
        return sum(each.other_hosts for each in self.clusters)

    @property
    def lost(self) -> Mapping[str, int]:
        """Of all clusters, by reason."""
        return sum((Counter(each.lost) for each in self.clusters), Counter())

    @property
    def without_flows(self) -> list[UUID]:
        """Clusters that never told any: no source of flows is known of them."""
        return [each.registration_id for each in self.clusters if each.told_until is None]

    def _is_late(self, cluster: ClusterCoverage) -> bool:
        return cluster.told_until is not None and self.now.timestamp() - cluster.told_until > LATE_S
