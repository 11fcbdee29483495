"""Which hours a cluster told whole. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from periplus_hub.dependencies.model import is_mostly_lost

MOST_OF_AN_HOUR: Final = 50
"""Minutes: an agent that starts again misses some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldHour:
    """What is kept of an hour. `nodes` and `node_minutes` are of an hour whose nodes are folded, else 0."""

    hour: int
    minutes: int
    nodes: int
    node_minutes: int
    node_counts: tuple[int, int] | None
    """Of an hour that agents told: of how many nodes, and of how many of these most of it."""
    observed: int = 0
    other_rows: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    """What batches said of themselves, as in `model.ClusterCoverage`."""


def whole(hours: Iterable[ToldHour], nodes_made_at: Sequence[int]) -> frozenset[int]:
    """Those of which every node told most; `nodes_made_at`, ascending, is of the nodes that are there now."""
    return frozenset(each.hour for each in hours if _is_whole(each, bisect_right(nodes_made_at, each.hour)))


def _is_whole(told: ToldHour, nodes_then: int) -> bool:
    if told.minutes < MOST_OF_AN_HOUR or told.other_rows or is_mostly_lost(told.observed, told.lost):
        return False
    if told.nodes:
        return told.node_minutes >= MOST_OF_AN_HOUR * told.nodes
    return told.node_counts is None or told.node_counts[1] >= max(1, nodes_then)
