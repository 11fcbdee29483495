"""Pre-flight as people see it."""

from datetime import datetime

import strawberry

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.model import FederationTarget, NamedClusters
from periplus_hub.addresses.preflight import model
from periplus_hub.addresses.preflight.model import Verdict
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_scalars import Cidr

strawberry.enum(
    Verdict,
    name="PreflightVerdict",
    description="FAIL: what is known is in the way. UNKNOWN: nothing known is, but not all is known. PASS: nothing is.",
)


@strawberry.type(description="How many clusters, and the first of them by name.")
class PreflightClusters:
    """addresses.overlaps.model.NamedClusters."""

    count: int = strawberry.field(description="How many.")
    names: list[str] = strawberry.field(description="The first 20 by name.", directives=at_most(20))

    @classmethod
    def of(cls, some: NamedClusters) -> "PreflightClusters":
        """As lists."""
        return cls(count=some.clusters, names=list(some.names))


@strawberry.type(description="A cluster with what it uses of a range in the way.")
class PreflightUse:
    """addresses.preflight.model.Using."""

    cluster_name: str = strawberry.field(description="The cluster.")
    kinds: list[AllocationKind] = strawberry.field(description="What it uses there for.", directives=at_most(2))


@strawberry.type(description="A range that people entered or reserved, in their words.")
class PreflightEnteredRange:
    """addresses.preflight.model.RangeOfPeople."""

    cidr: Cidr = strawberry.field(description="The range.")
    what: str = strawberry.field(description='What for, like "vpc" or "reserved for pods".')
    name: str = strawberry.field(description="What it is called, or the cluster it is reserved for; may be empty.")
    owner: str = strawberry.field(description="Whom to ask about it; may be empty.")
    note: str = strawberry.field(description="What else is worth knowing; may be empty.")
    network_domain: str = strawberry.field(description="The network domain's name; empty for a reservation.")

    @classmethod
    def of(cls, found: model.RangeOfPeople) -> "PreflightEnteredRange":
        """Word by word."""
        return cls(
            cidr=Cidr(found.cidr), what=found.what, name=found.name, owner=found.owner, note=found.note,
            network_domain=found.network_domain,
        )  # fmt: skip


@strawberry.type(description="An outermost range in which clusters collide, with each other or with what people said.")
class PreflightRange:
    """addresses.preflight.model.RangeInTheWay."""

    cidr: Cidr = strawberry.field(description="The range.")
    cluster_count: int = strawberry.field(description="How many clusters collide in it.")
    uses: list[PreflightUse] = strawberry.field(description="The first 20 of them by name.", directives=at_most(2))
    entered: list[PreflightEnteredRange] = strawberry.field(
        description="What people entered or reserved and clusters collide with; two where these collide with each "
        "other, none where clusters do.",
        directives=at_most(1),
    )


@strawberry.type(description="A rule of a way of joining clusters, and its verdict.")
class PreflightRule:
    """addresses.preflight.model.RuleResult."""

    name: str = strawberry.field(description="A slug, the same for ever.")
    asks: str = strawberry.field(description="What it asks of the clusters.")
    verdict: Verdict = strawberry.field(description="Whether they keep it.")
    source: str = strawberry.field(description="The page that the rule is from.")
    because: list[str] = strawberry.field(description="What breaks where it is not kept.", directives=at_most(1))
    lacks: list[str] = strawberry.field(
        description="What is not known, and what to do about it. A rule that fails fails all the same.",
        directives=at_most(2),
    )
    trusts: list[str] = strawberry.field(
        description="What people said that the verdict rests on.", directives=at_most(1)
    )
    ranges: list[PreflightRange] = strawberry.field(
        description="The first 20 ranges in the way, those of most clusters first.", directives=at_most(2)
    )
    range_count: int = strawberry.field(description="How many ranges are in the way.")

    @classmethod
    def of(cls, rule: model.RuleResult) -> "PreflightRule":
        """With lists."""
        ranges = [
            PreflightRange(
                cidr=Cidr(each.cidr),
                cluster_count=each.clusters,
                uses=[PreflightUse(cluster_name=using.cluster, kinds=list(using.kinds)) for using in each.using],
                entered=list(map(PreflightEnteredRange.of, each.entered)),
            )
            for each in rule.ranges
        ]
        return cls(
            name=rule.id, asks=rule.asks, verdict=rule.verdict, source=rule.source, because=list(rule.because),
            lacks=list(rule.lacks), trusts=list(rule.trusts), ranges=ranges, range_count=rule.range_count,
        )  # fmt: skip


