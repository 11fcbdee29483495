"""What people ask before they join clusters."""

from typing import Annotated, Final

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.preflight import service
from periplus_hub.addresses.preflight.engine.judge import answer
from periplus_hub.addresses.preflight.graphql_types import (
    PlannedClusterInput,
    Preflight,
    PreflightClusters,
    PreflightWay,
)
from periplus_hub.addresses.preflight.model import PlannedCluster, worst_verdict
from periplus_hub.addresses.preflight.service import PreflightAsk
from periplus_hub.kit.graphql import uuid_of
from periplus_hub.kit.graphql_prices import Cost

_WEIGHT: Final = 50
"""It reads every allocation of the clusters asked about."""


@strawberry.type
class PreflightQuery:
    """Root fields about joining clusters."""

    @strawberry.field(
        description="Whether clusters can be joined, rule by rule: before anybody changes anything. Only what is known "
        "to keep a rule passes.",
        directives=[Cost(weight=_WEIGHT)],
    )
    async def preflight(
        self,
        info: Info,
        *,
        into: Annotated[
            list[FederationTarget] | None, strawberry.argument(description="Only these ways of joining; null is all.")
        ] = None,
        clusters: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="The clusters to join; null is all that are not revoked."),
        ] = None,
        planned: Annotated[
            list[PlannedClusterInput] | None,
            strawberry.argument(description="And clusters that are not built yet, at most 50."),
        ] = None,
        networks_entered: Annotated[
            bool,
            strawberry.argument(description="You say that all networks that are routed to these clusters are entered."),
        ] = False,
    ) -> Preflight:
        """All ways are judged in one run: those that pass are the way out of the others."""
        asked = None if clusters is None else tuple(uuid_of(each, "Cluster") for each in clusters)
        ask = PreflightAsk(asked, tuple(map(_planned, planned or ())), networks_entered)
        context, targets = info.context, into or list(FederationTarget)
        judged = await service.judged(await context.read(service.question, ask, context.now))
        places = await context.read(service.free_places, judged, targets, context.now)
        found = answer(judged, targets, places)
        return Preflight(
            as_of=context.now,
            clusters=PreflightClusters.of(found.clusters),
            not_known_whole=PreflightClusters.of(found.not_known_whole),
            not_looked_at=list(found.not_looked_at),
            verdict=worst_verdict([each.verdict for each in found.ways]),
            ways=[PreflightWay.of(each) for each in found.ways],
        )


def _planned(given: PlannedClusterInput) -> PlannedCluster:
    kinds = {
        AllocationKind.POD: given.pods,
        AllocationKind.SERVICE: given.services,
        AllocationKind.NODE: given.nodes,
        AllocationKind.LOADBALANCER: given.load_balancers,
    }
    return PlannedCluster(
        name=given.name,
        cidrs={kind: tuple(map(str, cidrs)) for kind, cidrs in kinds.items()},
        domain_id=None if given.domain is None else uuid_of(given.domain, "NetworkDomain"),
    )
