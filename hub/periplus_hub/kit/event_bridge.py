"""Carries events between replicas over PostgreSQL's LISTEN and NOTIFY."""

import asyncio
import json
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.events import Event, Events
from periplus_hub.kit.ids import random_token

CHANNEL: Final = "periplus_events"
_MAX_BYTES: Final = 7_900
_OUTGOING: Final = 1_000
_RETRY_S: Final = 5.0

_log: Final = structlog.get_logger(__name__)


class EventBridge:
    """Run `run` as a task for as long as the process lives. Losing an event is allowed, blocking a request is not."""

    def __init__(self, db: Database, events: Events) -> None:
        self._db = db
        self._events = events
        self._origin = random_token(9)
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(_OUTGOING)
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Listen and send; reconnects for ever."""
        self._events.forward = self._enqueue
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_all())
            tasks.create_task(self._listen_always())

    async def _listen_always(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("events_disconnected", error=str(error))
            self.connected.clear()
            await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._db.dsn, timeout=10)
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, self._received)
            self.connected.set()
            await ended.wait()
        finally:
            connection.terminate()

    async def _send_all(self) -> None:
        while True:
            message = await self._outgoing.get()
            try:
                async with self._db.write() as c:
                    await c.execute(
                        text("SELECT pg_notify(:channel, :message)"), {"channel": CHANNEL, "message": message}
                    )
            except (SQLAlchemyError, OSError, Unavailable) as error:
                _log.warning("event_not_forwarded", error=str(error))

    def _enqueue(self, event: Event) -> None:
        document = [self._origin, str(event.tenant_id), event.topic, event.payload]
        message = json.dumps(document, separators=(",", ":"), default=str)
        if len(message.encode()) <= _MAX_BYTES and not self._outgoing.full():
            self._outgoing.put_nowait(message)

    def _received(self, _connection: object, _pid: int, _channel: str, message: Any) -> None:  # noqa: ANN401 - asyncpg's signature
        origin, tenant_id, topic, payload = json.loads(message)
        if origin != self._origin:
            self._events.deliver(Event(UUID(tenant_id), topic, payload))