@strawberry.type(description="A range that a cluster would have to change for a way to be open.")
class PreflightMove:
    """addresses.preflight.model.Move."""

    cluster_name: str = strawberry.field(description="The cluster.")
    kind: AllocationKind = strawberry.field(description="What for.")
    cidr: Cidr | None = strawberry.field(
        description="A free range for it, apart from those of all other moves of the answer; null where there is none."
    )
    why: str = strawberry.field(description="Where its size comes from, or why there is none.")
    instead_of: list[Cidr] = strawberry.field(
        description="The ranges in the way that it has a part in.", directives=at_most(2)
    )

    @classmethod
    def of(cls, move: model.Move) -> "PreflightMove":
        """With a list."""
        return cls(
            cluster_name=move.cluster, kind=move.kind, cidr=None if move.cidr is None else Cidr(move.cidr),
            why=move.why, instead_of=list(map(Cidr, move.instead_of)),
        )  # fmt: skip


@strawberry.type(description="Whether the clusters can be joined in one way.")
class PreflightWay:
    """addresses.preflight.model.WayResult."""

    target: FederationTarget = strawberry.field(description="The way.")
    name: str = strawberry.field(description="Its name for people.")
    verdict: Verdict = strawberry.field(description="The worst of its rules.")
    rules: list[PreflightRule] = strawberry.field(description="Its rules.", directives=at_most(4))
    ways_out: list[str] = strawberry.field(
        description="What to do where it does not pass, what costs least first.", directives=at_most(4)
    )
    moves: list[PreflightMove] = strawberry.field(
        description="Who would have to move, and where to: the first 20, the cheapest first.", directives=at_most(3)
    )
    move_count: int = strawberry.field(description="How many moves there would be.")

    @classmethod
    def of(cls, way: model.WayResult) -> "PreflightWay":
        """With lists."""
        return cls(
            target=way.target, name=way.target.full_name, verdict=way.verdict,
            rules=[PreflightRule.of(each) for each in way.rules], ways_out=list(way.ways_out),
            moves=[PreflightMove.of(each) for each in way.moves], move_count=way.move_count,
        )  # fmt: skip


@strawberry.type(description="Whether clusters can be joined, as of now.")
class Preflight:
    """addresses.preflight.model.Preflight."""

    as_of: datetime = strawberry.field(description="The moment that it stands for.")
    clusters: PreflightClusters = strawberry.field(description="The clusters that were judged.")
    not_known_whole: PreflightClusters = strawberry.field(
        description="Those of which not all is known: no rule about what is missing passes."
    )
    not_looked_at: list[str] = strawberry.field(description="What is in none of the verdicts.", directives=at_most(2))
    verdict: Verdict = strawberry.field(description="The worst of the ways asked for.")
    ways: list[PreflightWay] = strawberry.field(description="The ways asked for.", directives=at_most(12))


@strawberry.input(
    description="A cluster that is not built yet. Of what is left out, nothing is known but what is reserved for it."
)
class PlannedClusterInput:
    """addresses.preflight.model.PlannedCluster."""

    name: str = strawberry.field(description="A name that no cluster of the question has.")
    domain: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the network domain that it will be in."
    )
    pods: list[Cidr] = strawberry.field(default_factory=list, description="The ranges of its pods.")
    services: list[Cidr] = strawberry.field(default_factory=list, description="The ranges of its services.")
    nodes: list[Cidr] = strawberry.field(default_factory=list, description="The ranges of its nodes.")
    load_balancers: list[Cidr] = strawberry.field(default_factory=list, description="The ranges of its load balancers.")
