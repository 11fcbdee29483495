"""What just happened, told to whoever listens now. Never the only record of anything: a listener may miss it.

In one process through bounded queues; between replicas through PostgreSQL's NOTIFY, carried by `EventBridge`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

LAGGED: Final = "lagged"
"""The topic of the event a listener gets in place of those it was too slow for: read everything again."""
_QUEUE: Final = 256


@dataclass(frozen=True, slots=True)
class Event:
    """`payload` holds ids and small facts, never whole objects: the listener reads what it may see."""

    tenant_id: UUID
    topic: str
    payload: Mapping[str, Any]


class Subscription:
    """Events since it was made, as an async iterator."""

    def __init__(self, tenant_id: UUID | None, topics: frozenset[str]) -> None:
        self._tenant_id = tenant_id
        self._topics = topics
        self._queue: asyncio.Queue[Event] = asyncio.Queue(_QUEUE)
        self._lagged = False

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self._queue.get()
        if self._lagged:
            self._lagged = False
            return Event(event.tenant_id, LAGGED, {})
        return event

    def wants(self, event: Event) -> bool:
        """Whether the event is for this listener."""
        return event.topic in self._topics and self._tenant_id in {None, event.tenant_id}

    def lag(self) -> None:
        """Tell the listener that it may have missed something."""
        self.put(Event(self._tenant_id or UUID(int=0), LAGGED, {}))

    def put(self, event: Event) -> None:
        """Queue the event; a full queue is emptied, and the listener told so."""
        if self._queue.full():
            self._lagged = True
            # All of it, not only the oldest: whoever reads everything again needs none of what was before.
            while not self._queue.empty():
                self._queue.get_nowait()
        self._queue.put_nowait(event)


@dataclass(slots=True)
class Events:
    """The fan-out of one process. `forward` takes events on to the other replicas."""

    _subscriptions: set[Subscription] = field(default_factory=set)
    forward: Callable[[Event], None] | None = None

    def publish(self, tenant_id: UUID, topic: str, payload: Mapping[str, Any] | None = None) -> None:
        """Tell every listener, here and in the other replicas. Call it after the commit."""
        event = Event(tenant_id, topic, dict(payload or {}))
        self.deliver(event)
        if self.forward is not None:
            self.forward(event)

    def deliver(self, event: Event) -> None:
        """Tell the listeners in this process."""
        for subscription in self._subscriptions:
            if subscription.wants(event):
                subscription.put(event)

    def lag(self) -> None:
        """Tell every listener in this process to read everything again: other replicas' events were lost."""
        for subscription in self._subscriptions:
            subscription.lag()

    @contextmanager
    def subscribe(self, tenant_id: UUID | None, *topics: str) -> Iterator[Subscription]:
        """Listen to a tenant's events (None: every tenant's, for the hub's own parts) while the block runs."""
        subscription = Subscription(tenant_id, frozenset(topics))
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
