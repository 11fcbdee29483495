"""Who asks, API tokens and the audit trail."""

from datetime import datetime, timedelta
from typing import Annotated, Final, cast

import strawberry
from strawberry.scalars import JSON

from periplus_hub.access import repository_graphql as repository
from periplus_hub.access import service
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.model import AuditPeriod
from periplus_hub.access.scope import Permission, Role, Scope
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql import Context, RowBacked, from_row, split_id, uuid_of
from periplus_hub.kit.graphql_prices import at_most, paged
from periplus_hub.kit.graphql_types import (
    After,
    Before,
    Connection,
    First,
    Last,
    Node,
    Pages,
)
from periplus_hub.kit.windows import window_of

Info = strawberry.Info[Context[Scope], None]
strawberry.enum(Role, name="Role", description="What a token may do; each role includes those before it.")
strawberry.enum(Permission, name="Permission", description="One thing a role may or may not do.")

_MAX_TOKEN_DAYS: Final = 366


@strawberry.type(description="Who asks.")
class Viewer:
    """The principal of this request."""

    actor: str = strawberry.field(
        description="The name the audit trail uses, like token:ci or person:ada <subject@issuer>."
    )
    role: Role = strawberry.field(description="The role of the token, or of the person's groups.")
    permissions: list[Permission] = strawberry.field(description="What the role may do.", directives=at_most(12))

    @strawberry.field(description="The tenant everything in this API belongs to.")
    async def tenant(self, info: Info) -> str:
        """Its name."""
        return await info.context.read(repository.tenant_name)


@strawberry.type(description="A person's or program's token, without its secret.")
class ApiToken(RowBacked, Node):
    """access.model.ApiToken."""

    name: str = strawberry.field(description="What uses it.")
    role: Role = strawberry.field(description="What it may do.")
    prefix: str = strawberry.field(description="Its public part, as it appears in logs.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it stops being accepted; null is never.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to about ten minutes.")


@strawberry.type(description="A new token. Its text is shown this once.")
class CreatedApiToken:
    """The only answer that carries a secret of ours."""

    token: str = strawberry.field(description="The whole token. Keep it safe: it is not stored.")
    api_token: ApiToken = strawberry.field(description="The token as it is listed from now on.")


@strawberry.type(description="Who did what to which object.")
class AuditEvent(RowBacked, Node):
    """Written by access.service.audit."""

    at: datetime = strawberry.field(description="When.")
    actor: str = strawberry.field(description="Who: person:…, token:…, spoke:… or system:….")
    action: str = strawberry.field(description="What: source:subject:verb.")
    object_kind: str = strawberry.field(description="What sort of object: the name of its type.")
    object_id: strawberry.ID = strawberry.field(description="Which object; `object` is it, while it is there.")
    detail: JSON = strawberry.field(description="What else is known; its keys depend on the action.")
    before: JSON | None = strawberry.field(description="What changed, as it was; null when it was not there.")
    after: JSON | None = strawberry.field(description="What changed, as it became; null when it is gone.")
    address: str = strawberry.field(
        description="Where the request came from: the connection's other end. Empty for what the hub did by itself."
    )
    request_id: str = strawberry.field(description="The request that caused it, as in the hub's log.")

    @strawberry.field(description="The object as it is now; null when it is gone, or is the tenant itself.")
    async def object(self, info: Info) -> Node | None:
        """One statement for all events about one kind of object, whichever slice it is of."""
        kind, _ = split_id(self.object_id)
        if kind not in info.context.finders:
            return None
        return cast("Node | None", await info.context.find(self.object_id))


@strawberry.input(description="What the new token is for and may do.")
class CreateApiTokenInput:
    """See access.service.create_token."""

    name: str = strawberry.field(description="What will use it, 1 to 100 characters.")
    role: Role = strawberry.field(description="What it may do.")
    lifetime_days: int | None = strawberry.field(default=None, description="1 to 366; null never expires.")


@strawberry.type
class AccessQuery:
    """Root fields of this slice."""

    @strawberry.field(description="Who asks, and what they may.")
    async def viewer(self, info: Info) -> Viewer:
        """The principal."""
        scope = info.context.scope
        return Viewer(actor=scope.actor, role=scope.role, permissions=sorted(scope.permissions))

    @strawberry.field(description="API tokens, newest first. Needs tokens:write.", directives=paged())
    async def api_tokens(
        self, info: Info, *, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[ApiToken]:
        """Everyone's tokens."""
        info.context.scope.require(Permission.TOKENS_WRITE)
        return Connection(pages=Pages(info.context, repository.TOKENS, None, window_of(first, after, last, before)))

    @strawberry.field(description="The audit trail, newest first. Needs tokens:write.", directives=paged())
    async def audit_events(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        since: Annotated[datetime | None, strawberry.argument(description="Only those at or after this.")] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Only those before this.")] = None,
    ) -> Connection[AuditEvent]:
        """Who did what."""
        info.context.scope.require(Permission.TOKENS_WRITE)
        asked = AuditPeriod(since=since, until=until)
        window = window_of(first, after, last, before)
        return Connection(pages=Pages(info.context, repository.EVENTS, None, window, asked))


@strawberry.type
class AccessMutation:
    """Mutations of this slice."""

    @mutation(Permission.TOKENS_WRITE, "Make an API token.", answers="The new token, or why there is none.")
    async def create_api_token(
        self,
        info: Info,
        input: Annotated[CreateApiTokenInput, strawberry.argument(description="What it is for.")],  # noqa: A002 - GraphQL's usual name
    ) -> CreatedApiToken:
        """Its text is in the answer, once."""
        context = info.context
        days = input.lifetime_days
        if days is not None and not 1 <= days <= _MAX_TOKEN_DAYS:
            raise Invalid(f"lifetimeDays is {days}", f"Give 1 to {_MAX_TOKEN_DAYS} days, or null for no end.")
        lifetime = None if days is None else timedelta(days=days)
        async with context.write() as c:
            now = context.clock.now()
            token, text = await service.create_token(
                c, context.scope, input.name, input.role, lifetime=lifetime, now=now
            )
            row = await repository.token_row(c, context.scope, token.id)
        return CreatedApiToken(token=text, api_token=from_row(ApiToken, row))

    @mutation(
        Permission.TOKENS_WRITE,
        "Revoke an API token; it is refused within five seconds.",
        answers="The revoked token, or why it was not.",
    )
    async def revoke_api_token(
        self, info: Info, token: Annotated[strawberry.ID, strawberry.argument(description="The token's id.")]
    ) -> ApiToken:
        """Revoking twice changes nothing."""
        context = info.context
        identity = uuid_of(token, "ApiToken")
        async with context.write() as c:
            await service.revoke_token(c, context.scope, identity, now=context.clock.now())
            return from_row(ApiToken, await repository.token_row(c, context.scope, identity))
