"""What flows could be read from in a cluster."""

from enum import StrEnum
from typing import cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet import repository_graphql_agents as agents
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.inventory.model_flow_sources import FlowSource as Told
from periplus_hub.inventory.model_flow_sources import completed, one_command
from periplus_hub.inventory.repository import flow_sources_by_registration
from periplus_hub.kit.graphql_prices import at_most


@strawberry.enum(description="Whether a cluster has a source of flows.")
class FlowSourceState(StrEnum):
    """The contract's words; later ones read as UNKNOWN."""

    FOUND = "found"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@strawberry.type(description="Something that flows could be read from.")
class FlowSource:
    """inventory.model_flow_sources.FlowSource."""

    kind: str = strawberry.field(
        description="conntrack (agents of nodes), hubble, goldmane, obi (also Beyla), netobserv, istio, retina, "
        "submariner, cilium-mesh; prometheus is where the metrics of others are read."
    )
    state: FlowSourceState = strawberry.field(
        description="UNKNOWN where what would show it may not be read, or was not read yet: it may be there."
    )
    where: str | None = strawberry.field(description="namespace/name:port, as far as it is known.")
    chosen: bool = strawberry.field(description="Whether flows are read from it.")
    why: str | None = strawberry.field(
        description="Why it is chosen, or is not, or what is missing, or why it is not known."
    )
    command: str | None = strawberry.field(description="The one command that would enable it, where one does.")

    @classmethod
    def of(cls, told: Told) -> "FlowSource":
        """The same as a GraphQL type."""
        return cls(
            kind=told.kind,
            state=_state(told.state),
            where=told.place,
            chosen=told.is_chosen,
            why=told.why,
            command=told.command,
        )


def _state(text: str) -> FlowSourceState:
    try:
        return FlowSourceState(text)
    except ValueError:
        return FlowSourceState.UNKNOWN


@strawberry.type
class ClusterFlowSources:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(
        description="What flows could be read from in it, as its spoke sees it; empty until its inventory is here.",
        directives=at_most(12),
    )
    async def flow_sources(self, info: Info) -> list[FlowSource]:
        """In the order of the kinds."""
        return [FlowSource.of(each) for each in await _told(info, self.registration_id)]

    @strawberry.field(
        description="The one command that would give it flows; null where a source is chosen, and where no one command "
        "would, or none is known."
    )
    async def flow_command(self, info: Info) -> str | None:
        """By the same statements."""
        return one_command(await _told(info, self.registration_id))


async def _told(info: Info, registration_id: UUID) -> tuple[Told, ...]:
    context = info.context
    sources = await context.load(flow_sources_by_registration, registration_id) or []
    cluster = cast("Cluster", await context.load(fleet.clusters_by_ids, registration_id))
    counted = await context.load(agents.agent_counts, registration_id, context.now)
    return completed(sources, cluster.name, 0 if counted is None else counted.connected + counted.stale)
