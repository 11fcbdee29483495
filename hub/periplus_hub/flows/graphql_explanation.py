"""Why flows take an address for whose it is."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.fleet.graphql_asked import cluster_asked
from periplus_hub.flows import service_explanation
from periplus_hub.flows.engine.explained import AddressView, Holder, HolderReason, RankOutcome
from periplus_hub.flows.graphql_ends import FlowEnd, cluster_of, flow_end
from periplus_hub.inventory.config import InventoryConfig
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_prices import Cost, at_most
from periplus_hub.kit.graphql_scalars import IpAddress

MOST_VIEWS: Final = 50
MOST_HOLDERS: Final = 50
MOST_CANDIDATES: Final = 10

strawberry.enum(
    RankOutcome,
    name="AddressRankOutcome",
    description="DECIDED: the first lookup that found anybody, and one alone; AMBIGUOUS: the first, and it found "
    "several; OUTRANKED: it found somebody, and an earlier one decided; NOBODY: nobody had the address there; "
    "NOT_CONNECTED: there is no network domain that it looks in; NOT_PUBLIC: the address means something in one "
    "network only.",
)
strawberry.enum(
    HolderReason,
    name="AddressHolderOutcome",
    description="DECIDED: it is the answer, or one of its candidates; OUTRANKED: a lookup finds it, and an earlier one "
    "decided; OTHER_TIME: it had the address in this hour, but not in this minute; OTHER_CLUSTER: what means something "
    "in its own cluster only, like the ClusterIP of a service; BEHIND_NAT: a pod behind NAT, where only nodes and what "
    "services publish show; NOT_CONNECTED: its network domain is not connected with this one; NOT_MEMBER: its cluster "
    "was no member then.",
)


@strawberry.type(description="One lookup of an address, in the order in which they are tried.")
class AddressRank:
    """engine.explained.RankSaid."""

    rule: str = strawberry.field(description="As DependencyEnd.rules has it.")
    outcome: RankOutcome = strawberry.field(description="What became of it.")
    owners: list[FlowEnd] = strawberry.field(
        description=f"Whom it found; the first {MOST_CANDIDATES} of several.", directives=at_most(2)
    )


@strawberry.type(description="Something that had the address in the hour of the asked time.")
class AddressHolder:
    """engine.explained.Holder."""

    owner: FlowEnd = strawberry.field(description="What it is.")
    layer: str = strawberry.field(
        description="pod; internalip or externalip of a node; clusterip or published (load balancer, "
        "external IP) of a service; clusterrange: a range of a cluster that is reached from "
        "outside it; innerrange: one that is not; enteredrange: a range that somebody "
        "entered; import: a service of other clusters as this one imports it; entry: a host "
        "or workload outside, as a mesh has it; gateway: a door of another cluster; "
        "outergateway: of a cluster that is not known; global: a service or pod as other "
        "clusters reach it; egress: where connections of a cluster seem to come from; range: "
        "of another cluster, as this one knows it; remotepod and endpoint: behind a service "
        "of another cluster."
    )
    valid_from: datetime = strawberry.field(description="Since when it has the address.")
    valid_to: datetime | None = strawberry.field(description="Until when; null is still.")
    rule: str | None = strawberry.field(description="The first lookup that looks there; null where none does.")
    outcome: HolderReason = strawberry.field(description="Why it is the answer, or is not.")

    @classmethod
    def of(cls, holder: Holder) -> "AddressHolder":
        """The same as a GraphQL type."""
        return cls(
            owner=flow_end(holder.end),
            layer=holder.layer,
            valid_from=_moment(holder.since_us),
            valid_to=None if holder.until_us is None else _moment(holder.until_us),
            rule=holder.rule,
            outcome=holder.reason,
        )


@strawberry.type(description="Whose an address is, from where somebody stands.")
class ExplainedView:
    """engine.explained.AddressView."""

    viewer_id: strawberry.Private[UUID | None]
    domain_id: strawberry.Private[UUID]
    owner: FlowEnd = strawberry.field(description="What flows take the address for.")
    rule: str = strawberry.field(
        description="The lookup that decided; outside: a public address of nobody known; unknown: none found anybody."
    )
    candidates: list[FlowEnd] = strawberry.field(
        description=f"Of an ambiguous address the first {MOST_CANDIDATES} that it may be.", directives=at_most(2)
    )
    ranks: list[AddressRank] = strawberry.field(
        description="Every lookup. Those in the own cluster are left out where a network domain looks.",
        directives=at_most(32),
    )
    holders: list[AddressHolder] = strawberry.field(
        description=f"The first {MOST_HOLDERS} that had the address in the hour, anywhere.", directives=at_most(4)
    )
    holder_count: int = strawberry.field(description="How many there are.")

    @classmethod
    def of(cls, view: AddressView) -> "ExplainedView":
        """The same as a GraphQL type."""
        return cls(
            viewer_id=view.viewer,
            domain_id=view.domain_id,
            owner=flow_end(view.owner),
            rule=view.rule,
            candidates=[flow_end(each) for each in view.candidates],
            ranks=[
                AddressRank(rule=each.rule, outcome=each.outcome, owners=[flow_end(end) for end in each.owners])
                for each in view.ranks
            ],
            holders=[AddressHolder.of(each) for each in view.holders[:MOST_HOLDERS]],
            holder_count=len(view.holders),
        )

    @strawberry.field(
        description="The cluster that looks; null where that is any cluster of the network domain that does not have "
        "the address itself."
    )
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all of the answer."""
        return await cluster_of(info, self.viewer_id)

    @strawberry.field(description="The network domain that it is, or was, in; null where that is gone.")
    async def network_domain(self, info: Info) -> NetworkDomain | None:
        """One statement for all of the answer."""
        return cast("NetworkDomain | None", await info.context.load(fleet.domains_by_ids, self.domain_id))


