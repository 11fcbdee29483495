"""Agents of the nodes of a cluster."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.fleet import repository_graphql_agents as repository
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.fleet.model import CONNECTED_WITHIN, AgentEnd, Liveness
from periplus_hub.fleet.repository_graphql import clusters_by_ids
from periplus_hub.fleet.repository_graphql_agents import AgentFilter
from periplus_hub.kit.graphql import RowBacked
from periplus_hub.kit.graphql_prices import Cost, paged
from periplus_hub.kit.graphql_scalars import BigInt
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Node, Pages
from periplus_hub.kit.windows import window_of

strawberry.enum(AgentEnd, name="AgentEnd", description="Why an agent may not send any more.")


@strawberry.type(description="The agent of a node. What it sends belongs to its cluster.")
class NodeAgent(RowBacked, Node):
    """A row of the table `agents`."""

    registration_id: strawberry.Private[UUID]
    node_name: str = strawberry.field(description="What Kubernetes calls the node.")
    join_token: str = strawberry.field(description="The public part of the join token it came with.")
    spoke_version: str = strawberry.field(description="What it runs.")
    contract: str = strawberry.field(description="The contract version it spoke when it joined.")
    joined_at: datetime = strawberry.field(description="When it joined.")
    last_seen_at: datetime = strawberry.field(description="When it last spoke; at first when it joined.")
    clock_skew_ms: BigInt | None = strawberry.field(description="Its clock minus ours, in ms; null until it spoke.")
    queued_batches: BigInt | None = strawberry.field(description="Batches waiting in its outbox when it last said so.")
    queued_bytes: BigInt | None = strawberry.field(description="Bytes waiting in its outbox when it last said so.")
    earlier: int = strawberry.field(
        description="How many agents of this node were superseded before it, one by one; each had lost its state."
    )
    end: AgentEnd | None = strawberry.field(
        description="Why it may not send any more; null while nobody ended it. Of a revoked cluster none may."
    )
    ended_at: datetime | None = strawberry.field(description="When it ended.")
    ended_by: str | None = strawberry.field(description="Who ended it: a person, or the agent that follows it.")

    @strawberry.field(description="Whether it spoke within the last 90 seconds.", directives=[Cost(weight=0)])
    def liveness(self, info: Info) -> Liveness:
        """CONNECTED or STALE: joining is speaking."""
        connected = info.context.now - self.last_seen_at <= CONNECTED_WITHIN
        return Liveness.CONNECTED if connected else Liveness.STALE

    @strawberry.field(description="The cluster.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all agents of the answer."""
        return cast("Cluster", await info.context.load(clusters_by_ids, self.registration_id))


@strawberry.type(
    description="How many agents of nodes a cluster has. One that is not heard for agent_days is forgotten."
)
class AgentCounts:
    """Each agent is in one of the four numbers."""

    connected: int = strawberry.field(description="Heard within the last 90 seconds.")
    stale: int = strawberry.field(
        description="Not heard for longer: of these nodes newer data is missing, whether they are gone or not."
    )
    superseded: int = strawberry.field(description="Followed by another agent of their node, as they lost their state.")
    revoked: int = strawberry.field(description="Ended by a person.")
    last_seen_at: datetime | None = strawberry.field(
        description="When the newest word of an agent that may send came; null where there is none."
    )


@strawberry.type
class ClusterAgents:
    """Fields of Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(description="Agents of its nodes, by the node's name.", directives=paged(50, 10_000))
    async def agents(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        liveness: Annotated[
            Liveness | None, strawberry.argument(description="Only agents with this liveness; NEVER is none.")
        ] = None,
        include_ended: Annotated[
            bool, strawberry.argument(description="Also those that were superseded or revoked.")
        ] = False,
    ) -> Connection[NodeAgent]:
        """One statement for all clusters of the answer."""
        context = info.context
        asked = AgentFilter(now=context.now, includes_ended=include_ended, liveness=liveness)
        window = window_of(first, after, last, before)
        return Connection(pages=Pages(context, repository.AGENTS, self.registration_id, window, asked))

    @strawberry.field(description="How many agents of nodes it has; null where none ever joined, or all are forgotten.")
    async def agent_counts(self, info: Info) -> AgentCounts | None:
        """One statement for all clusters of the answer."""
        context = info.context
        row = await context.load(repository.agent_counts, self.registration_id, context.now)
        if row is None:
            return None
        return AgentCounts(
            connected=row.connected,
            stale=row.stale,
            superseded=row.superseded,
            revoked=row.revoked,
            last_seen_at=row.last_seen_at,
        )
