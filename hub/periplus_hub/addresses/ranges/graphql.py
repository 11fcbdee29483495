"""What people ask about entered ranges, and how they enter them."""

from datetime import datetime
from typing import Annotated

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission
from periplus_hub.addresses.ranges import repository, service
from periplus_hub.addresses.ranges.graphql_types import EnteredRange
from periplus_hub.addresses.ranges.model import RangeFilter, RangeUse, Wish
from periplus_hub.fleet.graphql_asked import domain_asked
from periplus_hub.fleet.model import DOMAINS_TOPIC
from periplus_hub.kit.graphql import from_row, uuid_of
from periplus_hub.kit.graphql_prices import paged
from periplus_hub.kit.graphql_scalars import Cidr
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages
from periplus_hub.kit.windows import window_of

InDomain = Annotated[strawberry.ID | None, strawberry.argument(description="Only what is in this network domain.")]
Uses = Annotated[list[RangeUse] | None, strawberry.argument(description="Only for these.")]
Around = Annotated[Cidr | None, strawberry.argument(description="Only what lies inside or around this range.")]
Ended = Annotated[bool, strawberry.argument(description="Also those that ended.")]


@strawberry.input(description="A range that no API server tells of.")
class AddRangeInput:
    """See addresses.ranges.service.add_range."""

    cidr: Cidr = strawberry.field(description="The range; at most a /8, of IPv6 a /16.")
    domain: strawberry.ID = strawberry.field(description="The id of the network domain it is in.")
    use: RangeUse = strawberry.field(description="What for.")
    name: str = strawberry.field(default="", description="What it is called, up to 100 characters.")
    owner: str = strawberry.field(default="", description="Whom to ask about it, up to 100 characters.")
    note: str = strawberry.field(default="", description="What else is worth knowing, up to 1,000 characters.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it ends by itself, at most ten years ahead; left out: never."
    )


@strawberry.type
class RangesQuery:
    """Root fields about entered ranges."""

    @strawberry.field(description="Ranges that people entered, by address.", directives=paged(50, 1_000))
    async def ranges(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        domain: InDomain = None,
        uses: Uses = None,
        within: Around = None,
        ended: Ended = False,
    ) -> Connection[EnteredRange]:
        """Those that count, unless the ended ones are asked for too."""
        context = info.context
        asked = RangeFilter(
            domain_ids=await domain_asked(context, domain), uses=tuple(uses or ()), within=within, ended=ended
        )
        return Connection(pages=Pages(context, repository.RANGES, None, window_of(first, after, last, before), asked))


@strawberry.type
class RangesMutation:
    """Mutations about entered ranges."""

    @mutation(
        Permission.RANGES_WRITE,
        "Enter a range that no API server tells of.",
        answers="The range, or why there is none.",
    )
    async def add_range(
        self,
        info: Info,
        input: Annotated[AddRangeInput, strawberry.argument(description="The range.")],  # noqa: A002 - GraphQL's usual name
    ) -> EnteredRange:
        """It counts at once."""
        context = info.context
        wish = Wish(
            domain_id=uuid_of(input.domain, "NetworkDomain"),
            cidr=input.cidr,
            use=input.use,
            name=input.name,
            owner=input.owner,
            note=input.note,
            expires_at=input.expires_at,
        )
        async with context.write() as c:
            made = await service.add_range(c, context.scope, wish, context.clock.now())
            found = from_row(EnteredRange, await repository.range_row(c, context.scope, made.id))
        context.announce(context.scope.tenant_id, DOMAINS_TOPIC, id=str(made.domain_id))
        return found

    @mutation(
        Permission.RANGES_WRITE,
        "Take an entered range out again.",
        answers="The ended range, or why nothing changed.",
    )
    async def remove_range(
        self,
        info: Info,
        range: Annotated[strawberry.ID, strawberry.argument(description="The range's id.")],  # noqa: A002 - what it is
    ) -> EnteredRange:
        """It counts no more at once."""
        context = info.context
        identity = uuid_of(range, "EnteredRange")
        async with context.write() as c:
            await service.remove_range(c, context.scope, identity, context.clock.now())
            found = from_row(EnteredRange, await repository.range_row(c, context.scope, identity))
        context.announce(context.scope.tenant_id, DOMAINS_TOPIC, id=str(found.domain_id))
        return found
