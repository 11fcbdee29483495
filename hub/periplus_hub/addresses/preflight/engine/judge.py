"""The verdicts on all ways of joining clusters: what fails, what passes, what cannot be said. Pure.

A failure is certain, whatever else is not known. A rule passes only if all is known that every cluster uses for what
the rule is about: what is not known of one might be in the way of all others.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from periplus_hub.addresses.ipam.engine.feeding import TOLD
from periplus_hub.addresses.overlaps.engine.federations import APART, REACHED, SOURCES, Apart, Side
from periplus_hub.addresses.overlaps.engine.uses import PODS_OF_UNKNOWN_REACH, Use, kinds_of
from periplus_hub.addresses.overlaps.model import FederationTarget, NamedClusters
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.addresses.preflight.engine.collisions import NO_COLLISIONS, AllRows, Collided, Collisions
from periplus_hub.addresses.preflight.engine.conditions import CONDITIONS
from periplus_hub.addresses.preflight.engine.entered import MOST_NAMED, EnteredRanges, nothing_reached
from periplus_hub.addresses.preflight.engine.lacks import not_known, reach_not_known
from periplus_hub.addresses.preflight.engine.networks import Vpcs, networks_rule
from periplus_hub.addresses.preflight.engine.obstacles import Judged, Obstacle, of_collisions
from periplus_hub.addresses.preflight.engine.parties import EVERY_CLUSTER_HAS, Party
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.engine.ways_out import Places, movers, with_ways_out
from periplus_hub.addresses.preflight.engine.words import listed
from periplus_hub.addresses.preflight.model import (
    Preflight,
    RangeInTheWay,
    RuleResult,
    Using,
    Verdict,
)

_T = FederationTarget
_GLOBAL: Final = parse("242.0.0.0/8")
"""What Submariner hands out with Globalnet, unless the broker was told another."""
_NOTHING_APART: Final = "Nothing has to be apart: addresses of one cluster are never used in another."
_ADDRESSES_ONLY: Final = "Firewalls, route tables, versions and connections: only addresses and what clusters run."


class _Found(NamedTuple):
    """What a rule meets: where it is broken for sure, and where perhaps, if nowhere for sure."""

    surely: Collisions
    perhaps: Collisions


def judge(question: Question) -> Judged:
    """All ways, in one run."""
    judging = _Judging(question)
    ways = {target: judging.rules(target) for target in FederationTarget}
    who = {target: movers(question.parties, judging.obstacles[target]) for target in FederationTarget}
    return Judged(question=question, ways=ways, obstacles=judging.obstacles, movers=who)


def answer(judged: Judged, targets: Collection[FederationTarget], places: Places) -> Preflight:
    """What is told of some ways."""
    parties = judged.question.parties
    return Preflight(
        clusters=_named(parties),
        not_known_whole=_named([each for each in parties if not each.is_known_whole]),
        not_looked_at=tuple(_not_looked_at(judged.question)),
        ways=tuple(with_ways_out(judged, target, places) for target in FederationTarget if target in targets),
    )


def _named(parties: Sequence[Party]) -> NamedClusters:
    return NamedClusters(clusters=len(parties), names=tuple(each.name for each in parties[:MOST_NAMED]))


def _not_looked_at(question: Question) -> Iterator[str]:
    yield _ADDRESSES_ONLY
    if question.elsewhere:
        ranges = "1 range is" if question.elsewhere == 1 else f"{question.elsewhere:,} ranges are"
        yield f"{ranges} entered in network domains that none of these clusters is in, nor connected with flat."


class _Judging:
    """The clusters of one question, their rows sorted once, and what was found in them."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._parties = question.parties
        self._rows = AllRows([each.columns for each in self._parties])
        self._entered = EnteredRanges(question, self._rows)
        self._vpcs = Vpcs(question, self._entered)
        self._met: dict[tuple[Side, Side], _Found] = {}
        self.obstacles: dict[FederationTarget, list[Obstacle]] = {target: [] for target in FederationTarget}

    def rules(self, target: FederationTarget) -> tuple[RuleResult, ...]:
        """Of one way: what has to be apart, then what else it needs."""
        found = [self._apart(target, rule) for rule in APART[target]]
        if not nothing_reached(REACHED[target]):
            found.append(self._entered.rule(target))
            self.obstacles[target] += self._entered.obstacles(target)
        found += [rule(self, target) for rule in _OF_WAYS.get(target, ())]
        found += [condition(target, self._parties) for condition in CONDITIONS.get(target, ())]
        return tuple(found) or (
            RuleResult(id="nothing-apart", asks=_NOTHING_APART, verdict=Verdict.PASS, source=SOURCES[target]),
        )

    def _apart(self, target: FederationTarget, rule: Apart) -> RuleResult:
        found = self._found(rule)
        kinds = kinds_of(use for side in (rule.one, rule.other) for use in side.surely | side.perhaps)
        is_sure = found.surely.total > 0 or (target is _T.ANTREA and self._whatever_antrea_is_told(rule))
        met = found.surely if found.surely.total else found.perhaps
        lacks = [] if is_sure else list(self._doubts(rule, met))
        lacks += not_known(self._parties, kinds)
        self.obstacles[target] += of_collisions(met) if is_sure else ()
        return RuleResult(
            id=rule.id,
            asks=rule.asks,
            verdict=Verdict.FAIL if is_sure else Verdict.UNKNOWN if met.total or lacks else Verdict.PASS,
            source=SOURCES[target],
            because=(rule.breaks,) if met.total else (),
            lacks=tuple(lacks),
            ranges=tuple(map(self._range, met.ranges)),
            range_count=met.total,
        )

    def _found(self, rule: Apart) -> _Found:
        """Of rules with the same sides once."""
        sides = (rule.one, rule.other)
        if sides not in self._met:
            surely = self._rows.surely(rule)
            is_all = surely.total > 0 or self._rows.is_sure(rule)
            self._met[sides] = _Found(surely, NO_COLLISIONS if is_all else self._rows.perhaps(rule))
        return self._met[sides]

    def _whatever_antrea_is_told(self, rule: Apart) -> bool:
        """Whether the rule is one of two of which each clusterset keeps either, and both are broken."""
        either = [each for each in APART[_T.ANTREA] if each.id in _EITHER]
        certain = [each._replace(one=_certain(each.one), other=_certain(each.other)) for each in either]
        return rule in either and all(self._found(each).surely.total for each in certain)

    def _doubts(self, rule: Apart, met: Collisions) -> Iterator[str]:
        """Why it is not sure that what was met is in the way."""
        owners = sorted({owner for each in met.ranges for owner, _ in each.owners})
        if not owners:
            return
        if rule.depends:
            yield rule.depends
            return
        perhaps = rule.one.perhaps | rule.other.perhaps
        met_by = [self._parties[owner] for owner in owners]
        using = {use: [each.name for each in met_by if use in each.uses] for use in Use}
        unsure = sorted({name for use in PODS_OF_UNKNOWN_REACH & perhaps for name in using[use]})
        if unsure:
            yield reach_not_known(listed(unsure))
        if Use.LOADBALANCER_POOL in perhaps and using[Use.LOADBALANCER_POOL]:
            yield f"What the load balancer pools of {listed(using[Use.LOADBALANCER_POOL])} will hand out is not known."

    def global_range(self, target: FederationTarget) -> RuleResult:
        """What Globalnet hands out must be nobody's."""
        met = self._rows.inside(_GLOBAL)
        entered = list(self._entered.in_force_in(_GLOBAL))
        built = [each for each in self._parties if not each.is_planned]
        lacks = not_known(built, TOLD) + not_known(
            [each for each in self._parties if each.is_planned], EVERY_CLUSTER_HAS
        )
        lacks += self._entered.perhaps_in(_GLOBAL)
        because = f"Globalnet hands out addresses of {_GLOBAL}: give the broker another --globalnet-cidr-range."
        total = met.total + len(entered)
        self.obstacles[target] += (each._replace(one_may_stay=False) for each in of_collisions(met))
        return RuleResult(
            id="global-range-free",
            asks=f"Nobody uses addresses of Globalnet's own range, {_GLOBAL} unless the broker was told another.",
            verdict=Verdict.FAIL if total else Verdict.UNKNOWN if lacks else Verdict.PASS,
            source=SOURCES[target],
            because=(because,) if total else (),
            lacks=tuple(lacks),
            ranges=(*map(self._range, met.ranges), *entered),
            range_count=total,
        )

    def vpc_ranges(self, target: FederationTarget) -> RuleResult:
        """See `Vpcs`."""
        self.obstacles[target] += self._vpcs.obstacles()
        return self._vpcs.rule(target)

    def networks(self, target: FederationTarget) -> RuleResult:
        """See `networks_rule`."""
        return networks_rule(target, self._question)

    def _range(self, met: Collided) -> RangeInTheWay:
        using = sorted(
            (Using(cluster=self._parties[owner].name, kinds=kinds) for owner, kinds in met.owners), key=_name
        )
        return RangeInTheWay(cidr=str(met.prefix), clusters=len(using), using=tuple(using[:MOST_NAMED]))


_EITHER: Final = frozenset({"pods-differ", "services-differ"})
"""Of Antrea's rules."""
_OF_WAYS: Final[Mapping[FederationTarget, tuple[Callable[[_Judging, FederationTarget], RuleResult], ...]]] = (
    MappingProxyType(
        {
            _T.SUBMARINER_GLOBALNET: (_Judging.global_range,),
            _T.VPC_PEERING: (_Judging.vpc_ranges,),
            _T.TRANSIT_GATEWAY: (_Judging.vpc_ranges, _Judging.networks),
            _T.PLAIN_ROUTING: (_Judging.networks,),
        }
    )
)
"""Of each way, rules about ranges that no other way has."""


def _certain(side: Side) -> Side:
    return Side(side.surely | side.perhaps)


def _name(using: Using) -> str:
    return using.cluster
