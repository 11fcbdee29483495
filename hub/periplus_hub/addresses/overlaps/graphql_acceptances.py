"""Overlaps that people accept: what they do, and what was done."""

from datetime import datetime
from typing import Annotated

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission
from periplus_hub.addresses.overlaps import repository_acceptances, service_acceptances
from periplus_hub.addresses.overlaps.graphql_types import OverlapAcceptance
from periplus_hub.kit.graphql import from_row, uuid_of
from periplus_hub.kit.graphql_prices import paged
from periplus_hub.kit.graphql_scalars import Cidr
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages
from periplus_hub.kit.windows import window_of

Ended = Annotated[bool, strawberry.argument(description="Also those that were withdrawn or expired.")]


@strawberry.input(description="Which overlap is meant, and why.")
class AcceptOverlapInput:
    """See addresses.overlaps.service_acceptances.accept_overlap."""

    cidr: Cidr = strawberry.field(description="The group's own CIDR, as the list shows it.")
    reason: str = strawberry.field(description="Why it is meant, 3 to 1,000 characters.")
    expires_at: datetime = strawberry.field(description="Until when, at most two years ahead.")
    seen_changed_at: datetime | None = strawberry.field(
        default=None,
        description="The group's changedAt as you saw it: when it has changed since, nothing is accepted.",
    )


@strawberry.type
class AcceptancesMutation:
    """Mutations about acceptances."""

    @mutation(
        Permission.OVERLAPS_ACCEPT,
        "Say that an overlap is meant, for a time.",
        answers="The acceptance, or why there is none.",
    )
    async def accept_overlap(
        self,
        info: Info,
        input: Annotated[AcceptOverlapInput, strawberry.argument(description="Which and why.")],  # noqa: A002 - GraphQL's usual name
    ) -> OverlapAcceptance:
        """It ends by itself."""
        context = info.context
        async with context.write() as c:
            now = context.clock.now()
            wish = (input.cidr, input.reason, input.expires_at)
            made = await service_acceptances.accept_overlap(c, context.scope, *wish, now, seen=input.seen_changed_at)
            return from_row(OverlapAcceptance, await repository_acceptances.acceptance_row(c, context.scope, made.id))

    @mutation(
        Permission.OVERLAPS_ACCEPT,
        "End an acceptance before its time.",
        answers="The ended acceptance, or why nothing changed.",
    )
    async def withdraw_acceptance(
        self,
        info: Info,
        acceptance: Annotated[strawberry.ID, strawberry.argument(description="The acceptance's id.")],
    ) -> OverlapAcceptance:
        """The group has its own severity again."""
        context = info.context
        identity = uuid_of(acceptance, "OverlapAcceptance")
        async with context.write() as c:
            await service_acceptances.withdraw_acceptance(c, context.scope, identity, context.clock.now())
            return from_row(OverlapAcceptance, await repository_acceptances.acceptance_row(c, context.scope, identity))


@strawberry.type
class AcceptancesQuery:
    """Root fields about acceptances."""

    @strawberry.field(description="Acceptances of overlaps, newest first.", directives=paged())
    async def overlap_acceptances(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        ended: Ended = False,
    ) -> Connection[OverlapAcceptance]:
        """Who said which overlap is meant: what is in force, unless the ended ones are asked for too."""
        window, context = window_of(first, after, last, before), info.context
        listing = repository_acceptances.ACCEPTANCES
        return Connection(pages=Pages(context, listing, None, window, None if ended else context.now))
