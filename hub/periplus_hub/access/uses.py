"""When tokens and sessions were last used. It is stored apart from the questions: reading must not need writing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from periplus_hub.access.scope import Scope
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Unavailable

_WRITE_EVERY_S: Final = 10.0

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class Uses:
    """The last use of each that is not stored yet."""

    db: Database
    what: str
    """Said in the log where it cannot be stored, like tokens."""
    store: Callable[[WriteConnection, Scope, UUID, datetime], Awaitable[None]]
    _last: dict[UUID, tuple[Scope, datetime]] = field(default_factory=dict)

    def note(self, identity: UUID, scope: Scope) -> None:
        """It is used now, by whom its scope says."""
        self._last[identity] = (scope, self.db.clock.now())

    def last(self, identity: UUID) -> datetime | None:
        """When it was used, where that is not stored yet."""
        found = self._last.get(identity)
        return None if found is None else found[1]

    async def write(self) -> None:
        """Store them."""
        uses, self._last = self._last, {}
        for identity, (scope, at) in uses.items():
            async with self.db.write(scope) as c:
                await self.store(c, scope, identity, at)

    async def keep_writing(self) -> None:
        """Run as a task beside a listener. What cannot be stored is lost: last uses are told roughly."""
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            try:
                await self.write()
            except (*DATABASE_ERRORS, Unavailable) as error:
                _log.warning("uses_not_stored", of=self.what, error=str(error))
