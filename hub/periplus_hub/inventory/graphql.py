"""What inventory knows of a cluster: its facts, counts, sources and contents; and whose an address was."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry

from periplus_contract.limits import SKEW_WARNING_S
from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.inventory import repository, repository_owners
from periplus_hub.inventory.config import InventoryConfig
from periplus_hub.inventory.graphql_objects import Endpoint, KubernetesNode, Namespace, Pod, Service, Workload
from periplus_hub.inventory.graphql_texts import ClusterAlias
from periplus_hub.inventory.model import InventoryFilter, Owner, Ownership, shown, why_unknown
from periplus_hub.inventory.repository_graphql import LISTINGS
from periplus_hub.inventory.repository_owners import MAX_OWNERS
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.graphql import uuid_of
from periplus_hub.kit.graphql_parsed import parsed
from periplus_hub.kit.graphql_prices import at_most, paged
from periplus_hub.kit.graphql_scalars import BigInt, IpAddress
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages
from periplus_hub.kit.windows import window_of

_AHEAD: Final = timedelta(seconds=SKEW_WARNING_S)
"""How far an asker's clock may be ahead of ours: less is now."""

MAX_CANDIDATES: Final = 50
"""Of an ambiguous address: enough to see what is wrong."""

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
    """inventory.model.ClusterFacts."""

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


@strawberry.type(description="Who had an address, in one network domain.")
class AddressOwner:
    """inventory.model.Owner."""

    registration_id: strawberry.Private[UUID]
    domain_id: strawberry.Private[UUID]
    kind: str = strawberry.field(description="pod, service or node.")
    uid: str = strawberry.field(description="Its uid in Kubernetes.")
    namespace: str | None = strawberry.field(description="Its namespace; null for nodes.")
    name: str = strawberry.field(description="Its name.")
    workload_kind: str | None = strawberry.field(description="The kind at the top of its owner chain.")
    workload_name: str | None = strawberry.field(description="The name at the top of its owner chain.")
    node: str | None = strawberry.field(description="The node it runs on.")
    zone: str | None = strawberry.field(description="The zone it is in.")
    valid_from: datetime = strawberry.field(description="Since when it has the address.")
    valid_to: datetime | None = strawberry.field(description="Until when; null is still.")
    rule: str = strawberry.field(description="Which rule decided.")

    @classmethod
    def of(cls, owner: Owner) -> "AddressOwner":
        """The same as a GraphQL type; the rank stays inside."""
        names = (each for each in Owner.__dataclass_fields__ if each != "rank")
        return cls(**{name: getattr(owner, name) for name in names})

    @strawberry.field(description="The cluster it is in.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all owners of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @strawberry.field(description="The network domain the answer is about.")
    async def network_domain(self, info: Info) -> NetworkDomain:
        """One statement for all owners of the answer."""
        return cast("NetworkDomain", await info.context.load(fleet.domains_by_ids, self.domain_id))


@strawberry.type(description="Exactly one thing had the address.")
class AddressOwned:
    """The good case."""

    owner: AddressOwner = strawberry.field(description="Who.")


@strawberry.type(description="Several things of equal rank had the address; nobody guesses.")
class AddressAmbiguous:
    """Name a network domain to narrow it down."""

    candidates: list[AddressOwner] = strawberry.field(
        description=f"The first {MAX_CANDIDATES} of them; name a network domain to see others.",
        directives=at_most(MAX_CANDIDATES),
    )
    candidate_count: int = strawberry.field(
        description=f"How many there are, among the first {MAX_OWNERS:,} claims of the address."
    )
    reason: str = strawberry.field(description="Why it is not clear.")


@strawberry.type(description="Nothing known had the address, or it cannot be known.")
class AddressUnknown:
    """Zero is not unknown: the reason says what was looked at."""

    reason: str = strawberry.field(description="Why there is no answer.")


AddressAnswer = Annotated[
    AddressOwned | AddressAmbiguous | AddressUnknown,
    strawberry.union("AddressAnswer", description="Whose an address was, as far as it is known."),
]


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
                objects=None if each.objects is None else BigInt(each.objects),
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


@strawberry.type
class InventoryQuery:
    """Root fields of this slice."""

    @strawberry.field(description="Whose an address was. Addresses mean something only in a domain and at a time.")
    async def address_owner(
        self,
        info: Info,
        ip: Annotated[IpAddress, strawberry.argument(description="The address.")],
        domain: Annotated[
            strawberry.ID | None, strawberry.argument(description="The network domain; null looks in all.")
        ] = None,
        at: Annotated[
            datetime | None, strawberry.argument(description="When; null is now. Nobody knows the future.")
        ] = None,
    ) -> AddressAnswer:
        """Two owners of equal rank, or owners in two domains, are ambiguous."""
        context = info.context
        now = context.now
        if at is not None and at - now > _AHEAD:
            text = f"{shown(at)} is in the future (it is {shown(now)}): nobody knows yet who will have {ip}"
            return AddressUnknown(reason=text)
        when = min(at or now, now)
        domain_id = None if domain is None else uuid_of(domain, "NetworkDomain")

        async def read(c: ReadConnection, scope: Scope) -> tuple[list[Ownership], datetime | None]:
            found = await repository_owners.address_owner(c, scope, ip, domain_id, when)
            if found:
                return found, None
            return found, await repository_owners.first_inventory_at(c, scope, domain_id, when)

        found, first_at = await context.read(read)
        looked = f"{ip} in {'any network domain' if domain is None else 'this network domain'}"
        owners = [AddressOwner.of(owner) for ownership in found for owner in ownership.owners]
        if not owners:
            kept_days = context.setting(InventoryConfig).identity_days
            return AddressUnknown(reason=why_unknown(looked, when, now, first_at, kept_days=kept_days))
        if len(owners) == 1:
            return AddressOwned(owner=owners[0])
        many = "several network domains use it" if len(found) > 1 else "several things of equal rank claim it"
        return AddressAmbiguous(candidates=owners[:MAX_CANDIDATES], candidate_count=len(owners), reason=many)
