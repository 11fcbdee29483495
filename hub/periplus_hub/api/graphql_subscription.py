"""`changes`: what just happened, as it happens. A client that was away reads the lists again."""

import operator
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from functools import reduce
from typing import Annotated, Any, Final, cast

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.kit.events import LAGGED, Event
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.graphql_parts import Topic
from periplus_hub.kit.graphql_prices import Cost

START: Final = 50.0
"""Price of beginning to listen. The rest of the operation is paid again with every event."""


@strawberry.type(description="This client was too slow and missed something.")
class Lagged:
    """Read the lists again."""

    remedy: str = strawberry.field(description="What to do.")


def subscription_of(topics: Sequence[Topic]) -> type:
    """The root type with the only subscription: one stream for all topics."""
    names = {topic.name.replace("-", "_").upper(): topic.name for topic in topics}
    wanted = strawberry.enum(
        cast("Any", StrEnum)("ChangeTopic", names), name="ChangeTopic", description="What to hear about."
    )
    messages: Any = reduce(operator.or_, [*(topic.message for topic in topics), Lagged])
    union = strawberry.union("Change", description="Something that just happened.")
    listen = _listener(cast("Any", list)[wanted])

    @strawberry.type
    class Subscription:
        """Its fields."""

        changes = strawberry.subscription(
            resolver=listen,
            graphql_type=cast("Any", Annotated)[messages, union],
            description="What happens from now on in these topics.",
            directives=[Cost(weight=START)],
        )

    return Subscription


def _listener(wanted: Any) -> Any:  # noqa: ANN401 - a list of topics, a type that is made when the schema is
    async def changes(info: Info, topics: Any) -> AsyncIterator[Event]:  # noqa: ANN401 - see above
        """Ends when the token does not hold any more. What an event is about is read by `change_of`."""
        context = info.context
        if context.events is None:
            return
        with context.events.subscribe(context.scope.tenant_id, *(topic.value for topic in topics)) as events:
            async for event in events:
                if context.still_valid is None or not await context.still_valid():
                    return
                yield event

    described = strawberry.argument(description="What to hear about.")
    changes.__annotations__["topics"] = cast("Any", Annotated)[wanted, described]
    return changes


async def change_of(topics: Mapping[str, Topic], context: Context[Scope], event: Event) -> object | None:
    """What the event is about, as it is now; None when the thing is gone again."""
    if event.topic == LAGGED:
        return Lagged(remedy="Read the lists again; some changes were missed.")
    return await topics[event.topic].read(context, event.payload)
