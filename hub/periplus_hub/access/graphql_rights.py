"""What only some roles may do: changes, with their refusals as members of what they answer, and finding by id."""

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import signature
from typing import Annotated, Any, cast

import strawberry
from strawberry.types.field import StrawberryField

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.graphql import Context, Finder
from periplus_hub.kit.graphql_types import Problems, problem_of

Change = Callable[..., Awaitable[Any]]


def mutation(needs: Permission, does: str, *, answers: str) -> Callable[[Change], StrawberryField]:
    """A mutation for those with the right, which does what `does` says; `answers` describes the union it answers.

    The method returns the union's own member, or raises a refusal, which becomes one of the others. It is asked only
    if the right is there, and what the answer's fields read is read after it.
    """

    def decorate(change: Change) -> StrawberryField:
        attempted = _attempted(needs, change)
        name = "".join(word.capitalize() for word in change.__name__.split("_"))
        own: Any = signature(change).return_annotation
        union = strawberry.union(f"{name}Result", description=answers)
        field: StrawberryField = strawberry.mutation(
            resolver=attempted,
            graphql_type=cast("Any", Annotated)[own | Problems, union],
            description=f"{does} Needs {needs.value}.",
        )
        return field

    return decorate


def only_with(needs: Permission, finder: Finder) -> Finder:
    """Finds for those with the right alone: for everybody else there is no such thing."""

    async def find(context: Context[Scope], node_id: str) -> object | None:
        # Null and not a refusal: a refusal would tell which ids exist.
        return await finder(context, node_id) if context.scope.allows(needs) else None

    return find


def _attempted(needs: Permission, change: Change) -> Change:
    @wraps(change)
    async def attempt(self: object, info: strawberry.Info[Context[Scope], None], **arguments: object) -> object:
        context = info.context
        try:
            context.scope.require(needs)
            return await change(self, info, **arguments)
        except Refusal as refusal:
            # The session rolls back at the refusal, since the change raised inside it: a member of the answer that says
            # no and a change that stays cannot both be.
            return problem_of(refusal)
        # What the answer's fields read would otherwise come from loaders that were filled before the change.
        finally:
            context.begin()

    return attempt
