"""The whole schema, assembled from every slice's part. Printed to hub/schema.graphql, which reviews diff."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Annotated, Final

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from periplus_hub.access import graphql as access
from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.addresses import graphql as addresses
from periplus_hub.addresses import graphql_mutations as addresses_mutations
from periplus_hub.addresses import graphql_nodes as nodes
from periplus_hub.addresses.graphql_knowledge import ClusterKnowledge
from periplus_hub.addresses.graphql_types import OverlapGroup
from periplus_hub.api.graphql_audit import AuditedObject
from periplus_hub.api.graphql_executor import CompiledExecutor
from periplus_hub.api.graphql_subscription import Subscription
from periplus_hub.findings import graphql as findings
from periplus_hub.fleet import graphql as fleet
from periplus_hub.fleet import graphql_mutations as fleet_mutations
from periplus_hub.ingest import graphql as ingest
from periplus_hub.inventory import graphql as inventory
from periplus_hub.inventory import graphql_objects as objects
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql import extend, split_id
from periplus_hub.kit.graphql_scalars import SCALARS
from periplus_hub.kit.graphql_types import Node

Finder = Callable[[ReadConnection, Scope, tuple[str, ...]], Awaitable[Node | None]]


def _object(kind: str) -> Finder:
    return lambda c, scope, parts: objects.object_node(c, scope, kind, parts)


FINDERS: Final[Mapping[str, Finder]] = {
    "ApiToken": access.api_token_node,
    "AuditEvent": access.audit_event_node,
    "Cluster": fleet.cluster_node,
    "NetworkDomain": fleet.domain_node,
    "JoinToken": fleet.join_token_node,
    "OverlapAcceptance": addresses.acceptance_node,
    "Finding": findings.finding_node,
    "Allocation": nodes.allocation_node,
    "Pool": nodes.pool_node,
    "DomainLink": fleet.link_node,
    "Completeness": ingest.completeness_node,
    "QuarantineEntry": ingest.quarantine_node,
    **{kind: _object(kind) for kind in objects.OBJECTS},
}
"""How `node` finds each kind of id again; a meta test demands one for every type with an id."""


@strawberry.type
class NodeQuery:
    """Relay's entry."""

    @strawberry.field(description="The thing with this id; null when there is none, or not for you.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="An id from an answer of this API.")],  # noqa: A002 - Relay's name
    ) -> Node | None:
        """By the kind that the id begins with."""
        kind, parts = split_id(id)
        context = info.context
        if kind == OverlapGroup.__name__:
            now = context.now
            return await context.read(addresses.group_node, parts, now)
        finder = FINDERS.get(kind)
        if finder is None:
            raise Invalid(f"'{id[:80]}' is not an id of this API", "Copy the id from an answer of this API.")
        return await context.read(finder, parts)


extend(
    fleet.Cluster,
    ingest.ClusterIngest,
    inventory.ClusterInventory,
    addresses.ClusterAddresses,
    ClusterKnowledge,
    findings.ClusterFindings,
)
extend(access.AuditEvent, AuditedObject)
Query: Final = merge_types(
    "Query",
    (
        NodeQuery,
        access.AccessQuery,
        fleet.FleetQuery,
        ingest.IngestQuery,
        inventory.InventoryQuery,
        addresses.AddressesQuery,
        findings.FindingsQuery,
    ),
)
Mutation: Final = merge_types(
    "Mutation",
    (
        access.AccessMutation,
        fleet_mutations.FleetMutation,
        addresses_mutations.AddressesMutation,
        findings.FindingsMutation,
    ),
)


@cache
def build_schema() -> strawberry.Schema:
    """The schema on our executor, made once per process. No suggestions: they tell strangers what exists."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=(*objects.OBJECTS.values(), access.ApiToken, access.AuditEvent),
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
        execution_context_class=CompiledExecutor,
    )


def schema_text() -> str:
    """The schema as it is committed."""
    return f"# Generated from the code by `make docs`. Do not edit.\n\n{build_schema().as_str()}\n"
