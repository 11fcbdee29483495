"""What the hub answers about how complete a cluster's data are."""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import door, token_for

_QUERY = """query($cluster: ID!) { ingestCompleteness(cluster: $cluster, first: 1000) { nodes {
  kind collected settled folded rejected queued dropped { reason rows }
} } }"""


@dataclass(frozen=True)
class Hour:
    """Of one kind and hour."""

    kind: str
    collected: int
    settled: int
    folded: int
    rejected: int
    queued: int
    dropped: dict[str, int]


async def completeness(db: Database, scope: Scope, registration_id: UUID) -> list[Hour]:
    """Every hour of the cluster, newest first."""
    token = await token_for(db, scope, Role.VIEWER)
    answer = await door(db, cast("FakeClock", db.clock)).ask(_QUERY, token, cluster=f"Cluster:{registration_id}")
    return [
        Hour(
            kind=node["kind"],
            **{name: int(node[name]) for name in ("collected", "settled", "folded", "rejected", "queued")},
            dropped={each["reason"]: int(each["rows"]) for each in node["dropped"]},
        )
        for node in answer.good["ingestCompleteness"]["nodes"]
    ]
