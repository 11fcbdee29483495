"""How far the addresses of a cluster are known, as fields of Cluster, and beside the answer whose an address is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.engine.knowledge import Evidence, Knowledge, Known, known
from periplus_hub.addresses.ipam.repository_knowledge import (
    evidence_by_registration,
    holders_not_known,
    not_known_whole,
)
from periplus_hub.inventory.graphql import SourceState, source_state
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.graphql_prices import at_most

MOST_NAMED: Final = 10

strawberry.enum(Knowledge, name="Knowledge", description="What may be said of a cluster's addresses.")


@strawberry.type(description="Something that feeds a cluster's addresses and is not known whole.")
class MissingSource:
    """addresses.knowledge.Missing."""

    source: str = strawberry.field(description="Like nodes, or allocations/pod where only the statement is missing.")
    state: SourceState = strawberry.field(description="How reading it went; UNKNOWN while its spoke has not told.")
    reason: str = strawberry.field(description="A slug saying why.")
    message: str = strawberry.field(description="What is wrong, for a person.")
    remedy: str = strawberry.field(description="What to do about it.")


@strawberry.type(
    description="Clusters whose addresses are not known whole and current: what else they use counts nowhere."
)
class NotKnownWhole:
    """Of all the fleet, however a question is narrowed."""

    names: list[str] = strawberry.field(description="Their names, the first of them.", directives=at_most(MOST_NAMED))
    count: int = strawberry.field(description="How many there are, named or not.")

    @classmethod
    async def of(cls, context: Context[Scope]) -> "NotKnownWhole":
        """As of now; read once for all of an answer."""
        found = await context.load(not_known_whole, context.scope.tenant_id, context.now) or ()
        return cls.first(found)

    @classmethod
    def first(cls, names: Sequence[str]) -> "NotKnownWhole":
        """Of all their names."""
        return cls(names=list(names[:MOST_NAMED]), count=len(names))


@strawberry.type
class ClusterKnowledge:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(
        description="How far its addresses are known now. Only of COMPLETE clusters may be said that they overlap "
        "nobody."
    )
    async def knowledge(self, info: Info) -> Knowledge:
        """One load for this and `missing`."""
        return (await knowledge_of(info.context, self.registration_id)).knowledge

    @strawberry.field(
        description="What feeds its addresses and is not known whole, the most important first; empty while it is "
        "complete, and while nothing is known.",
        directives=at_most(10),
    )
    async def missing(self, info: Info) -> list[MissingSource]:
        """addresses.knowledge.Known.missing."""
        return [
            MissingSource(
                source=each.source,
                state=source_state(each.state),
                reason=each.reason,
                message=each.message,
                remedy=each.remedy,
            )
            for each in (await knowledge_of(info.context, self.registration_id)).missing
        ]


@strawberry.type
class ExplainedKnowledge:
    """Fields this slice adds to ExplainedAddress."""

    at: strawberry.Private[datetime]

    @strawberry.field(
        description="Clusters that may have the address without that it is known: their pods, services or nodes are "
        "not known whole and current, or were not yet in that minute."
    )
    async def not_known_whole(self, info: Info) -> NotKnownWhole:
        """One load."""
        return NotKnownWhole.first(await info.context.load(holders_not_known, self.at, info.context.now) or ())


async def knowledge_of(context: Context[Scope], registration_id: UUID) -> Known:
    """What may be said of a cluster that there is."""
    seen = cast("Evidence", await context.load(evidence_by_registration, registration_id))
    return known(seen, context.now)
