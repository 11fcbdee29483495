"""What inventory knows of a cluster: its facts, counts, sources and contents."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.inventory import repository
from periplus_hub.inventory.graphql_objects import Endpoint, KubernetesNode, Namespace, Pod, Service, Workload
from periplus_hub.inventory.graphql_texts import ClusterAlias
from periplus_hub.inventory.model import InventoryFilter
from periplus_hub.inventory.repository_graphql import LISTINGS
from periplus_hub.kit.graphql_parsed import parsed
from periplus_hub.kit.graphql_prices import at_most, paged
from periplus_hub.kit.graphql_scalars import BigInt, big
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages
from periplus_hub.kit.windows import window_of

NamespaceArgument = Annotated[str | None, strawberry.argument(description="Only in this namespace.")]
NameContains = Annotated[
    str | None, strawberry.argument(description="Only those whose name contains this, in any case.")
]
IncludeGone = Annotated[bool, strawberry.argument(description="Also pods whose time is over.")]


@strawberry.enum(description="Whether a spoke could read a kind of object.")
class SourceState(StrEnum):
    """The contract's words; later ones read as UNKNOWN."""

    OK = "ok"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    FAILED = "failed"
    SLOW = "slow"
    UNKNOWN = "unknown"


@strawberry.type(description="What a cluster says of itself. Null or empty is: it did not say.")
class ClusterFacts:
    """inventory.model.ClusterAsTold."""

    provider: str | None = strawberry.field(description="The cloud, like aws or gcp.")
    account: str | None = strawberry.field(description="Account, project or subscription.")
    region: str | None = strawberry.field(description="The region, when all nodes share one.")
    kubernetes_version: str | None = strawberry.field(description="Its server's version.")
    platform: str | None = strawberry.field(description="Like linux/amd64.")
    distribution: str | None = strawberry.field(description="Like eks, gke, k3s.")
    regions: list[str] = strawberry.field(description="Where its nodes are.", directives=at_most(10))
    zones: list[str] = strawberry.field(description="Where its nodes are.", directives=at_most(20))
    cnis: list[str] = strawberry.field(description="Its network plugins.", directives=at_most(5))
    aliases: list[ClusterAlias] = parsed(
        "aliases", ClusterAlias, ClusterAlias.of, description="What other systems call it.", about=5
    )
    clusterset: str | None = strawberry.field(description="Its ClusterSet (about.k8s.io).")
    clusterset_cluster_id: str | None = strawberry.field(description="Its id there.")
    observed_at: datetime = strawberry.field(description="When it said so.")


@strawberry.type(description="Live objects of a cluster.")
class ClusterCounts:
    """inventory.model.Counts."""

    namespaces: int | None = strawberry.field(description="How many namespaces; null when they cannot be read.")
    nodes: int | None = strawberry.field(description="How many nodes; null when they cannot be read.")
    workloads: int | None = strawberry.field(description="How many workloads; null when they cannot be read.")
    pods: int | None = strawberry.field(description="How many pods; null when they cannot be read.")
    services: int | None = strawberry.field(description="How many services; null when they cannot be read.")
    endpoints: int | None = strawberry.field(description="How many endpoints; null when they cannot be read.")


@strawberry.type(description="A kind of object a spoke tried to read.")
class Source:
    """inventory.model.Source."""

    name: str = strawberry.field(description="Like pods or networking.k8s.io/servicecidrs.")
    state: SourceState = strawberry.field(description="How it went.")
    reason: str | None = strawberry.field(description="A slug saying why it went wrong.")
    message: str | None = strawberry.field(description="What went wrong, for a person.")
    remedy: str | None = strawberry.field(description="What to do about it.")
    objects: BigInt | None = strawberry.field(description="How many there are; null when unknown.")
    as_of: datetime | None = strawberry.field(description="When it was last read completely.")
    observed_at: datetime = strawberry.field(description="When the spoke said so.")


def source_state(text: str) -> SourceState:
    """The word of a source; later words are unknown ones."""
    try:
        return SourceState(text)
    except ValueError:
        return SourceState.UNKNOWN


