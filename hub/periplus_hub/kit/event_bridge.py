"""Carries events between replicas over PostgreSQL's LISTEN and NOTIFY."""

import asyncio
import json
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.events import LAGGED, Event, Events
from periplus_hub.kit.ids import random_token
from periplus_hub.kit.tenancy import NO_TENANT

CHANNEL: Final = "periplus_events"
_MAX_BYTES: Final = 7_900
_OUTGOING: Final = 1_000
_RETRY_S: Final = 5.0
_PROBE_S: Final = 15.0
_NOTIFY: Final = text("SELECT pg_notify(:channel, message) FROM unnest(CAST(:messages AS text[])) AS message")

_log: Final = structlog.get_logger(__name__)


class EventBridge:
    """Run `run` as a task for as long as the process lives.

    Losing an event is allowed, blocking a request is not; who may have missed one is told to read everything again.
    """

    def __init__(self, db: Database, events: Events, *, retry_s: float = _RETRY_S, probe_s: float = _PROBE_S) -> None:
        self._db = db
        self._events = events
        self._retry_s, self._probe_s = retry_s, probe_s
        self._origin = random_token(9)
        self._lagged = json.dumps([self._origin, None, LAGGED, {}])
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(_OUTGOING)
        self._overflowed = False
        self._missed = False
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
            except DATABASE_ERRORS as error:
                _log.warning("events_disconnected", error=str(error))
            self.connected.clear()
            await asyncio.sleep(self._retry_s)

    async def _listen(self) -> None:
        connection = await self._db.connector.connect()
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, self._received)
            if self._missed:  # whatever was said while nobody listened
                self._events.lag()
            self._missed = True
            self.connected.set()
            while not await _within(ended, self._probe_s):
                # A cut cable closes nothing by itself, and a demoted primary lives on, where nobody notifies any more.
                if await connection.fetchval("SHOW transaction_read_only", timeout=_PROBE_S) == "on":
                    _log.warning("events_disconnected", error="the server takes no writes")
                    return
        finally:
            connection.terminate()

    async def _send_all(self) -> None:
        while True:
            messages = [await self._outgoing.get()]
            while not self._outgoing.empty():
                messages.append(self._outgoing.get_nowait())
            # What was dropped is not known any more, so everybody is told to read everything again, and nothing else.
            if self._overflowed:
                messages, self._overflowed = [self._lagged], False
            try:
                async with self._db.write(NO_TENANT) as c:
                    await c.execute(_NOTIFY, {"channel": CHANNEL, "messages": messages})
            except (SQLAlchemyError, *DATABASE_ERRORS, Unavailable) as error:
                self._overflowed = True
                _log.warning("events_not_forwarded", events=len(messages), error=str(error))

    def _enqueue(self, event: Event) -> None:
        document = [self._origin, str(event.tenant_id), event.topic, event.payload]
        message = json.dumps(document, separators=(",", ":"), default=str)
        if len(message.encode()) > _MAX_BYTES:
            message = self._lagged
        if self._outgoing.full():
            self._overflowed = True
        else:
            self._outgoing.put_nowait(message)

    def _received(self, _connection: object, _pid: int, _channel: str, message: Any) -> None:  # noqa: ANN401 - asyncpg's signature
        origin, tenant_id, topic, payload = json.loads(message)
        # PostgreSQL tells those who listen of their own too, and these were delivered when they were published.
        if origin == self._origin:
            return
        if topic == LAGGED:
            self._events.lag()
        else:
            self._events.deliver(Event(UUID(tenant_id), topic, payload))


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
