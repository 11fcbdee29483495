"""Graphs of dependencies, as values in columns. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.model import EdgeLevel, EdgeState

Numbers = Sequence[int | None]
"""None is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What passed, in columns of equal length."""

    dependencies: Sequence[int]
    """Of how many edges of the asked level each is the sum."""
    bytes_tx: Numbers
    bytes_rx: Numbers
    packets_tx: Numbers
    packets_rx: Numbers
    connections_opened: Numbers
    failures: Numbers
    retransmits: Numbers
    rtt_us: Sequence[float | None]
    is_part_unmeasured: Sequence[bool]
    """Some of what is summed was not measured, so that sums are at least so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNodes:
    """Boxes, and in them other boxes: what contains a box comes before it."""

    level: Sequence[EdgeLevel | None]
    """None is the box of everything that has none of its own."""
    parent: Sequence[int | None]
    registration_id: Sequence[UUID | None]
    namespace: Sequence[str]
    kind: Sequence[str]
    name: Sequence[str]
    state: Sequence[EdgeState]
    bytes_sent: Numbers
    """To other boxes than those in it and around it; likewise below. Only of what was not dropped."""
    bytes_received: Numbers
    bytes_within: Numbers
    connections_opened: Numbers
    connections_taken: Numbers
    failures: Numbers
    folded: Sequence[int]
    """How many ends of the asked level are in it without a box of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapEdges:
    """Between boxes. Inside a box, source and destination are that box."""

    source: Sequence[int]
    destination: Sequence[int]
    verdict: Sequence[Verdict]
    state: Sequence[EdgeState]
    first_seen: Sequence[datetime]
    last_seen: Sequence[datetime]
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums for each verdict that there is."""

    verdict: Sequence[Verdict]
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedPlace:
    """Where ends are that have no box of their own: what to ask for to see them."""

    registration_id: UUID | None
    namespace: str | None
    """None where its cluster or kind is all that is to be asked for."""
    kind: str | None
    """Of what is in no cluster."""
    ends: int
    bytes: int | None
    """Both ways, of what has such an end; that between two of them once. None is not known."""
    is_part_unmeasured: bool
    """They are at least so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyGraph:
    """A map of what was asked. The sums of its edges and of those it leaves out are its totals."""

    level: EdgeLevel
    nodes: MapNodes
    edges: MapEdges
    left_out_edges: int
    left_out: Totals
    """Of edges beyond the asked number."""
    folded: Sequence[FoldedPlace]
    """The heaviest places."""
    folded_ends: int
    totals: Totals


def nothing(level: EdgeLevel) -> DependencyGraph:
    """A map of no edges."""
    sums = Sums(**dict.fromkeys(Sums.__dataclass_fields__, ()))
    nodes = MapNodes(**dict.fromkeys(MapNodes.__dataclass_fields__, ()))
    columns = {name: () for name in MapEdges.__dataclass_fields__ if name != "sums"}
    none = Totals(verdict=(), sums=sums)
    return DependencyGraph(
        level=level,
        nodes=nodes,
        edges=MapEdges(**columns, sums=sums),
        left_out_edges=0,
        left_out=none,
        folded=(),
        folded_ends=0,
        totals=none,
    )
