"""The rule about ranges that people entered or reserved. Pure.

A cluster must not be reached from the others at addresses that somebody has in the network of any of them: whoever is
there, or the cluster, would not be reached. A network is that of every cluster in its domain, and in domains that are
connected flat with it. What lives in a VPC as it should is no collision with that. Where it is not known in which
domain a planned cluster will be, what is entered in all others is perhaps in the way of any of the clusters.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.federations import APART, REACHED, SOURCES, Side, Stop, way_stop
from periplus_hub.addresses.overlaps.engine.severity import LIVES_IN
from periplus_hub.addresses.overlaps.engine.uses import PODS_OF_UNKNOWN_REACH, USES, Use, kinds_of
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.preflight.engine.collisions import MOST_RANGES, AllRows
from periplus_hub.addresses.preflight.engine.lacks import not_known, reach_not_known
from periplus_hub.addresses.preflight.engine.obstacles import Obstacle
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.engine.spoken_for import SpokenFor
from periplus_hub.addresses.preflight.engine.touching import Chosen, Positions, Touching
from periplus_hub.addresses.preflight.engine.words import listed
from periplus_hub.addresses.preflight.model import RangeInTheWay, RuleResult, Using, Verdict

MOST_NAMED: Final = 20
ROUTED: Final = frozenset(
    {FederationTarget.VPC_PEERING, FederationTarget.TRANSIT_GATEWAY, FederationTarget.PLAIN_ROUTING}
)
_ASKS: Final = (
    "No cluster is reached at addresses that people entered in the network of one of them, or reserved for others."
)
_BREAKS: Final = (
    "One address would have two owners: from the network in which the range was entered, either the cluster is not "
    "reached, or whoever has the range."
)
_PLANS: Final = (
    "Whether what is planned or reserved there will be used is not known: take another range, or give it up with "
    "'periplus ranges remove' or 'periplus plan release'."
)
_DEPENDS: Final = {
    FederationTarget.ANTREA: "Which of these addresses other clusters use is not known: endpointIPType, "
    "enablePodToPodConnectivity and the choice of gateways decide it.",
    FederationTarget.ISTIO_FLAT: "Whether other clusters call services at these addresses is not known.",
}
NOBODY: Final = -1
_OF_NO_DOMAIN: Final = -2


class Met(NamedTuple):
    """Which of the rows that touch ranges of people are in the way: for sure, or perhaps, and why not for sure."""

    surely: Chosen
    perhaps: Chosen
    plans: Chosen
    unsure_reach: Chosen
    unsure_domain: Chosen


class EnteredRanges:
    """What people said of the networks of the clusters of one question, and what of these lies there."""

    def __init__(self, question: Question, rows: AllRows) -> None:
        self._question = question
        self._parties = question.parties
        self.spoken_for = spoken = [*question.spoken_for, *question.perhaps_near]
        self.touching: Touching = rows.touching([each.prefix for each in spoken])
        names = {each.name: number for number, each in enumerate(self._parties)}
        domains = {each: number for number, each in enumerate(question.domain_names)}
        # Numbers for network domains: of clusters the one each is in, of ranges the one each was entered in.
        self.home = _numbers([NOBODY if each.domain_id is None else domains[each.domain_id] for each in self._parties])
        self.domain = _numbers(
            [_OF_NO_DOMAIN if each.domain_id is None else domains[each.domain_id] for each in spoken]
        )
        self._is_perhaps_near = np.arange(len(spoken)) >= len(question.spoken_for)
        self._use = _numbers([USES.index(each.use) for each in spoken])
        self._is_plan = np.array([each.is_plan for each in spoken], dtype=np.bool_)
        self._own = _numbers([names.get(each.of, NOBODY) if each.of else NOBODY for each in spoken])

    def rule(self, target: FederationTarget) -> RuleResult:
        """Of one way."""
        met = self._met(target)
        is_sure = bool(met.surely.any())
        chosen = met.surely if is_sure else met.perhaps
        ranges = list(self.ranges(chosen))
        lacks = [] if is_sure else list(self._doubts(target, met))
        lacks += not_known(self._parties, self._kinds(target))
        return RuleResult(
            id="entered-ranges-differ",
            asks=_ASKS,
            verdict=Verdict.FAIL if is_sure else Verdict.UNKNOWN if lacks else Verdict.PASS,
            source=SOURCES[target],
            because=(_BREAKS,) if ranges else (),
            lacks=tuple(lacks),
            ranges=tuple(ranges[:MOST_RANGES]),
            range_count=len(ranges),
        )

    def _kinds(self, target: FederationTarget) -> tuple[AllocationKind, ...]:
        """What has to be known of clusters: nothing where people said nothing."""
        sides = [REACHED[target]] if not self._is_plan.all() else []
        if self._is_plan.any():
            sides += [side for rule in APART[target] for side in (rule.one, rule.other)]
        return kinds_of(use for side in sides for use in side.surely | side.perhaps)

    def _met(self, target: FederationTarget) -> Met:
        number, owner, use = self.touching
        spoken, is_plan, reached = self._use[number], self._is_plan[number], REACHED[target]
        is_home = self.home[owner] == self.domain[number]
        lives = _LIVES[spoken, use]
        is_far = self._is_perhaps_near[number]
        is_homeless = (self.home[owner] == NOBODY) & lives | is_far
        matters = ~is_plan & ~(is_home & lives)
        by_reach = matters & is_home & _UNKNOWN_REACH[use] & (spoken == USES.index(Use.ENTERED_NETWORK))
        certain = _table(reached.surely)[use]
        possible = certain | _table(reached.perhaps)[use]
        unsure_domain = matters & is_homeless & possible
        unsure_reach = by_reach & possible
        if target in ROUTED:
            unsure_reach |= matters & _UNKNOWN_REACH[use] & ~certain & possible
        surely = matters & certain & ~by_reach & ~is_homeless
        plans = is_plan & (self._own[number] != owner) & _stops(target)[spoken, use]
        unsure_domain |= plans & is_far
        return Met(surely, matters & possible | plans, plans, unsure_reach, unsure_domain)

    def _doubts(self, target: FederationTarget, met: Met) -> Iterator[str]:
        if met.plans.any():
            yield _PLANS
        if met.unsure_domain.any():
            yield self._domain_not_known()
        if target in _DEPENDS and (met.perhaps & ~met.plans & ~met.unsure_domain & ~met.unsure_reach).any():
            yield _DEPENDS[target]
        if met.unsure_reach.any():
            yield reach_not_known(listed(self._names(met.unsure_reach)))
        pools = met.perhaps & ~met.plans & (self.touching.use == USES.index(Use.LOADBALANCER_POOL))
        if pools.any():
            yield f"What the load balancer pools of {listed(self._names(pools))} will hand out is not known."

    def _names(self, chosen: Chosen) -> list[str]:
        return [self._parties[owner].name for owner in np.unique(self.touching.owner[chosen]).tolist()]

    def obstacles(self, target: FederationTarget) -> Iterator[Obstacle]:
        """What is surely in the way, for ways out."""
        return self.obstacles_in(self._met(target).surely)

    def obstacles_in(self, chosen: Chosen) -> Iterator[Obstacle]:
        """The ranges of people in some of the touching rows, and who would have to leave each."""
        for number, owners in self._by_range(chosen).items():
            using = tuple((owner, kinds_of(uses)) for owner, uses in owners.items())
            yield Obstacle(self.spoken_for[number].prefix, using, one_may_stay=False)

    def in_force_in(self, prefix: Prefix) -> Iterator[RangeInTheWay]:
        """What people have, not only plan, in or around a range."""
        return _in_force_in(prefix, self._question.spoken_for)

    def perhaps_in(self, prefix: Prefix) -> Iterator[str]:
        """Why it is not known whether people have anything there."""
        if any(_in_force_in(prefix, self._question.perhaps_near)):
            yield self._domain_not_known()

    def _domain_not_known(self) -> str:
        return domain_not_known([each.name for each in self._parties if each.domain_id is None])

    def ranges(self, chosen: Chosen) -> Iterator[RangeInTheWay]:
        """The ranges of people in some of the touching rows, those of most clusters first."""
        for number, owners in sorted(self._by_range(chosen).items(), key=lambda each: -len(each[1])):
            using = [Using(cluster=self._parties[owner].name, kinds=kinds_of(uses)) for owner, uses in owners.items()]
            told = self.spoken_for[number].told
            yield RangeInTheWay(cidr=told.cidr, clusters=len(using), using=tuple(using[:MOST_NAMED]), entered=(told,))

    def _by_range(self, chosen: Chosen) -> dict[int, dict[int, list[Use]]]:
        found: dict[int, dict[int, list[Use]]] = {}
        for number, owner, use in zip(*(column.tolist() for column in self.touching.take(chosen)), strict=True):
            found.setdefault(number, {}).setdefault(owner, []).append(USES[use])
        return found


def domain_not_known(names: Sequence[str]) -> str:
    """Of clusters that are planned."""
    return (
        f"In which network domain {listed(names)} will be is not known: say it in the plan, as in "
        "--plan 'name:domain=production,pod=…'."
    )


def _in_force_in(prefix: Prefix, spoken: Sequence[SpokenFor]) -> Iterator[RangeInTheWay]:
    for each in spoken:
        if not each.is_plan and (prefix.covers(each.prefix) or each.prefix.covers(prefix)):
            yield RangeInTheWay(cidr=each.told.cidr, clusters=0, using=(), entered=(each.told,))


def _numbers(found: Sequence[int]) -> Positions:
    return np.array(found, dtype=np.int64)


def _table(uses: frozenset[Use]) -> Chosen:
    return np.array([use in uses for use in USES], dtype=np.bool_)


def _stops(target: FederationTarget) -> npt.NDArray[np.bool_]:
    return np.array([[way_stop(target, a, b) is not Stop.NO for b in USES] for a in USES], dtype=np.bool_)


_LIVES: Final = np.array([[use in LIVES_IN.get(entered, ()) for use in USES] for entered in USES], dtype=np.bool_)
"""[what was entered, use of a cluster of the same network domain]: as it should be."""
_UNKNOWN_REACH: Final = _table(PODS_OF_UNKNOWN_REACH)


def nothing_reached(side: Side) -> bool:
    """Whether no cluster is reached at addresses of its own."""
    return not side.surely and not side.perhaps
