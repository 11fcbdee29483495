"""How far the stored overlap groups may be trusted, for whoever asks for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import strawberry

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.overlaps.model import START_A_WORKER, RegisterState, RegisterStatus, Severity
from periplus_hub.addresses.overlaps.repository_register import register_state, register_status
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_scalars import BigInt

NOT_COMPUTED: Final = "not-computed"
STATE: Final = "What the stored groups may be taken for; null with ifJoined or ifAllJoined, which are computed anew."
AS_OF: Final = "When the stored groups were last up to date, to the minute; now with ifJoined or ifAllJoined."

strawberry.enum(
    RegisterState, name="OverlapRegisterState", description="What the stored overlap groups may be taken for."
)


@strawberry.type(description="How far the stored overlap groups are behind what was reported.")
class OverlapRegister:
    """addresses.model.RegisterStatus."""

    state: RegisterState = strawberry.field(
        description="CURRENT; BEHIND, and then it stands for what was known at asOf; or NEVER_COMPUTED, and then "
        "overlapGroups and overlapCounts are null: that nothing is listed says nothing."
    )
    revision: BigInt = strawberry.field(description="The last change the stored groups include.")
    latest: BigInt = strawberry.field(description="The last change there is.")
    current: bool = strawberry.field(
        description="Whether the state is CURRENT: no report, no move, no revoked cluster waits to be taken in, and "
        "somebody keeps the groups."
    )
    as_of: datetime | None = strawberry.field(description="When it was last up to date, to the minute; null is never.")


@strawberry.type(description="How many groups have a severity.")
class SeverityCount:
    """Zero is listed too."""

    severity: Severity = strawberry.field(description="The severity.")
    groups: int = strawberry.field(description="How many groups.")


@strawberry.type(description="How many overlap groups there are, and how far the numbers may be trusted.")
class OverlapCounts:
    """The stored groups', never those of a question."""

    severities: list[SeverityCount] = strawberry.field(
        description="Of each severity, worst first, zero too.", directives=at_most(4)
    )
    state: RegisterState = strawberry.field(description="What the numbers may be taken for.")
    as_of: datetime = strawberry.field(description="When they were last up to date, to the minute.")


async def _status(c: ReadConnection, scope: Scope, keys: Sequence[str]) -> dict[str, RegisterStatus]:
    return dict.fromkeys(keys, await register_status(c, scope))


async def _state(c: ReadConnection, scope: Scope, keys: Sequence[datetime]) -> dict[datetime, RegisterState]:
    return {now: (await register_state(c, scope, now))[1] for now in keys}


async def computed_at(context: Context[Scope]) -> datetime:
    """When the stored groups were last right; raises Refusal where nobody ever computed any."""
    status = cast("RegisterStatus", await context.load(_status, "register"))
    if status.at is None:
        raise Refusal(
            "the overlaps were never computed: no 'periplus hub work' has run, so whether addresses collide is not "
            "known",
            START_A_WORKER,
            slug=NOT_COMPUTED,
        )
    return status.at


async def state_of(context: Context[Scope]) -> RegisterState:
    """One look per operation, however many ask."""
    return cast("RegisterState", await context.load(_state, context.now))


async def register_of(context: Context[Scope]) -> OverlapRegister:
    """For `overlapRegister`."""
    status, state = await context.read(register_state, context.now)
    return OverlapRegister(
        state=state,
        revision=BigInt(status.revision),
        latest=BigInt(status.latest),
        current=state is RegisterState.CURRENT,
        as_of=status.at,
    )
