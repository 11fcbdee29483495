"""Sessions of people who signed in with a browser: the list, and ending one."""

from datetime import datetime
from typing import Annotated

import strawberry

from periplus_hub.access import repository_graphql as repository
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission, Role, Scope
from periplus_hub.access.service_sessions import revoke_session
from periplus_hub.kit.graphql import Context, RowBacked, from_row, uuid_of
from periplus_hub.kit.graphql_prices import paged
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Node, Pages
from periplus_hub.kit.windows import window_of

Info = strawberry.Info[Context[Scope], None]


@strawberry.type(description="Somebody who signed in with a browser, without the secret in its cookie.")
class Session(RowBacked, Node):
    """access.model_sessions.Session."""

    name: str = strawberry.field(description="What the issuer calls them; empty where that is no name.")
    subject: str = strawberry.field(description="Who it is at the issuer.")
    issuer: str = strawberry.field(description="Who vouched for them.")
    role: Role = strawberry.field(description="What their groups gave when they signed in.")
    signed_in_at: datetime = strawberry.field(description="When it began.")
    last_seen_at: datetime = strawberry.field(description="When it was used last, to about a minute.")
    idle_ends_at: datetime = strawberry.field(description="When it ends unless it is used.")
    ends_at: datetime = strawberry.field(description="When it ends in any case.")
    ended_at: datetime | None = strawberry.field(description="When it was ended: signed out, or revoked.")


@strawberry.type
class SessionsQuery:
    """Root fields of sessions."""

    @strawberry.field(
        description="Sessions of people who signed in with a browser, newest first. Needs tokens:write.",
        directives=paged(),
    )
    async def sessions(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        ended: Annotated[
            bool, strawberry.argument(description="Also those that are over; they are kept for about a day.")
        ] = False,
    ) -> Connection[Session]:
        """Everyone's in the tenant."""
        context = info.context
        context.scope.require(Permission.TOKENS_WRITE)
        held_at = None if ended else context.now
        return Connection(
            pages=Pages(context, repository.SESSIONS, None, window_of(first, after, last, before), held_at)
        )


@strawberry.type
class SessionsMutation:
    """Mutations of sessions."""

    @mutation(
        Permission.TOKENS_WRITE,
        "End somebody's session with a browser; it is refused within five seconds.",
        answers="The session that was ended, or why it was not.",
    )
    async def revoke_session(
        self, info: Info, session: Annotated[strawberry.ID, strawberry.argument(description="The session's id.")]
    ) -> Session:
        """They can sign in again while their groups have a role."""
        context = info.context
        identity = uuid_of(session, "Session")
        async with context.write() as c:
            await revoke_session(c, context.scope, identity, now=context.clock.now())
            return from_row(Session, await repository.session_row(c, context.scope, identity))
