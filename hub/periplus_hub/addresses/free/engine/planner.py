"""One plan: a range for each use of each cluster, none of which touches another one or anything taken. Pure.

A range that people entered as a network, a VPC or one on premises, is taken like any other, but for what lives in it:
the nodes of its own clusters, and their pods where those have addresses of that network. These look for room in it
first. What covers all of such a network, like the default service range of a cluster elsewhere, is in its way wherever
in it they go, and keeps nothing from them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.free.engine.allocator import Tier, Want, allocate, ula_networks
from periplus_hub.addresses.free.engine.held_back import SPACES, Use, held_back
from periplus_hub.addresses.free.engine.sizing import Demand, Need, need
from periplus_hub.addresses.free.model import RangeProposal, RangeReservation
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import IPV4, IPV6, Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

_PREFERRED_V4: Final = tuple(space for space in SPACES[IPV4] if str(space) in {"10.0.0.0/8", "172.16.0.0/12"})
_HALF: Final = 64
_NETWORKS_OF_64S: Final = 16
"""A /48 holds 2^16 of what IPv6 is counted in."""
_SPARE_NETWORKS: Final = 2
_MAX_NETWORKS: Final = 4_096
_NO_ROOM: Final = {IPV4: "no room in private space", IPV6: "no room in the fleet's own networks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What may not be proposed: prefixes of each family in any order, reservations in force, clouds in the fleet.

    `networks` are ranges that people entered as networks of clusters; they are not among `prefixes`.
    """

    prefixes: Mapping[int, FamilyPrefixes]
    networks: Collection[Prefix] = ()
    reservations: Sequence[RangeReservation] = ()
    providers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCluster:
    """Whom a range is for. A `registration_id` of None is a cluster that is not there yet.

    `homes` has, by kind, the networks that such a range belongs into; each is one of `Taken.networks`.
    """

    name: str
    registration_id: UUID | None
    demand: Demand
    only: frozenset[AllocationKind] = frozenset()
    """Of the kinds asked for, those that it needs; empty is all."""
    lengths: Mapping[tuple[AllocationKind, int], int] = field(default_factory=dict)
    """Of kinds and families, how long a range has to be, whatever the demand."""
    homes: Mapping[AllocationKind, tuple[Prefix, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    proposal: RangeProposal
    length: int | None
    homes: tuple[Prefix, ...] = ()
    """Disjoint, by address, of the proposal's family."""


def propose(
    clusters: Iterable[PlannedCluster], kinds: Collection[AllocationKind], growth: Decimal, taken: Taken, seed: bytes
) -> tuple[RangeProposal, ...]:
    """By cluster, in the order given. `seed` is the fleet's: its IPv6 networks follow from it."""
    lines = [_kept(line, taken.reservations) for each in clusters for line in _lines(each, kinds, growth)]
    found: dict[int, Prefix | None] = {}
    for family in (IPV4, IPV6):
        open_ones = [at for at, line in enumerate(lines) if line.length is not None and line.proposal.family == family]
        at_home = _at_home(lines, open_ones, taken, family)
        found.update(at_home)
        rest = [at for at in open_ones if at not in at_home]
        wants = [_want(lines[at]) for at in rest]
        known = _taken(taken, family, (), at_home.values())
        found.update(zip(rest, allocate(known, wants, _tiers(family, wants, taken, seed), family), strict=True))
    return tuple(_placed(line, found[at]) if at in found else line.proposal for at, line in enumerate(lines))


def _at_home(lines: Sequence[_Line], open_ones: Iterable[int], taken: Taken, family: int) -> dict[int, Prefix]:
    """What there is room for in the networks that it belongs into, by the line's place."""
    groups: dict[tuple[Prefix, ...], list[int]] = {}
    for at in open_ones:
        if lines[at].homes:
            groups.setdefault(lines[at].homes, []).append(at)
    found: dict[int, Prefix] = {}
    never = held_back(Use.NEVER, family, taken.providers)
    for homes in sorted(groups):
        places, known = groups[homes], _taken(taken, family, homes, found.values())
        avoided = tuple(each for each in never if not any(each.covers(home) for home in homes))
        ranges = allocate(known, [_want(lines[at]) for at in places], [Tier(homes, avoided)], family)
        found.update((at, each) for at, each in zip(places, ranges, strict=True) if each is not None)
    return found


def _lines(cluster: PlannedCluster, kinds: Collection[AllocationKind], growth: Decimal) -> Iterator[_Line]:
    for kind in kinds:
        for family in sorted(cluster.demand.families_of(kind)) if kind in (cluster.only or kinds) else ():
            length, why = _need(cluster, kind, family, growth)
            proposal = RangeProposal(
                cluster_name=cluster.name,
                registration_id=cluster.registration_id,
                kind=kind,
                family=family,
                cidr=None,
                why=why,
            )
            yield _Line(proposal, length, _disjoint(cluster.homes.get(kind, ()), family))


def _disjoint(networks: Iterable[Prefix], family: int) -> tuple[Prefix, ...]:
    """Those of the family that lie in no other one, by address."""
    found: list[Prefix] = []
    for each in sorted(set(networks)):
        if each.family == family and not (found and found[-1].covers(each)):
            found.append(each)
    return tuple(found)


def _need(cluster: PlannedCluster, kind: AllocationKind, family: int, growth: Decimal) -> Need:
    length = cluster.lengths.get((kind, family))
    return need(cluster.demand, kind, family, growth) if length is None else Need(length, "as large as planned")


def _kept(line: _Line, reservations: Sequence[RangeReservation]) -> _Line:
    """A cluster that has a reservation large enough needs no other range."""
    if line.length is None:
        return line
    wanted = line.proposal
    for each in reservations:
        prefix = parse(each.cidr)
        same = (each.cluster_name, each.kind, prefix.family) == (wanted.cluster_name, wanted.kind, wanted.family)
        if same and prefix.length <= line.length:
            return _Line(replace(wanted, cidr=each.cidr, reservation_id=each.id), None)
    return line


def _want(line: _Line) -> Want:
    proposal = line.proposal
    return Want(line.length or 0, proposal.cluster_name, proposal.kind.value)


def _placed(line: _Line, found: Prefix | None) -> RangeProposal:
    if found is None:
        missing = f"{_NO_ROOM[line.proposal.family]} for a /{line.length}: {line.proposal.why}"
        return replace(line.proposal, why=missing)
    return replace(line.proposal, cidr=str(found), why=line.proposal.why + _where(line.homes, found))


def _where(homes: Sequence[Prefix], found: Prefix) -> str:
    """Of a range that belongs into networks, whether it is in one."""
    if not homes:
        return ""
    home = next((each for each in homes if each.covers(found)), None)
    if home is not None:
        return f", in its network {home}"
    more = f" and {len(homes) - 1} more" if len(homes) > 1 else ""
    return f"; no room in its network {homes[0]}{more}"


def _taken(taken: Taken, family: int, homes: Sequence[Prefix], placed: Iterable[Prefix]) -> FamilyPrefixes:
    """With what was placed already, and with every network but the homes and those around one."""
    networks = (each for each in taken.networks if not any(each.covers(home) for home in homes))
    reserved = (parse(each.cidr) for each in taken.reservations)
    more = [prefix for prefix in (*reserved, *networks, *placed) if prefix.family == family]
    known = taken.prefixes.get(family, FamilyPrefixes.of_prefixes(()))
    for home in homes:
        known = known.take(np.flatnonzero(~_around(known, home)))
    return known.joined(FamilyPrefixes.of_prefixes(more))


def _around(known: FamilyPrefixes, home: Prefix) -> npt.NDArray[np.bool_]:
    """Which are all of a network or more; those that differ only in the low 64 bits are none."""
    shift = np.uint64(_HALF) - np.minimum(known.length, _HALF).astype(np.uint64)
    same = (known.high ^ np.uint64(home.value >> _HALF)) >> shift == 0
    found: npt.NDArray[np.bool_] = same & (known.length <= min(home.length, _HALF))
    return found


def _tiers(family: int, wants: Sequence[Want], taken: Taken, seed: bytes) -> list[Tier]:
    """IPv4: where the fewest others are, then all of private space. IPv6: the fleet's first /48, then more of them."""
    never, last = (held_back(use, family, taken.providers) for use in (Use.NEVER, Use.LAST))
    if family == IPV4:
        return [Tier(_PREFERRED_V4, (*never, *last)), Tier(SPACES[IPV4], never)]
    blocks = sum(1 << max(64 - want.length, 0) for want in wants)
    networks = ula_networks(seed, min(2 * (blocks >> _NETWORKS_OF_64S) + _SPARE_NETWORKS, _MAX_NETWORKS))
    # Twice as many networks as the blocks fill, as blocks of several sizes do not fill one to its end.
    return [Tier((networks[0],), never), Tier(tuple(sorted(set(networks))), never)]
