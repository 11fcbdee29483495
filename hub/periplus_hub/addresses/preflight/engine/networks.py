"""The rules about networks that no API server tells: what people say of VPCs, and of whatever else is routed. Pure.

| cloud | what may not overlap, by its own pages |
|--|--|
| AWS | any CIDR block of the two VPCs, used or not |
| Azure | the address spaces of the two virtual networks |
| Google Cloud | subnets of the two networks, and of all that are peered with either already |

A network domain's VPCs are the ranges that people entered in it for that; on Google Cloud, where a VPC is its subnets,
these too. Whether all of them are entered shows in what has addresses of the VPC, as nodes have: what lies in none of
them lies in one that is missing. Pods have such addresses where the plugin hands them out: AWS VPC CNI and GKE always,
Azure CNI where it does not masquerade.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from shlex import quote
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.federations import SOURCES
from periplus_hub.addresses.overlaps.engine.uses import NODES, NODES_HIDDEN, PODS, PODS_HIDDEN, USES, Use
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes, subtree_ends, subtree_starts
from periplus_hub.addresses.preflight.engine.collisions import MOST_RANGES
from periplus_hub.addresses.preflight.engine.entered import NOBODY, EnteredRanges, domain_not_known
from periplus_hub.addresses.preflight.engine.lacks import not_known
from periplus_hub.addresses.preflight.engine.obstacles import Obstacle
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.engine.spoken_for import SpokenFor
from periplus_hub.addresses.preflight.engine.touching import Chosen, Positions
from periplus_hub.addresses.preflight.engine.words import listed
from periplus_hub.addresses.preflight.model import RangeInTheWay, RuleResult, Verdict
from periplus_hub.addresses.ranges.model import RangeUse

GOOGLE: Final = "gcp"
_VPC: Final = frozenset({RangeUse.VPC})
_VPC_OR_SUBNET: Final = frozenset({RangeUse.VPC, RangeUse.SUBNET})
_ASKS_VPCS: Final = "No two VPCs have overlapping CIDR blocks."
_BREAKS_VPCS: Final = (
    "The cloud refuses the peering, or has no route for one of the two. If both are one VPC, nothing has to be peered: "
    "put its clusters into one network domain ('periplus domains move')."
)
_ASKS_NETWORKS: Final = "All networks that are routed to these clusters are known, as ranges that people entered."
_WORD: Final = "By the word of whoever asks, all networks that are routed to these clusters are entered."
_PEERS: Final = (
    "Google Cloud also compares the subnets of networks that are peered with these already. Whether all of them are "
    "entered is not known: enter them, then say so with --networks-entered."
)
PRIVATE: Final = tuple(
    parse(each) for each in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Where addresses of nodes are those of a VPC: nodes have public ones beside them."""
_ALL_PODS: Final = frozenset({"aws-vpc-cni", "gke"})
_SEEN_PODS: Final = frozenset({"azure-cni"})
"""Plugins that give pods addresses of the VPC."""


class _Pair(NamedTuple):
    """Two VPCs of which one lies in the other."""

    outer: SpokenFor
    inner: SpokenFor


def networks_rule(target: FederationTarget, question: Question) -> RuleResult:
    """Whether somebody says that nothing else is routed: nobody else can tell."""
    names = listed([each.name for each in question.parties])
    lacks = (
        f"No API server tells what other networks are routed to {names}: enter them with 'periplus ranges add', then "
        "say that they are all with --networks-entered."
    )
    said = question.networks_entered
    return RuleResult(
        id="other-networks-known",
        asks=_ASKS_NETWORKS,
        source=SOURCES[target],
        verdict=Verdict.PASS if said else Verdict.UNKNOWN,
        lacks=() if said else (lacks,),
        trusts=(_WORD,) if said else (),
    )


