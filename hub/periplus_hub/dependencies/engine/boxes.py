"""Which ends of a map get a box of their own, and what boxes are around them. Pure."""

from dataclasses import dataclass

import numpy as np

from periplus_hub.dependencies.engine.ends import Ends
from periplus_hub.dependencies.model import EdgeLevel
from periplus_hub.flows.engine.columns import Flags, Ints


@dataclass(frozen=True, slots=True)
class Around:
    """The boxes that ends can be in: of each end its number, of each number the first end; -1 where there is none."""

    cluster: Ints
    cluster_first: Ints
    namespace: Ints
    namespace_first: Ints


@dataclass(frozen=True, slots=True)
class Boxes:
    """Those of a map, what contains a box before it. Of each its depth: 0 cluster, 1 namespace, 2 end of the level."""

    depth: Ints
    end: Ints
    """The end that it is, or one of those in it; -1 for the box of everything else."""
    parent: Ints
    of_end: Ints
    """The innermost box of each end that the map shows."""
    is_own: Flags
    """Which ends have a box of their own."""


def around(ends: Ends, level: EdgeLevel) -> Around:
    """Clusters, and of what is in none its kind; and namespaces. A coarse level needs no box around what it shows."""
    nobody, none = ends.is_nobody, np.full(ends.count, -1, dtype=np.int64)
    kind = np.where(nobody, ends.code["kind"] + 1, 0)
    cluster, cluster_first = ends.grouped(ends.code["registration"], kind)
    namespace, namespace_first = ends.grouped(ends.code["registration"], ends.code["namespace"])
    has_cluster = np.full(ends.count, level is not EdgeLevel.CLUSTER)
    if level is EdgeLevel.NAMESPACE:
        has_cluster = ~nobody
    has_namespace = ends.has_namespace & ~nobody & (level is EdgeLevel.WORKLOAD)
    return Around(
        cluster=np.where(has_cluster, cluster, none),
        cluster_first=cluster_first,
        namespace=np.where(has_namespace, namespace, none),
        namespace_first=namespace_first,
    )


def boxes(ends: Ends, about: Around, heaviest: Ints, most: int) -> Boxes:
    """The heaviest ends with the boxes around them, as many as `most` boxes hold; in the order of their names.

    Any other end is in the box of its namespace or cluster, if there is one, else in that of everything else.
    """
    chosen = _chosen(about, heaviest, most)
    own = np.zeros(ends.count, dtype=np.bool_)
    own[chosen] = True
    named = [(2, end) for end in chosen]
    named += [(0, int(about.cluster_first[each])) for each in _distinct(about.cluster[chosen])]
    named += [(1, int(about.namespace_first[each])) for each in _distinct(about.namespace[chosen])]
    named.sort(key=lambda each: _place(ends, *each))
    number = {each: place for place, each in enumerate(named)}
    clusters = _numbers(about.cluster_first, number, 0)
    namespaces = _numbers(about.namespace_first, number, 1)
    rest = len(named)
    of_end = np.full(ends.count, rest, dtype=np.int64)
    for outer, numbers in ((about.cluster, clusters), (about.namespace, namespaces)):
        inside = np.where(outer >= 0, numbers[outer], -1)
        of_end = np.where(inside >= 0, inside, of_end)
    parent = [_parent(of_end, clusters, about, *each) for each in named]
    of_end[chosen] = [number[2, end] for end in chosen]
    if (of_end == rest).any():
        named.append((0, -1))
        parent.append(-1)
    depth, end = np.array(named, dtype=np.int64).reshape(-1, 2).T
    return Boxes(depth=depth, end=end, parent=np.array(parent, dtype=np.int64), of_end=of_end, is_own=own)


def _chosen(about: Around, heaviest: Ints, most: int) -> list[int]:
    """All, where all have room; otherwise one box is that of everything else."""
    boxes_of_all = sum(len(_distinct(each)) for each in (about.cluster, about.namespace)) + len(heaviest)
    room = most if boxes_of_all <= most else most - 1
    chosen: list[int] = []
    seen: set[tuple[int, int]] = set()
    for end in heaviest[:room].tolist():
        needed = {(0, int(about.cluster[end])), (1, int(about.namespace[end]))}
        new = {each for each in needed if each[1] >= 0} - seen
        room -= 1 + len(new)
        if room < 0:
            break
        seen |= new
        chosen.append(end)
    return chosen


def _distinct(numbers: Ints) -> list[int]:
    found: list[int] = np.unique(numbers[numbers >= 0]).tolist()
    return found


def _numbers(first: Ints, number: dict[tuple[int, int], int], depth: int) -> Ints:
    return np.array([number.get((depth, end), -1) for end in first.tolist()], dtype=np.int64)


def _parent(of_end: Ints, clusters: Ints, about: Around, depth: int, end: int) -> int:
    """Of an end, the innermost box around it, which is its own as long as it has none; of a namespace, its cluster."""
    if depth == 0:
        return -1
    if depth == 1:
        return int(clusters[about.cluster[end]])
    return int(of_end[end]) if about.cluster[end] >= 0 else -1


def _place(ends: Ends, depth: int, end: int) -> tuple[int, ...]:
    """What is around comes first, as it has none of the later parts of a name."""
    code = {part: int(ends.code[part][end]) + 1 for part in ("registration", "namespace", "kind", "name")}
    nobody = bool(ends.registration_id(end) is None)
    namespace = code["namespace"] if depth else 0
    kind = code["kind"] if depth > 1 or nobody else 0
    name = code["name"] if depth > 1 else 0
    return code["registration"], namespace if not nobody else 0, kind, name, depth
