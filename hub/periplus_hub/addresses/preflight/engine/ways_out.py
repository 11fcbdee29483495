"""What to do where a way does not pass, what costs least first. Pure.

| costs | way out |
|--|--|
| nothing yet | another range for a cluster that is not built |
| a setting | the same product in its way that passes, like Submariner with Globalnet |
| another product | a way that passes as things are, those that need least of the network first |
| a gateway | translation between the networks, where routers are asked |
| a rebuild | another range for a cluster that is there: services before pods, pods before nodes, fewest nodes first |

Of clusters that collide with each other all but the one that costs most have to move; of those that collide with what
people entered all, unless what was entered is wrong.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from periplus_hub.addresses.free.model import RangeProposal
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.federations import SOURCES
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, parse
from periplus_hub.addresses.preflight.engine.entered import ROUTED
from periplus_hub.addresses.preflight.engine.obstacles import Judged, Mover, Obstacle
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.words import PLURALS, listed
from periplus_hub.addresses.preflight.model import Move, Verdict, WayResult

MOST_MOVES: Final = 20
_T = FederationTarget
_Any = TypeVar("_Any")
_SENTENCES: Final = 3
_KIND_COSTS: Final = (
    AllocationKind.EXTERNAL,
    AllocationKind.LOADBALANCER,
    AllocationKind.SERVICE,
    AllocationKind.POD,
    AllocationKind.NODE,
)
"""What costs least to change first."""
_MOVABLE: Final = frozenset({AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE})
"""What ranges are proposed for."""
_SETTING: Final[Mapping[FederationTarget, tuple[FederationTarget, str]]] = MappingProxyType(
    {
        _T.SUBMARINER: (_T.SUBMARINER_GLOBALNET, "deploy the broker with --globalnet, before any cluster joins"),
        _T.ISTIO_FLAT: (_T.ISTIO_MULTI_NETWORK, "label each cluster's network and install east-west gateways"),
        _T.LINKERD_FLAT: (_T.LINKERD_GATEWAY, "link the clusters through gateways"),
    }
)
"""The way of the same product that needs less of addresses, and what to do for it."""
_ANTREA: Final = (
    "Set endpointIPType in antrea-mc-controller-config of every cluster: PodIP if services overlap, ClusterIP, the "
    "default, if pods do."
)
_LEAST_OF_NETWORKS: Final = (
    _T.SUBMARINER_GLOBALNET,
    _T.SKUPPER,
    _T.LINKERD_GATEWAY,
    _T.ISTIO_MULTI_NETWORK,
    *(each for each in SOURCES if each not in {
        _T.SUBMARINER_GLOBALNET, _T.SKUPPER, _T.LINKERD_GATEWAY, _T.ISTIO_MULTI_NETWORK,
    }),
)  # fmt: skip
"""Ways that pass are named in this order."""
_NAT: Final = (
    "Translate between their networks, as with a private NAT gateway, and say so: 'periplus domains connect A B --mode "
    "nat'."
)
_CORRECT: Final = "Where what people entered is wrong or over, take it out: 'periplus ranges remove'."


class Places(NamedTuple):
    """What is proposed, by cluster, kind and family; `unsure` where clusters may use it unseen."""

    by_use: Mapping[tuple[str, AllocationKind, int], RangeProposal]
    unsure: bool = False


NO_PLACES: Final = Places({})


def movers(parties: Sequence[Party], obstacles: Iterable[Obstacle]) -> dict[Mover, list[str]]:
    """Who has to move so that nothing is in the way, with the ranges that are, the cheapest first."""
    found: dict[Mover, list[str]] = {}
    for obstacle in obstacles:
        cidr, family = str(obstacle.prefix), obstacle.prefix.family
        for owner, kinds in _leaving(obstacle, parties):
            for kind in kinds:
                found.setdefault(Mover(owner, kind, family), []).append(cidr)
    return {each: found[each] for each in _cheapest_first(found, lambda each: (parties[each.owner], (each.kind,)))}


def _leaving(obstacle: Obstacle, parties: Sequence[Party]) -> list[tuple[int, tuple[AllocationKind, ...]]]:
    by_cost = _cheapest_first(obstacle.owners, lambda each: (parties[each[0]], each[1]))
    return by_cost[:-1] if obstacle.one_may_stay else by_cost


def _cheapest_first(
    found: Iterable[_Any], whose: Callable[[_Any], tuple[Party, Sequence[AllocationKind]]]
) -> list[_Any]:
    """Of two that are alike the later one in the alphabet, as everywhere."""
    by_name = sorted(found, key=lambda each: whose(each)[0].name, reverse=True)
    return sorted(by_name, key=lambda each: _cost(*whose(each)))


def _cost(party: Party, kinds: Sequence[AllocationKind]) -> tuple[bool, int, int]:
    worst = max((_KIND_COSTS.index(kind) for kind in kinds if kind in _KIND_COSTS), default=0)
    return not party.is_planned, worst, party.nodes


def with_ways_out(judged: Judged, target: FederationTarget, places: Places) -> WayResult:
    """One way with its verdict and what to do about it."""
    verdict = judged.verdict(target)
    found = judged.movers[target]
    moves = [_move(judged, mover, ranges, places) for mover, ranges in list(found.items())[:MOST_MOVES]]
    everybody = {judged.question.parties[each.owner].name for each in found}
    return WayResult(
        target=target,
        verdict=verdict,
        rules=tuple(judged.ways[target]),
        ways_out=() if verdict is Verdict.PASS else tuple(_ways_out(judged, target, moves, everybody)),
        moves=tuple(moves),
        move_count=len(found),
    )


def _move(judged: Judged, mover: Mover, ranges: Sequence[str], places: Places) -> Move:
    name = judged.question.parties[mover.owner].name
    place = places.by_use.get((name, mover.kind, mover.family))
    single = all(parse(each).length == FAMILY_BITS[mover.family] for each in ranges)
    if mover.kind not in _MOVABLE or (mover.kind is AllocationKind.NODE and single):
        return Move(
            cluster=name, kind=mover.kind, cidr=None, why="find out who owns the address", instead_of=tuple(ranges)
        )
    cidr, why = (None, "ask 'periplus plan' for it") if place is None else (place.cidr, place.why)
    unsure = ", free as far as is known" if cidr and places.unsure else ""
    return Move(cluster=name, kind=mover.kind, cidr=cidr, why=f"{why}{unsure}", instead_of=tuple(ranges))


def _ways_out(
    judged: Judged, target: FederationTarget, moves: Sequence[Move], everybody: Collection[str]
) -> Iterator[str]:
    """The cheapest first."""
    sizes = {each.name: None if each.is_planned else each.nodes for each in judged.question.parties}
    free = [each for each in moves if sizes[each.cluster] is None]
    yield from _sentences(free, sizes)
    other, how = _SETTING.get(target, (None, ""))
    if other is not None and judged.verdict(other) is Verdict.PASS:
        yield f"{other.full_name} passes as things are: {how}."
    if target is _T.ANTREA and judged.obstacles[target]:
        yield _ANTREA
    others = [each for each in _LEAST_OF_NETWORKS if each not in {target, other}]
    if passing := [each for each in others if judged.verdict(each) is Verdict.PASS]:
        yield f"Join them in a way that passes as they are: {', '.join(each.full_name for each in passing)}."
    if any(not each.one_may_stay for each in judged.obstacles[target]):
        yield _CORRECT
    if target in ROUTED and judged.obstacles[target]:
        yield _NAT
    dear = [each for each in moves if sizes[each.cluster] is not None]
    yield from _sentences(dear, sizes)
    if more := len(everybody) - sum(min(len(_clusters(some)), _SENTENCES) for some in (free, dear)):
        whose = "1 more cluster" if more == 1 else f"{more:,} more clusters"
        yield f"And so on for {whose}: --json names the first {MOST_MOVES} moves, 'periplus plan' finds ranges for all."


def _clusters(moves: Sequence[Move]) -> list[str]:
    return list(dict.fromkeys(each.cluster for each in moves))


def _sentences(moves: Sequence[Move], sizes: Mapping[str, int | None]) -> Iterator[str]:
    """One for each of the first clusters."""
    for name in _clusters(moves)[:_SENTENCES]:
        own = [each for each in moves if each.cluster == name]
        size = sizes[name]
        about = f" ({size:,} node{'' if size == 1 else 's'})" if size else ""
        told = [
            f"{each.cidr} for its {PLURALS[each.kind]} ({each.why})"
            if each.cidr
            else f"other addresses for its {PLURALS[each.kind]} ({each.why})"
            for each in own
        ]
        ranges = list(dict.fromkeys(cidr for each in own for cidr in each.instead_of))
        yield f"Give {name}{about} {listed(told)}; in the way is what it has in {listed(ranges)}."
