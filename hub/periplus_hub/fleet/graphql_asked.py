"""Which cluster or network domain a question is narrowed to.

One that is not there is refused: an empty list would read as if it were known that there is nothing.
"""

from uuid import UUID

import strawberry

from periplus_hub.access.scope import Scope
from periplus_hub.fleet import repository_graphql as repository
from periplus_hub.fleet.model import State
from periplus_hub.kit.errors import NotFound
from periplus_hub.kit.graphql import Context, uuid_of


async def cluster_asked(context: Context[Scope], asked: strawberry.ID | None) -> tuple[UUID, ...]:
    """The registration to narrow to, revoked or not; nothing when none was asked for."""
    if asked is None:
        return ()
    registration_id, _ = await _cluster(context, asked)
    return (registration_id,)


async def live_cluster_asked(context: Context[Scope], asked: strawberry.ID | None) -> tuple[UUID, ...]:
    """The same where a revoked one has nothing any more: whoever joins again has another id."""
    if asked is None:
        return ()
    registration_id, state = await _cluster(context, asked)
    if state == State.REVOKED.value:
        raise NotFound(f"cluster {registration_id} is revoked", "Where it joined again, take its new id from the list.")
    return (registration_id,)


async def domain_asked(context: Context[Scope], asked: strawberry.ID | None) -> tuple[UUID, ...]:
    """The network domain to narrow to; nothing when none was asked for."""
    if asked is None:
        return ()
    domain_id = uuid_of(asked, "NetworkDomain")
    found = await context.load(repository.domains_by_ids, domain_id)
    if found is None or found.ended_at is not None:
        raise NotFound(f"there is no network domain {domain_id}", "List the domains and take an id from there.")
    return (domain_id,)


async def _cluster(context: Context[Scope], asked: strawberry.ID) -> tuple[UUID, str]:
    registration_id = uuid_of(asked, "Cluster")
    found = await context.load(repository.clusters_by_ids, registration_id)
    if found is None:
        raise NotFound(f"there is no cluster {registration_id}", "Look it up in the list of clusters.")
    return registration_id, found.state