class Vpcs:
    """The VPCs of the clusters of one question, as people entered them."""

    def __init__(self, question: Question, entered: EnteredRanges) -> None:
        self._question = question
        self._entered = entered
        self._is_google = any(each.provider == GOOGLE for each in question.parties)
        self._homes: dict[UUID, list[Party]] = {}
        for party in question.parties:
            if party.domain_id is not None:
                self._homes.setdefault(party.domain_id, []).append(party)

    def rule(self, target: FederationTarget) -> RuleResult:
        """Of VPC peering, and of a transit gateway."""
        pairs = list(self._pairs())
        apart = [each for each in pairs if each.outer.domain_id != each.inner.domain_id]
        chosen = self._elsewhere()
        ranges = [*map(_in_the_way, apart), *self._entered.ranges(chosen)]
        lacks = [] if ranges else list(self._within_one([each for each in pairs if each not in apart]))
        lacks += self._lacks()
        if target is FederationTarget.VPC_PEERING and self._is_google and not self._question.networks_entered:
            lacks.append(_PEERS)
        vpcs = [f"{each.told.cidr} in {each.told.network_domain}" for each in self._vpcs(_VPC)]
        return RuleResult(
            id="vpc-ranges-differ",
            asks=_ASKS_VPCS,
            source=SOURCES[target],
            verdict=Verdict.FAIL if ranges else Verdict.UNKNOWN if lacks else Verdict.PASS,
            because=(_BREAKS_VPCS,) if ranges else (),
            lacks=tuple(lacks),
            trusts=(f"The VPCs are those that people entered: {listed(vpcs)}.",) if vpcs else (),
            ranges=tuple(ranges[:MOST_RANGES]),
            range_count=len(ranges),
        )

    def obstacles(self) -> Iterator[Obstacle]:
        """What of a VPC lies in that of another network domain."""
        return self._entered.obstacles_in(self._elsewhere())

    def _vpcs(self, uses: frozenset[RangeUse]) -> Iterator[SpokenFor]:
        """By address; those of the clusters' own domains, and of domains that are connected flat with these."""
        return iter(sorted((each for each in self._question.spoken_for if each.what in uses), key=_prefix))

    def _pairs(self) -> Iterator[_Pair]:
        """Of all VPCs that lie in others the innermost around them, of another domain if there is one."""
        around: list[SpokenFor] = []
        for each in self._vpcs(_VPC_OR_SUBNET):
            while around and not around[-1].prefix.covers(each.prefix):
                around.pop()
            others = [outer for outer in around if outer.domain_id != each.domain_id and self._matters(outer, each)]
            own = [outer for outer in around if outer.what in _VPC and each.what in _VPC]
            if others or own:
                yield _Pair((others or own)[-1], each)
            around.append(each)

    def _matters(self, one: SpokenFor, other: SpokenFor) -> bool:
        """Whether joining the clusters brings these together: Google Cloud compares all that is peered."""
        return self._is_google or one.domain_id in self._homes or other.domain_id in self._homes

    def _elsewhere(self) -> Chosen:
        """Rows of what has addresses of a VPC and lies in that of another network domain."""
        number, owner, use = self._entered.touching
        is_vpc = [each.what in _VPC_OR_SUBNET and each.domain_id in self._homes for each in self._entered.spoken_for]
        home = self._entered.home[owner]
        of_vpc = np.array([_of_vpc(each) for each in self._question.parties], dtype=np.bool_)
        chosen: Chosen = np.array(is_vpc, dtype=np.bool_)[number] & of_vpc[owner, use]
        chosen &= (home != NOBODY) & (home != self._entered.domain[number])
        return chosen

    def _within_one(self, pairs: Sequence[_Pair]) -> Iterator[str]:
        for outer, inner in pairs:
            if inner.domain_id is not None and len(self._homes.get(inner.domain_id, ())) > 1:
                yield (
                    f"{inner.told.cidr} and {outer.told.cidr} are both entered as VPCs of {inner.told.network_domain}: "
                    "whether they are two is not known. Enter parts of a VPC as subnets."
                )

    def _lacks(self) -> Iterator[str]:
        parties = self._question.parties
        homeless = [each.name for each in parties if each.domain_id is None]
        if homeless:
            yield domain_not_known(homeless)
        without, missing = self._not_entered()
        if without:
            told = [self._domain(each) for each in without]
            domain = quote(self._question.domain_names[without[0]])
            yield (
                f"No API server tells the VPC of {listed(told)}, and nobody entered it: 'periplus ranges add RANGE "
                f"--domain {domain} --use vpc' for each of its CIDR blocks."
            )
        if missing:
            yield (
                f"Nodes or pods of {listed(missing)} lie in none of the VPC ranges of their network domain, so not all "
                "of these are entered: add the others with 'periplus ranges add'."
            )
        in_vpc = [each for each in parties if _pods_of_vpc(each)]
        yield from not_known([each for each in parties if each not in in_vpc], [AllocationKind.NODE])
        yield from not_known(in_vpc, [AllocationKind.NODE, AllocationKind.POD])

    def _domain(self, domain: UUID) -> str:
        """A domain that a cluster has for itself, and its name from it, needs no word."""
        name, clusters = self._question.domain_names[domain], listed([each.name for each in self._homes[domain]])
        return name if name == clusters else f"{name} ({clusters})"

    def _not_entered(self) -> tuple[list[UUID], list[str]]:
        """Network domains without a VPC, and clusters with nodes or pods that lie in none of theirs."""
        ranges: dict[UUID | None, list[Prefix]] = {}
        for each in self._vpcs(_VPC_OR_SUBNET if self._is_google else _VPC):
            ranges.setdefault(each.domain_id, []).append(each.prefix)
        without = sorted(
            (each for each in self._homes if each not in ranges), key=self._question.domain_names.__getitem__
        )
        missing = [
            party.name
            for domain, parties in self._homes.items()
            if domain in ranges
            for party in parties
            if _is_outside(party, ranges[domain])
        ]
        return without, sorted(missing)


