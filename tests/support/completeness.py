"""What the hub answers about how complete a cluster's data are."""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Answer, door, token_for

_QUERY = """query($cluster: ID!) { ingestCompleteness(cluster: $cluster, first: 1000) { nodes {
  kind collected settled folded rejected queued excess dropped { reason rows }
} } }"""
_BY_HOUR = """query($id: ID!, $kind: String!, $since: DateTime, $until: DateTime) { cluster(id: $id) {
  completenessByHour(kind: $kind, since: $since, until: $until) { hourStart completeness { collected settled excess } }
} }"""


@dataclass(frozen=True)
class Hour:
    """Of one kind and hour."""

    kind: str
    collected: int
    settled: int
    folded: int
    rejected: int
    excess: int
    queued: int | None
    dropped: dict[str, int]


async def completeness(db: Database, scope: Scope, registration_id: UUID) -> list[Hour]:
    """Every hour of the cluster, newest first."""
    token = await token_for(db, scope, Role.VIEWER)
    answer = await door(db, cast("FakeClock", db.clock)).ask(_QUERY, token, cluster=f"Cluster:{registration_id}")
    return [
        Hour(
            kind=node["kind"],
            **{name: int(node[name]) for name in ("collected", "settled", "folded", "rejected", "excess")},
            queued=None if node["queued"] is None else int(node["queued"]),
            dropped={each["reason"]: int(each["rows"]) for each in node["dropped"]},
        )
        for node in answer.good["ingestCompleteness"]["nodes"]
    ]


async def by_hour(db: Database, scope: Scope, registration_id: UUID, **asked: str) -> Answer:
    """Of each hour of a time, whether anything was told of it or not."""
    token = await token_for(db, scope, Role.VIEWER)
    cluster = f"Cluster:{registration_id}"
    return await door(db, cast("FakeClock", db.clock)).ask(_BY_HOUR, token, id=cluster, **{"kind": "flows", **asked})