@strawberry.type(description="Whose an address is for flows, and why.")
class ExplainedAddress:
    """engine.explained.AddressExplanation."""

    at: datetime = strawberry.field(description="The minute that is meant: time is as fine as that here.")
    views: list[ExplainedView] = strawberry.field(
        description=f"From the asked cluster; or the first {MOST_VIEWS} of all network domains and of clusters that "
        "have the address themselves, those that know whose it is first.",
        directives=at_most(4),
    )
    view_count: int = strawberry.field(description="How many there are.")


@strawberry.type
class ExplanationQuery:
    """The root field of this question."""

    @strawberry.field(
        description="Why flows take an address for whose it is: every lookup that is tried, in order, and why others "
        "that have the address are not the answer. By the rules with which dependencies are resolved, and of what the "
        "inventory says now. Who has an address, with its details, is `addressOwner`.",
        directives=[Cost(weight=40)],
    )
    async def explain_address(
        self,
        info: Info,
        ip: Annotated[IpAddress, strawberry.argument(description="The address.")],
        at: Annotated[datetime | None, strawberry.argument(description="When; null is now.")] = None,
        cluster: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Seen from this cluster; null is from every network domain."),
        ] = None,
    ) -> ExplainedAddress:
        """Nothing is read of the flow store."""
        now = info.context.now
        kept_days = info.context.setting(InventoryConfig).identity_days
        when = now if at is None else at
        if when > now or when < now - timedelta(days=kept_days):
            msg = "the future is not known" if when > now else f"who had an address is kept for {kept_days} days"
            raise Invalid(msg, "Ask for a time since then, and not in the future.")
        viewers = await cluster_asked(info.context, cluster)
        viewer = viewers[0] if viewers else None
        found = await info.context.read(service_explanation.explain, ip, when, viewer=viewer)
        views = [ExplainedView.of(each) for each in found.views[:MOST_VIEWS]]
        return ExplainedAddress(at=datetime.fromtimestamp(found.at_s, UTC), views=views, view_count=len(found.views))


def _moment(time_us: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_us)
