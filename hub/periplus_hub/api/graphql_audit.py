"""What an audit event is about, as the thing itself: the events know only its id."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import strawberry

from periplus_hub.access import graphql as access
from periplus_hub.access import repository_graphql as access_repository
from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.addresses import graphql_types as addresses
from periplus_hub.addresses import repository_graphql as addresses_repository
from periplus_hub.findings import graphql as findings
from periplus_hub.findings import repository_graphql as findings_repository
from periplus_hub.fleet import graphql as fleet
from periplus_hub.fleet import repository_graphql as fleet_repository
from periplus_hub.kit.graphql import Batch, from_row, split_id
from periplus_hub.kit.graphql_types import Node

_KINDS: Final[Mapping[str, tuple[type[Node], Batch[Scope, UUID, Any]]]] = {
    "ApiToken": (access.ApiToken, access_repository.tokens_by_ids),
    "Cluster": (fleet.Cluster, fleet_repository.clusters_by_ids),
    "Finding": (findings.Finding, findings_repository.findings_by_ids),
    "JoinToken": (fleet.JoinToken, fleet_repository.join_tokens_by_ids),
    "NetworkDomain": (fleet.NetworkDomain, fleet_repository.domains_by_ids),
    "OverlapAcceptance": (addresses.OverlapAcceptance, addresses_repository.acceptance_rows),
}


@strawberry.type
class AuditedObject:
    """Fields this slice adds to AuditEvent."""

    object_id: strawberry.Private[strawberry.ID]

    @strawberry.field(description="The object as it is now; null when it is gone, or is the tenant itself.")
    async def object(self, info: Info) -> Node | None:
        """One statement for all events about one kind of object."""
        kind, parts = split_id(self.object_id)
        found, read = _KINDS.get(kind, (None, None))
        if found is None or read is None:
            return None
        row = await info.context.load(read, UUID(parts[0]))
        return None if row is None else from_row(found, row)
