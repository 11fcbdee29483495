"""`changes`: what just happened, as it happens. A client that was away reads the lists again."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any, Final, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.findings import graphql as findings
from periplus_hub.findings.graphql import Finding
from periplus_hub.fleet import graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.kit.events import LAGGED, Event
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.graphql_prices import Cost
from periplus_hub.kit.graphql_scalars import BigInt

START: Final = 50.0
"""Price of beginning to listen. The rest of the operation is paid again with every event."""


@strawberry.enum(description="What to hear about.")
class ChangeTopic(StrEnum):
    """Names of kit.events topics."""

    FINDINGS = "findings"
    CLUSTERS = "clusters"
    OVERLAPS = "overlaps"


@strawberry.type(description="A finding opened, changed or was resolved.")
class FindingChanged:
    """As it is now."""

    finding: Finding = strawberry.field(description="The finding.")


@strawberry.type(description="A cluster joined, was approved, revoked or moved.")
class ClusterChanged:
    """As it is now."""

    cluster: Cluster = strawberry.field(description="The cluster.")


@strawberry.type(description="The overlap groups include more changes than before.")
class OverlapsChanged:
    """Read overlapGroups again."""

    revision: BigInt = strawberry.field(description="The last change they include.")


@strawberry.type(description="This client was too slow and missed something.")
class Lagged:
    """Read the lists again."""

    remedy: str = strawberry.field(description="What to do.")


Change = Annotated[
    FindingChanged | ClusterChanged | OverlapsChanged | Lagged,
    strawberry.union("Change", description="Something that just happened."),
]
Changed = FindingChanged | ClusterChanged | OverlapsChanged | Lagged


@strawberry.type
class Subscription:
    """The only one: one stream for all topics."""

    @strawberry.subscription(description="What happens from now on in these topics.", directives=[Cost(weight=START)])
    async def changes(
        self,
        info: Info,
        topics: Annotated[list[ChangeTopic], strawberry.argument(description="What to hear about.")],
    ) -> AsyncIterator[Change]:
        """Ends when the token does not hold any more. What an event is about is read by `change_of`."""
        context = info.context
        if context.events is None:
            return
        with context.events.subscribe(context.scope.tenant_id, *(topic.value for topic in topics)) as events:
            async for event in events:
                if context.still_valid is None or not await context.still_valid():
                    return
                yield cast("Change", event)


async def change_of(context: Context[Scope], event: Event) -> Changed | None:
    """What the event is about, as it is now; None when the thing is gone again."""
    if event.topic == LAGGED:
        return Lagged(remedy="Read the lists again; some changes were missed.")
    if event.topic == ChangeTopic.OVERLAPS:
        return OverlapsChanged(revision=BigInt(int(event.payload.get("revision", 0))))
    identity = _identity(event.payload)
    if identity is None:
        return None
    parts = (str(identity),)
    if event.topic == ChangeTopic.FINDINGS:
        finding = await context.read(findings.finding_node, parts)
        return None if finding is None else FindingChanged(finding=finding)
    cluster = await context.read(fleet.cluster_node, parts)
    return None if cluster is None else ClusterChanged(cluster=cluster)


def _identity(payload: Any) -> UUID | None:  # noqa: ANN401 - an event's payload
    try:
        return UUID(str(payload.get("id")))
    except ValueError:
        return None
