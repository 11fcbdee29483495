"""Who has to move so that a group is over, and where to: the plan of the hub, asked for once for a whole report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from periplus_hub.api.cli.report import GroupLine, HitLine, MoveLine, by_address
from periplus_hub.api.hub_client import HubClient

PLAN: Final = """
query Plan(
  $clusters: [ID!], $newClusters: [String!], $nodes: Int, $pods: Int, $services: Int, $growth: Decimal!, $domain: ID
) {
  plan(
    clusters: $clusters, newClusters: $newClusters, nodes: $nodes, pods: $pods, services: $services, growth: $growth,
    domain: $domain
  ) {
    complete notKnownOf { names count }
    proposals { cluster { id } clusterName allocationKind: kind family cidr why reservation { id reason expiresAt } }
  }
}
"""
_BITS: Final = {4: 32, 6: 128}
_SHOWN: Final = 3
_MOST_CLUSTERS: Final = 500
_GROWTH: Final = "2"


class _Mover(NamedTuple):
    cluster: str
    kind: str


def with_moves(
    client: HubClient,
    groups: Sequence[GroupLine],
    known: Mapping[str, Mapping[str, Any]],
    strangers: Sequence[str] = (),
) -> tuple[GroupLine, ...]:
    """The groups, each with who would move where.

    `known` has what the hub says of each cluster, by name; `strangers` are clusters it knows nothing of.
    """
    movers = [list(movers_of(group, known)) for group in groups]
    names = dict.fromkeys(mover.cluster for each in movers for mover in each[:_SHOWN])
    plan = _plan(client, [known[name]["id"] for name in list(names)[:_MOST_CLUSTERS] if name in known])
    places = {(each["clusterName"], each["allocationKind"].lower(), each["family"]): each for each in plan["proposals"]}
    unsure = (*plan["notKnownOf"]["names"], *strangers)
    told: set[str] = set()
    found = []
    for group, each in zip(groups, movers, strict=True):
        moves = [_move(mover, places.get((*mover, group.family))) for mover in each[:_SHOWN]]
        fresh = [move.cidr for move in moves if move.cidr is not None and move.cidr not in told]
        told.update(fresh)
        line = replace(group, moves=tuple(moves), move_count=len(each), free_ranges=tuple(fresh))
        if any(move.cidr for move in moves):
            count = plan["notKnownOf"]["count"] + len(strangers)
            line = replace(line, free_ranges_not_known_of=unsure, free_ranges_not_known_count=count)
        found.append(line)
    return tuple(found)


def movers_of(group: GroupLine, known: Mapping[str, Mapping[str, Any]]) -> Iterator[_Mover]:
    """Every range that has to change: all but the largest cluster's, or the ones that cover what others are."""
    hits = group.hit(group.severity)
    wanted = [kind for kind in group.renumbered if not (kind == "node" and _is_one_address(group.cidr))]
    all_of_them = bool({kind for hit in hits for kind in hit.kinds} - set(group.renumbered))
    for kind in wanted:
        concerned = _smallest_first(hits, kind, known)
        yield from (_Mover(hit.cluster, kind) for hit in (concerned if all_of_them else concerned[:-1]))


def _is_one_address(cidr: str) -> bool:
    family, _, length = by_address(cidr)
    return length == _BITS[family]


def _smallest_first(hits: Sequence[HitLine], kind: str, known: Mapping[str, Mapping[str, Any]]) -> list[HitLine]:
    """Of two that are alike the later one in the alphabet; one whose size is not known is taken for the largest."""
    concerned = sorted((hit for hit in hits if kind in hit.kinds), key=lambda hit: hit.cluster, reverse=True)
    return sorted(concerned, key=lambda hit: _size(known.get(hit.cluster)))


def _size(cluster: Mapping[str, Any] | None) -> tuple[float, ...]:
    counts = (cluster or {}).get("counts") or {}
    return tuple(float("inf") if counts.get(name) is None else counts[name] for name in ("nodes", "pods", "services"))


def _plan(client: HubClient, clusters: Sequence[str]) -> dict[str, Any]:
    """What is proposed, and who may use it all the same; nobody is asked about nobody."""
    if not clusters:
        return {"proposals": [], "notKnownOf": {"names": [], "count": 0}}
    found: dict[str, Any] = client.ask(PLAN, {"clusters": clusters, "growth": _GROWTH})["plan"]
    return found


def _move(mover: _Mover, place: Mapping[str, Any] | None) -> MoveLine:
    if place is None:
        return MoveLine(cluster=mover.cluster, kind=mover.kind, cidr=None, why="ask 'periplus plan' for it")
    return MoveLine(cluster=mover.cluster, kind=mover.kind, cidr=place["cidr"], why=place["why"])
