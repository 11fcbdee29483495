"""A map of edges: the heaviest ends as boxes, and what passed between them. Pure.

Nothing is lost: what is not shown is in sums of its own.
"""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.engine.boxes import Boxes, around, boxes
from periplus_hub.dependencies.engine.ends import Ends, ends_of
from periplus_hub.dependencies.engine.figures import figures
from periplus_hub.dependencies.engine.graph import DependencyGraph, FoldedPlace, MapEdges, MapNodes
from periplus_hub.dependencies.engine.sums import (
    Rows,
    added,
    is_known,
    rows_of,
    strongest,
    totals,
    totals_by_verdict,
)
from periplus_hub.dependencies.model import EdgeEnd, EdgeLevel
from periplus_hub.flows.engine.columns import Flags, Ints

_MOST_PLACES: Final = 10
_BYTES: Final = ("bytes_tx", "bytes_rx")
_LEVELS: Final = (EdgeLevel.CLUSTER, EdgeLevel.NAMESPACE)


def dependency_map(table: pa.Table, level: EdgeLevel, *, nodes_at_most: int, edges_at_most: int) -> DependencyGraph:
    """Of all asked edges, as `repository_graph.rows` finds them: the same for the same edges in any order."""
    rows, ends = rows_of(table), ends_of(table)
    total = rows.sums["bytes_tx"] + rows.sums["bytes_rx"]
    about = around(ends, level)
    weight = _touching(ends, total)
    heaviest = np.lexsort((np.arange(ends.count), -_touching(ends, rows.sums["connections_opened"]), -weight))
    shown = boxes(ends, about, heaviest, nodes_at_most)
    source, destination = shown.of_end[ends.src], shown.of_end[ends.dst]
    count = len(shown.depth)
    pair = (source * count + destination) * len(Verdict) + rows.outcome
    pairs, edge = np.unique(pair, return_inverse=True)
    edge = edge.astype(np.int64)
    # The heaviest first; of equal ones by their boxes and verdict, whose numbers `pairs` are.
    order = np.lexsort((pairs, -added(total, edge, len(pairs))))
    place = np.empty(len(pairs), dtype=np.int64)
    place[order] = np.arange(len(pairs))
    position = place[edge]
    is_shown = position < edges_at_most
    return DependencyGraph(
        level=level,
        nodes=_nodes(ends, shown, level, rows, (source, destination)),
        edges=_edges(pairs[order][:edges_at_most], count, rows, np.where(is_shown, position, -1)),
        left_out_edges=max(0, len(pairs) - edges_at_most),
        left_out=totals_by_verdict(rows, ~is_shown),
        folded=_places(ends, shown, level, rows),
        folded_ends=int((~shown.is_own).sum()),
        totals=totals_by_verdict(rows, np.ones(len(total), dtype=np.bool_)),
    )


def _touching(ends: Ends, values: Ints) -> Ints:
    """Of each end, the sum of the rows that have it; of one with itself once."""
    apart = ends.src != ends.dst
    return added(values, ends.src, ends.count) + added(values[apart], ends.dst[apart], ends.count)