@strawberry.type
class ClusterInventory:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(description="What it says of itself; null until it said anything.")
    async def facts(self, info: Info) -> ClusterFacts | None:
        """The model has the same attributes."""
        found = await info.context.load(repository.cluster_facts_by_registration, self.registration_id)
        return cast("ClusterFacts | None", found)

    @strawberry.field(description="How much is in it; null until its inventory is here, which is not zero.")
    async def counts(self, info: Info) -> ClusterCounts | None:
        """The model has the same attributes."""
        found = await info.context.load(repository.counts_by_registration, self.registration_id)
        return cast("ClusterCounts | None", found)

    @strawberry.field(description="What its spoke tried to read, and how that went.", directives=at_most(20))
    async def sources(self, info: Info) -> list[Source]:
        """By name."""
        found = await info.context.load(repository.sources_by_registration, self.registration_id) or []
        return [
            Source(
                name=each.name,
                state=source_state(each.state),
                reason=each.reason,
                message=each.message,
                remedy=each.remedy,
                objects=big(each.objects),
                as_of=each.as_of,
                observed_at=each.observed_at,
            )
            for each in found
        ]

    @strawberry.field(description="Its nodes, in a stable order.", directives=paged(50, 10_000))
    async def nodes(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        name_contains: NameContains = None,
    ) -> Connection[KubernetesNode]:
        """core/v1 Nodes."""
        asked = InventoryFilter(name_contains=name_contains or "")
        listing = LISTINGS["KubernetesNode"]
        return Connection(
            pages=Pages(info.context, listing, self.registration_id, window_of(first, after, last, before), asked)
        )

    @strawberry.field(description="Its namespaces, in a stable order.", directives=paged(50, 10_000))
    async def namespaces(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        name_contains: NameContains = None,
    ) -> Connection[Namespace]:
        """core/v1 Namespaces."""
        asked = InventoryFilter(name_contains=name_contains or "")
        return Connection(
            pages=Pages(
                info.context, LISTINGS["Namespace"], self.registration_id, window_of(first, after, last, before), asked
            )
        )

    @strawberry.field(description="Its pods, in a stable order.", directives=paged(50, 10_000))
    async def pods(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        namespace: NamespaceArgument = None,
        name_contains: NameContains = None,
        include_gone: IncludeGone = False,
    ) -> Connection[Pod]:
        """Living ones unless asked otherwise."""
        asked = InventoryFilter(namespace=namespace or "", name_contains=name_contains or "", include_gone=include_gone)
        return Connection(
            pages=Pages(
                info.context, LISTINGS["Pod"], self.registration_id, window_of(first, after, last, before), asked
            )
        )

    @strawberry.field(description="Its services, in a stable order.", directives=paged(50, 10_000))
    async def services(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        namespace: NamespaceArgument = None,
        name_contains: NameContains = None,
    ) -> Connection[Service]:
        """core/v1 Services."""
        asked = InventoryFilter(namespace=namespace or "", name_contains=name_contains or "")
        return Connection(
            pages=Pages(
                info.context, LISTINGS["Service"], self.registration_id, window_of(first, after, last, before), asked
            )
        )

    @strawberry.field(description="Its workloads, in a stable order.", directives=paged(50, 10_000))
    async def workloads(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        namespace: NamespaceArgument = None,
        name_contains: NameContains = None,
    ) -> Connection[Workload]:
        """Tops of owner chains."""
        asked = InventoryFilter(namespace=namespace or "", name_contains=name_contains or "")
        return Connection(
            pages=Pages(
                info.context, LISTINGS["Workload"], self.registration_id, window_of(first, after, last, before), asked
            )
        )

    @strawberry.field(description="Its endpoints, in a stable order.", directives=paged(50, 10_000))
    async def endpoints(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        namespace: NamespaceArgument = None,
    ) -> Connection[Endpoint]:
        """Of EndpointSlices."""
        asked = InventoryFilter(namespace=namespace or "")
        return Connection(
            pages=Pages(
                info.context, LISTINGS["Endpoint"], self.registration_id, window_of(first, after, last, before), asked
            )
        )