def _prefix(found: SpokenFor) -> Prefix:
    return found.prefix


def _in_the_way(pair: _Pair) -> RangeInTheWay:
    return RangeInTheWay(cidr=pair.outer.told.cidr, clusters=0, using=(), entered=(pair.outer.told, pair.inner.told))


def _pods_of_vpc(party: Party) -> frozenset[Use]:
    """The uses of its pods that have addresses of the VPC."""
    plugins = set(party.cnis)
    return PODS if plugins & _ALL_PODS else PODS - PODS_HIDDEN if plugins & _SEEN_PODS else frozenset()


def _of_vpc(party: Party) -> list[bool]:
    """By use: nodes behind a router that translates are in no VPC by these addresses."""
    uses = NODES - NODES_HIDDEN | _pods_of_vpc(party)
    return [use in uses for use in USES]


def _is_outside(party: Party, ranges: Sequence[Prefix]) -> bool:
    """Whether a private address of the VPC, or all of them where none is private, lies in none of these."""
    found = party.columns.prefixes.take(np.array(_of_vpc(party), dtype=np.bool_)[party.columns.use])
    outside = ~_inside(found, ranges)
    if not outside.any():
        return False
    private = _inside(found, PRIVATE)
    return bool((outside & private).any()) or not private.any()


def _inside(prefixes: PrefixColumns, ranges: Sequence[Prefix]) -> Chosen:
    """Which lie in one of these ranges."""
    found = np.zeros(len(prefixes.family), dtype=np.bool_)
    for family in FAMILY_BITS:
        rows = np.flatnonzero(prefixes.family == family)
        of_family = [each for each in _maximal(ranges) if each.family == family]
        if not len(rows) or not of_family:
            continue
        order = np.lexsort((prefixes.length[rows], prefixes.low[rows], prefixes.high[rows]))
        rows = rows[order]
        keys = FamilyPrefixes(prefixes.high[rows], prefixes.low[rows], prefixes.length[rows])
        outer = FamilyPrefixes.of_prefixes(of_family)
        starts, ends = subtree_starts(keys, outer).tolist(), subtree_ends(keys, outer).tolist()
        inner: Positions = np.fromiter(chain.from_iterable(map(range, starts, ends)), dtype=np.int64)
        length = np.repeat(outer.length, [end - start for start, end in zip(starts, ends, strict=True)])
        found[rows[inner[keys.length[inner] >= length]]] = True
    return found


def _maximal(ranges: Sequence[Prefix]) -> list[Prefix]:
    found: list[Prefix] = []
    for each in sorted(set(ranges)):
        if not found or not found[-1].covers(each):
            found.append(each)
    return found