def _edges(pairs: Ints, count: int, rows: Rows, position: Ints) -> MapEdges:
    inside = np.flatnonzero(position >= 0)
    at, size = position[inside], len(pairs)
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first, at, rows.first_seen[inside])
    last = np.zeros(size, dtype=np.int64)
    np.maximum.at(last, at, rows.last_seen[inside])
    source, destination = np.divmod(pairs // len(Verdict), max(count, 1))
    return MapEdges(
        source=source.tolist(),
        destination=destination.tolist(),
        verdict=list(map(Verdict, (pairs % len(Verdict)).tolist())),
        state=strongest(rows.state[inside], at, size),
        first_seen=_moments(first),
        last_seen=_moments(last),
        sums=totals(rows, position, size),
    )


def _nodes(ends: Ends, shown: Boxes, level: EdgeLevel, rows: Rows, between: tuple[Ints, Ints]) -> MapNodes:
    named = [_name(ends, depth, end) for depth, end in zip(shown.depth.tolist(), shown.end.tolist(), strict=True)]
    return MapNodes(
        level=[_level(level, depth, name) for depth, name in zip(shown.depth.tolist(), named, strict=True)],
        parent=[None if each < 0 else each for each in shown.parent.tolist()],
        registration_id=[None if each is None else each.registration_id for each in named],
        namespace=["" if each is None else each.namespace for each in named],
        kind=["" if each is None else each.kind for each in named],
        name=["" if each is None else each.name for each in named],
        folded=np.bincount(shown.of_end[~shown.is_own], minlength=len(named)).tolist(),
        **figures(shown, rows, between),
    )


def _name(ends: Ends, depth: int, end: int) -> EdgeEnd | None:
    """Of a box around ends, only what they have in common; None of the box of everything else."""
    if end < 0:
        return None
    registration_id = ends.registration_id(end)
    return EdgeEnd(
        registration_id=registration_id,
        namespace=ends.word("namespace", end) if depth > 0 else "",
        kind=ends.word("kind", end) if depth > 1 or registration_id is None else "",
        name=ends.word("name", end) if depth > 1 else "",
    )


def _level(level: EdgeLevel, depth: int, name: EdgeEnd | None) -> EdgeLevel | None:
    if name is None:
        return None
    if depth < len(_LEVELS):
        return _LEVELS[depth]
    return EdgeLevel.CLUSTER if name.registration_id is None and level is EdgeLevel.NAMESPACE else level


def _places(ends: Ends, shown: Boxes, level: EdgeLevel, rows: Rows) -> list[FoldedPlace]:
    """Of ends without a box of their own, by what can be asked for: a namespace, a cluster, or what is in none."""
    left = np.flatnonzero(~shown.is_own)
    if not len(left):
        return []
    is_namespaced = level is EdgeLevel.WORKLOAD
    kind = np.where(ends.is_nobody, ends.code["kind"] + 1, 0)
    namespace = ends.code["namespace"] if is_namespaced else np.zeros(ends.count, dtype=np.int64)
    group, first = ends.grouped(ends.code["registration"], kind, namespace)
    is_left = ~shown.is_own
    src, dst = (np.where(is_left[each], group[each], -1) for each in (ends.src, ends.dst))
    touching = np.concatenate([src, np.where(dst != src, dst, -1)])
    weight, is_told, is_part = _bytes_of(rows, touching, len(first))
    count = np.bincount(group[left], minlength=len(first))
    order = np.lexsort((np.arange(len(first)), -weight))
    found = [each for each in order.tolist() if count[each]][:_MOST_PLACES]
    return [
        FoldedPlace(
            **_asked_with(ends, int(first[each]), is_namespaced=is_namespaced),
            ends=int(count[each]),
            bytes=int(weight[each]) if is_told[each] else None,
            is_part_unmeasured=bool(is_part[each]),
        )
        for each in found
    ]


def _asked_with(ends: Ends, end: int, *, is_namespaced: bool) -> dict[str, Any]:
    registration_id = ends.registration_id(end)
    return {
        "registration_id": registration_id,
        "namespace": ends.word("namespace", end) if is_namespaced and registration_id is not None else None,
        "kind": ends.word("kind", end) if registration_id is None else None,
    }


def _bytes_of(rows: Rows, place: Ints, count: int) -> tuple[Ints, Flags, Flags]:
    """Of each place the bytes both ways of the rows that touch it, whether any are known, and whether only in part.

    `place` has each row twice, of either end; -1 is none.
    """
    inside = np.flatnonzero(place >= 0)
    row, at = inside % len(rows.known), place[inside]
    told = is_known(rows.known[row], _BYTES)
    weight = added((rows.sums["bytes_tx"] + rows.sums["bytes_rx"])[row], at, count)
    is_told, is_silent = (np.bincount(at[each], minlength=count) > 0 for each in (told, ~told | rows.part[row]))
    return weight, is_told, is_told & is_silent


def _moments(seconds: Ints) -> list[datetime]:
    return [datetime.fromtimestamp(each, UTC) for each in seconds.tolist()]
