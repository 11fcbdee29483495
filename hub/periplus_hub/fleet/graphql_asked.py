"""Which cluster or network domain a question is narrowed to.

One that is not there is refused: an empty list would read as if it were known that there is nothing. So is the empty
list of a cluster that is revoked.
"""

from collections.abc import Sequence
from uuid import UUID

import strawberry

from periplus_hub.access.scope import Scope
from periplus_hub.fleet import repository_graphql as repository
from periplus_hub.fleet.model import State
from periplus_hub.kit.errors import NotFound
from periplus_hub.kit.graphql import Context, uuid_of
from periplus_hub.kit.graphql_types import Pages


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
        raise _revoked(registration_id)
    return (registration_id,)


async def or_revoked(asked: Sequence[UUID], pages: Pages) -> Pages:
    """Pages narrowed to the clusters `asked`. What is left of a revoked one is told; nothing of it is refused."""
    for registration_id in asked:
        found = await pages.context.load(repository.clusters_by_ids, registration_id)
        if found is not None and found.state == State.REVOKED.value and not await pages.total():
            raise _revoked(registration_id)
    return pages


async def domain_asked(context: Context[Scope], asked: strawberry.ID | None) -> tuple[UUID, ...]:
    """The network domain to narrow to; nothing when none was asked for."""
    if asked is None:
        return ()
    domain_id = uuid_of(asked, "NetworkDomain")
    found = await context.load(repository.domains_by_ids, domain_id)
    if found is None or found.ended_at is not None:
        raise NotFound(f"there is no network domain {domain_id}", "List the domains and take an id from there.")
    return (domain_id,)


def _revoked(registration_id: UUID) -> NotFound:
    return NotFound(f"cluster {registration_id} is revoked", "Where it joined again, take its new id from the list.")


async def _cluster(context: Context[Scope], asked: strawberry.ID) -> tuple[UUID, str]:
    registration_id = uuid_of(asked, "Cluster")
    found = await context.load(repository.clusters_by_ids, registration_id)
    if found is None:
        raise NotFound(f"there is no cluster {registration_id}", "Look it up in the list of clusters.")
    return registration_id, found.state
