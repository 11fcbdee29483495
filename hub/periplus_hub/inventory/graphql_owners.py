"""Whose an address was."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry

from periplus_contract.limits import SKEW_WARNING_S
from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.inventory import repository_owners
from periplus_hub.inventory.config import InventoryConfig
from periplus_hub.inventory.model import Owner, Ownership, shown, why_unknown
from periplus_hub.inventory.repository_owners import MAX_OWNERS
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.graphql import uuid_of
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_scalars import IpAddress

_AHEAD: Final = timedelta(seconds=SKEW_WARNING_S)
"""How far an asker's clock may be ahead of ours: less is now."""

MAX_CANDIDATES: Final = 50
"""Of an ambiguous address: enough to see what is wrong."""

MAX_LISTENING: Final = 50
"""Of the services on a node's address."""

_NAMESPACE: Final = "Its namespace."


@strawberry.type(description="A service that answers on ports of a node's address. The address is the node's.")
class AddressService:
    """inventory.model.ListeningService."""

    registration_id: strawberry.Private[UUID]
    uid: str = strawberry.field(description="Its uid in Kubernetes.")
    namespace: str = strawberry.field(description=_NAMESPACE)
    name: str = strawberry.field(description="Its name.")
    published_as: str = strawberry.field(
        description="Why it listens there: LoadBalancer (the address is in its status), ExternalIP (in its spec), or "
        "NodePort (on every node)."
    )


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
    services: list[AddressService] = strawberry.field(
        description=f"Of a node, the first {MAX_LISTENING} services that listen on its address. Those with a node port "
        "are known for now only: they are named of nodes that have the address now.",
        directives=at_most(MAX_LISTENING),
    )
    service_count: int = strawberry.field(description="How many such services there are.")

    @classmethod
    def of(cls, owner: Owner) -> "AddressOwner":
        """The same as a GraphQL type; the role stays inside."""
        names = (each for each in Owner.__dataclass_fields__ if each not in {"role", "services"})
        listening = [
            AddressService(
                registration_id=each.registration_id,
                uid=each.uid,
                namespace=each.namespace,
                name=each.name,
                published_as=each.role,
            )
            for each in owner.services[:MAX_LISTENING]
        ]
        return cls(
            **{name: getattr(owner, name) for name in names},
            rule=owner.rule,
            services=listening,
            service_count=len(owner.services),
        )

    @strawberry.field(description="The cluster it is in.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all owners of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @strawberry.field(description="The network domain the answer is about.")
    async def network_domain(self, info: Info) -> NetworkDomain:
        """One statement for all owners of the answer."""
        return cast("NetworkDomain", await info.context.load(fleet.domains_by_ids, self.domain_id))


@dataclass(frozen=True, slots=True)
class AskedAddress:
    """What an answer is about: an address, in a network domain or in all, at a time."""

    ip: str
    domain_id: UUID | None
    at: datetime


@strawberry.type(description="Exactly one thing had the address.")
class AddressOwned:
    """The good case."""

    asked: strawberry.Private[AskedAddress]
    owner: AddressOwner = strawberry.field(description="Who.")


@strawberry.type(description="Several things of equal rank had the address; nobody guesses.")
class AddressAmbiguous:
    """Name a network domain to narrow it down."""

    asked: strawberry.Private[AskedAddress]
    candidates: list[AddressOwner] = strawberry.field(
        description=f"The first {MAX_CANDIDATES} of them; name a network domain to see others.",
        directives=at_most(MAX_CANDIDATES),
    )
    candidate_count: int = strawberry.field(
        description=f"How many there are, among the first {MAX_OWNERS:,} that have the address."
    )
    reason: str = strawberry.field(description="Why it is not clear.")


@strawberry.type(description="Nothing known had the address, or it cannot be known.")
class AddressUnknown:
    """Zero is not unknown: the reason says what was looked at."""

    asked: strawberry.Private[AskedAddress]
    reason: str = strawberry.field(description="Why there is no answer.")


AddressAnswer = Annotated[
    AddressOwned | AddressAmbiguous | AddressUnknown,
    strawberry.union("AddressAnswer", description="Whose an address was, as far as it is known."),
]


@strawberry.type
class OwnerQuery:
    """The root field of this question."""

    @strawberry.field(
        description="Whose an address was. Addresses mean something only in a domain and at a time. How flows find out "
        "whose an address is, seen from a cluster, is `explainAddress`."
    )
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
        when = min(at or now, now)
        domain_id = None if domain is None else uuid_of(domain, "NetworkDomain")
        asked = AskedAddress(ip, domain_id, when)
        if at is not None and at - now > _AHEAD:
            text = f"{shown(at)} is in the future (it is {shown(now)}): nobody knows yet who will have {ip}"
            return AddressUnknown(asked=asked, reason=text)

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
            reason = why_unknown(looked, when, now, first_at, kept_days=kept_days)
            return AddressUnknown(asked=asked, reason=reason)
        if len(owners) == 1:
            return AddressOwned(asked=asked, owner=owners[0])
        many = "several network domains use it" if len(found) > 1 else "several things of equal rank have it"
        return AddressAmbiguous(
            asked=asked, candidates=owners[:MAX_CANDIDATES], candidate_count=len(owners), reason=many
        )
