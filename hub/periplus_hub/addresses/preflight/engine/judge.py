"""The verdicts on all ways of joining clusters: what fails, what passes, what cannot be said. Pure.

A failure is certain, whatever else is not known. A rule passes only if all is known that every cluster uses for what
the rule is about: what is not known of one might be in the way of all others.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from shlex import quote
from typing import Final, NamedTuple

from periplus_hub.addresses.ipam.engine.knowledge import Knowledge
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.federations import APART, SOURCES, Apart
from periplus_hub.addresses.overlaps.engine.uses import NODES, PODS_OF_UNKNOWN_REACH, Use, kinds_of
from periplus_hub.addresses.overlaps.model import FederationTarget, NamedClusters
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.addresses.preflight.engine.collisions import NO_COLLISIONS, AllRows, Collided, Collisions
from periplus_hub.addresses.preflight.engine.conditions import CONDITIONS, reach_not_known, uses_of
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.words import listed
from periplus_hub.addresses.preflight.model import (
    PLANNED_KINDS,
    Preflight,
    RangeInTheWay,
    RuleResult,
    Using,
    Verdict,
    WayResult,
    worst_verdict,
)

MOST_NAMED: Final = 20
_MOST_TOLD: Final = 4
_MOST_RENUMBERED: Final = 3
_GLOBAL: Final = parse("242.0.0.0/8")
"""What Submariner hands out with Globalnet, unless the broker was told another."""
_NOTHING_APART: Final = "Nothing has to be apart: addresses of one cluster are never used in another."
_RANGES: Final = {
    AllocationKind.POD: "pod range",
    AllocationKind.SERVICE: "service range",
    AllocationKind.NODE: "range for nodes",
    AllocationKind.LOADBALANCER: "range for load balancers",
}


class _Found(NamedTuple):
    """What a rule meets: where it is broken for sure, and where perhaps, if nowhere for sure."""

    surely: Collisions
    perhaps: Collisions


def judge(parties: Sequence[Party]) -> Preflight:
    """All ways, in one run."""
    judging = _Judging(parties)
    ways = {target: judging.rules(target) for target in FederationTarget}
    verdicts = {target: worst_verdict([rule.verdict for rule in rules]) for target, rules in ways.items()}
    passing = [target.full_name for target, verdict in verdicts.items() if verdict is Verdict.PASS]
    others = [f"Join them in a way that passes as they are: {', '.join(passing)}."] if passing else []
    renumberings = {target: list(judging.renumberings(rules)) for target, rules in ways.items()}
    return Preflight(
        clusters=_named(parties),
        not_known_whole=_named([each for each in parties if not each.is_known(PLANNED_KINDS)]),
        ways=tuple(
            WayResult(
                target=target,
                verdict=verdicts[target],
                rules=rules,
                ways_out=() if verdicts[target] is Verdict.PASS else (*others, *renumberings[target]),
            )
            for target, rules in ways.items()
        ),
    )


def _named(parties: Sequence[Party]) -> NamedClusters:
    return NamedClusters(clusters=len(parties), names=tuple(each.name for each in parties[:MOST_NAMED]))


class _Judging:
    """The clusters of one question, their rows sorted once, and what was found in them."""

    def __init__(self, parties: Sequence[Party]) -> None:
        self._parties = parties
        self._nodes = {each.name: each.nodes for each in parties}
        self._rows = AllRows([each.columns for each in parties])
        self._uses = [uses_of(each) for each in parties]
        self._met: dict[tuple[object, object], _Found] = {}

    def rules(self, target: FederationTarget) -> tuple[RuleResult, ...]:
        """Of one way: what has to be apart, then what else it needs."""
        apart = [self._apart(target, rule) for rule in APART[target]]
        if target is FederationTarget.SUBMARINER_GLOBALNET:
            apart.append(self._global_range(target))
        conditions = [condition(target, self._parties) for condition in CONDITIONS.get(target, ())]
        return (*apart, *conditions) or (
            RuleResult(id="nothing-apart", asks=_NOTHING_APART, verdict=Verdict.PASS, source=SOURCES[target]),
        )

    def _apart(self, target: FederationTarget, rule: Apart) -> RuleResult:
        found = self._found(rule)
        kinds = kinds_of(use for side in (rule.one, rule.other) for use in side.surely | side.perhaps)
        met = found.surely if found.surely.total else found.perhaps
        lacks = [] if found.surely.total else list(self._doubts(rule, met))
        lacks += _not_known([each for each in self._parties if not each.is_known(kinds)], kinds)
        return RuleResult(
            id=rule.id,
            asks=rule.asks,
            verdict=Verdict.FAIL if found.surely.total else Verdict.UNKNOWN if met.total or lacks else Verdict.PASS,
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
            self._met[sides] = _Found(surely, NO_COLLISIONS if surely.total else self._rows.perhaps(rule))
        return self._met[sides]

    def _doubts(self, rule: Apart, met: Collisions) -> Iterator[str]:
        """Why it is not sure that what was met is in the way."""
        owners = sorted({owner for each in met.ranges for owner, _ in each.owners})
        perhaps = rule.one.perhaps | rule.other.perhaps
        using = {use: [self._parties[owner].name for owner in owners if use in self._uses[owner]] for use in Use}
        unsure = sorted({name for use in PODS_OF_UNKNOWN_REACH & perhaps for name in using[use]})
        if unsure:
            yield reach_not_known(listed(unsure))
        if Use.LOADBALANCER_POOL in perhaps and using[Use.LOADBALANCER_POOL]:
            yield f"What the load balancer pools of {listed(using[Use.LOADBALANCER_POOL])} will hand out is not known."
        if owners and perhaps & NODES:
            yield "Which nodes are the gateways is not known: choose others than these."

    def _global_range(self, target: FederationTarget) -> RuleResult:
        met = self._rows.inside(_GLOBAL)
        lacks = _not_known([each for each in self._parties if not each.is_known(PLANNED_KINDS)], PLANNED_KINDS)
        because = f"Globalnet hands out addresses of {_GLOBAL}: give the broker another --globalnet-cidr-range."
        return RuleResult(
            id="global-range-free",
            asks=f"No cluster uses addresses of Globalnet's own range, {_GLOBAL} unless the broker was told another.",
            verdict=Verdict.FAIL if met.total else Verdict.UNKNOWN if lacks else Verdict.PASS,
            source=SOURCES[target],
            because=(because,) if met.total else (),
            lacks=tuple(lacks),
            ranges=tuple(map(self._range, met.ranges)),
            range_count=met.total,
        )

    def _range(self, met: Collided) -> RangeInTheWay:
        using = sorted(
            (Using(cluster=self._parties[owner].name, kinds=kinds) for owner, kinds in met.owners), key=_name
        )
        return RangeInTheWay(cidr=str(met.prefix), clusters=len(using), using=tuple(using[:MOST_NAMED]))

    def renumberings(self, rules: Sequence[RuleResult]) -> Iterator[str]:
        """What the smallest cluster of each of the worst ranges that are surely in the way has to change."""
        failing = {each.cidr: each for rule in rules if rule.verdict is Verdict.FAIL for each in rule.ranges}
        changes: dict[tuple[Using, str], list[str]] = {}
        for each in failing.values():
            others = f", and all but one of the other {each.clusters - 1}" if each.clusters > 2 else ""  # noqa: PLR2004 - there is one other
            changes.setdefault((self._smallest(each), others), []).append(each.cidr)
        for (using, others), cidrs in islice(changes.items(), _MOST_RENUMBERED):
            yield self._renumbering(using, others, cidrs)

    def _smallest(self, met: RangeInTheWay) -> Using:
        return min(met.using, key=lambda using: (self._nodes[using.cluster], using.cluster))

    def _renumbering(self, using: Using, others: str, cidrs: Sequence[str]) -> str:
        name, nodes = using.cluster, self._nodes[using.cluster]
        what = " and another ".join(_RANGES.get(kind, "range") for kind in using.kinds)
        size = f" ({nodes:,} nodes)" if nodes else ""
        plan = f"'periplus plan --cluster {quote(name)}' proposes what is free"
        return f"Of {listed(cidrs)}: give {name}{size} another {what}{others}; {plan}."


def _name(using: Using) -> str:
    return using.cluster


def _not_known(parties: Sequence[Party], kinds: Sequence[AllocationKind]) -> list[str]:
    """Of whom not all that matters is known, why, and what to do; of the first few each."""
    told = [_why(each, kinds) for each in parties[:_MOST_TOLD]]
    more = parties[_MOST_TOLD:]
    return [*told, f"Not all is known of {listed([each.name for each in more])} either."] if more else told


def _why(party: Party, kinds: Sequence[AllocationKind]) -> str:
    name = party.name
    if party.is_planned:
        lacking = [_RANGES.get(kind, f"{kind} addresses") for kind in kinds if kind not in party.given]
        return f"The plan of {name} does not say: {listed(lacking)}."
    if party.knowledge is Knowledge.PENDING:
        return f"{name} waits for approval, so nothing is known of it: 'periplus clusters approve {name}'."
    if party.knowledge is Knowledge.UNREAD:
        return f"Nothing is known of {name} yet: see 'periplus clusters show {name}'."
    lacks = f"{listed([each.source for each in party.missing])}: {party.missing[0].remedy}" if party.missing else ""
    if party.knowledge is Knowledge.STALE:
        return f"The spoke of {name} is silent: look at its pod and log.{f' Before, it lacked {lacks}' * bool(lacks)}"
    return f"Not all addresses of {name} are known without {lacks}"
