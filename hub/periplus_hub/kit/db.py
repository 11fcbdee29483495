"""PostgreSQL: short read sessions, units of work, and what happens when the server goes away.

A `Database` has two pools: readers whose sessions cannot write, and writers. Work of one sort has a `Database` of its
own beside the others (`Database.beside`), so that none can take the last connection of another.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import asyncpg
import structlog
from sqlalchemy import CursorResult, Executable, Row, event, text
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db_connect import CONNECT_S, Connector
from periplus_hub.kit.db_errors import DATABASE_ERRORS, is_connection_trouble, is_contention, is_no_room, is_timeout
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.tenancy import Whose, tell

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]

_ATTEMPTS: Final = 2
_NETWORK_S: Final = 5.0
"""How much longer than the server's own timeout the client waits for the word of it."""
_SAY_AGAIN_S: Final = 10.0
"""A database that is away is said in the log this often, however many ask for it."""

_UNREACHED_REMEDY: Final = "Check that PostgreSQL runs and takes connections, and PERIPLUS_DATABASE_URL."
_Connecting = Callable[[Mapping[str, str], float, str], Awaitable["asyncpg.Connection[asyncpg.Record]"]]

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """Pool sizes and how long things may take."""

    name: str = ""
    """What the connections are for: the server shows it, as `periplus-jobs-write`."""
    readers: int = 6
    writers: int = 4
    checkout_s: float = 5.0
    read_statement_s: float = 5.0
    write_statement_s: float = 30.0
    lock_s: float = 4.0
    idle_in_transaction_s: float = 30.0
    connect_s: float = CONNECT_S
    recycle_s: int = 300


@dataclass(slots=True)
class StatementCounter:
    """Statements run inside one `count_statements` block, in its tasks too."""

    statements: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many there were."""
        return len(self.statements)


_counter: ContextVar[StatementCounter | None] = ContextVar("statement_counter", default=None)


@contextmanager
def count_statements() -> Iterator[StatementCounter]:
    """Count the statements of everything awaited inside."""
    counter = StatementCounter()
    token = _counter.set(counter)
    try:
        yield counter
    finally:
        _counter.reset(token)


class ReadConnection:
    """A session that cannot write; each statement sees what was committed when it began.

    Hold it shortly: it is one of few.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._began = False

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[Any]:
        """Run one statement (once per mapping when `parameters` is a list)."""
        self._began = True
        counter = _counter.get()
        if counter is not None:
            counter.statements.append(str(statement))
        return await self._connection.execute(statement, parameters)

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """Every row."""
        return (await self.execute(statement, parameters)).all()

    async def one_or_none(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        """The only row, or None; more than one is a bug and raises."""
        return (await self.execute(statement, parameters)).one_or_none()

    async def scalar(self, statement: Executable, parameters: Parameters | None = None) -> Any:  # noqa: ANN401 - a database value
        """The first column of the first row, or None."""
        return (await self.execute(statement, parameters)).scalar()

    async def raw(self) -> "asyncpg.Connection[asyncpg.Record]":
        """The driver's connection inside this very transaction, for COPY."""
        if not self._began:  # SQLAlchemy begins with the first statement; COPY outside would commit by itself
            await self.execute(text("SELECT 1"))
        fairy = await self._connection.get_raw_connection()
        connection: asyncpg.Connection[asyncpg.Record] | None = fairy.driver_connection
        if connection is None:
            raise Unavailable("the database connection is closed", "Try again.")
        return connection


class WriteConnection(ReadConnection):
    """One unit of work: committed when its block ends well, rolled back otherwise."""


class AdvisoryLock:
    """A held session lock; it ends with its connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def still_held(self) -> bool:
        """Whether the session that holds it still lives, on the server that takes the writes."""
        try:
            async with asyncio.timeout(5):
                return await _takes_writes(self._connection)
        except (SQLAlchemyError, OSError, TimeoutError):
            return False


@dataclass(slots=True)
class _Server:
    """What every `Database` on one server knows of it."""

    connector: Connector
    was_reached: bool = False
    ran_out_of_room: bool = False
    said_at_s: float = float("-inf")
    engines: list[AsyncEngine] = field(default_factory=list)


class Database:
    """The pools. Nobody else commits, and nobody else retries."""

    def __init__(
        self, url: str, clock: Clock, limits: DatabaseLimits | None = None, *, server: _Server | None = None
    ) -> None:
        self.clock = clock
        self.dsn = url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self.limits = limits = limits or DatabaseLimits()
        self._server = server or _Server(Connector(self.dsn, limits.connect_s))
        self._readers = _engine(self._connect, limits, limits.readers, read_only=True)
        self._writers = _engine(self._connect, limits, limits.writers, read_only=False)
        self._server.engines += [self._readers, self._writers]

    def beside(self, limits: DatabaseLimits) -> "Database":
        """Connections of their own to the same server. What one of them learns of it, like that it is gone, all know.

        For the hub's composition: it lives as long as this one.
        """
        return Database(self.dsn, self.clock, limits, server=self._server)

    @property
    def connector(self) -> Connector:
        """For a connection that belongs to no pool."""
        return self._server.connector

    @property
    def ran_out_of_room(self) -> bool:
        """Whether a unit of work met a full disk or memory since `found_room`."""
        return self._server.ran_out_of_room

    def found_room(self) -> None:
        """There is room again."""
        self._server.ran_out_of_room = False

    def read(self, whose: Whose) -> AbstractAsyncContextManager[ReadConnection]:
        """A session for reading `whose` rows, whatever is asked for; its statements are no transaction together."""
        return self._unit(self._readers, whose, ReadConnection)

    def write(self, whose: Whose) -> AbstractAsyncContextManager[WriteConnection]:
        """One unit of work on `whose` rows and no others, committed on success."""
        return self._unit(self._writers, whose, WriteConnection)

    async def retrying_write(self, whose: Whose, work: Callable[[WriteConnection], Awaitable[T]]) -> T:
        """Run the whole unit again, once, when the server went away or another transaction won.

        `work` must be safe to run twice: its first commit may have happened although its answer was lost.
        """
        # Once is enough for a connection that was stale. If it is more than that, whoever asked has a deadline of its
        # own and tries again later.
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.write(whose) as c:
                    return await work(c)
            except DATABASE_ERRORS as error:
                if attempt == _ATTEMPTS or not (is_connection_trouble(error) or is_contention(error)):
                    raise
        raise AssertionError("unreachable: the loop returns or raises")

    @asynccontextmanager
    async def advisory_lock(self, key: str) -> AsyncIterator[AdvisoryLock | None]:
        """Take the database-wide lock named `key`, or yield None at once when another process has it.

        A standby and a demoted primary have locks of their own, which say nothing: there it raises Unavailable.
        """
        async with self._writers.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            # Asked on the very session that will hold the lock: another one may be to another server.
            if not await _takes_writes(connection):
                await connection.invalidate()
                await self.dispose()
                raise Unavailable("the database takes no writes", "Look whether it is the primary, and its disk.")
            parameters = {"key": lock_number(key)}
            if not (await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), parameters)).scalar():
                yield None
                return
            try:
                yield AdvisoryLock(connection)
            finally:
                try:
                    await connection.execute(text("SELECT pg_advisory_unlock(:key)"), parameters)
                except (SQLAlchemyError, OSError):  # the session is gone, and its lock with it
                    await connection.invalidate()

    async def dispose(self) -> None:
        """Drop every pooled connection to the server; those in use drop when given back. The pools stay usable."""
        for engine in self._server.engines:
            await engine.dispose()

    async def _connect(
        self, settings: Mapping[str, str], command_timeout_s: float, first: str
    ) -> "asyncpg.Connection[asyncpg.Record]":
        """For a pool; `first` is its first statement.

        What the driver says of a failure names hosts and users: that is for the log, not for who asks.
        """
        try:
            connection = await self.connector.connect(settings, command_timeout_s)
            if first:
                await connection.execute(first)
        except DATABASE_ERRORS as error:
            now_s = self.clock.monotonic_s()
            # Whoever starts a hub is told by its composition what keeps it from a server that was never reached.
            if self._server.was_reached and now_s - self._server.said_at_s >= _SAY_AGAIN_S:
                self._server.said_at_s = now_s
                _log.warning("database_not_reached", error=str(error) or type(error).__name__, remedy=_UNREACHED_REMEDY)
            raise Unavailable("the database cannot be reached", "Try again shortly, or see the hub's log.") from error
        self._server.was_reached = True
        return connection

    @asynccontextmanager
    async def _unit(self, engine: AsyncEngine, whose: Whose, kind: Callable[[AsyncConnection], T]) -> AsyncIterator[T]:
        try:
            async with engine.begin() as connection:
                await tell(connection, whose)
                yield kind(connection)
        except PoolTimeout as error:
            what = f" for {self.limits.name}" if self.limits.name else ""
            raise Unavailable(
                f"all database connections{what} stayed busy for {self.limits.checkout_s:g} s",
                "Try again shortly, or raise database_readers and database_writers.",
            ) from error
        except DATABASE_ERRORS as error:
            self._server.ran_out_of_room |= is_no_room(error)
            # A server that restarted or failed over took all connections with it, and one unit finds that out for
            # all. A timeout says nothing of the kind: the connections of others may be fine.
            if is_connection_trouble(error) and not is_timeout(error):
                await self.dispose()
            raise


async def _takes_writes(connection: AsyncConnection) -> bool:
    found = await connection.execute(text("SHOW transaction_read_only"))
    return bool(found.scalar() == "off")


def lock_number(key: str) -> int:
    """The signed 64-bit number PostgreSQL knows a named lock by."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)


def _engine(connecting: _Connecting, limits: DatabaseLimits, size: int, *, read_only: bool) -> AsyncEngine:
    statement_s = limits.read_statement_s if read_only else limits.write_statement_s
    settings = {
        "application_name": "-".join(filter(None, ("periplus", limits.name, "read" if read_only else "write"))),
        "statement_timeout": _ms(statement_s),
        "lock_timeout": _ms(limits.lock_s),
        "idle_in_transaction_session_timeout": _ms(limits.idle_in_transaction_s),
        "timezone": "UTC",
        "client_min_messages": "warning",
    }

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        # The driver reads the URL itself: sslmode, target_session_attrs, and so on. Therefore what makes a session
        # read-only is said later: said here, no server would look like one that takes writes.
        first = "SET default_transaction_read_only = on" if read_only else ""
        return await connecting(settings, statement_s + _NETWORK_S, first)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=size,
        max_overflow=0,  # the sum of all pools is what an administrator has to allow for
        hide_parameters=True,
        pool_timeout=limits.checkout_s,
        pool_recycle=limits.recycle_s,
        # A question is mostly one statement, and one by one they see the same as in a transaction of READ COMMITTED:
        # beginning and ending one would be two round trips more.
        isolation_level="AUTOCOMMIT" if read_only else "READ COMMITTED",
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "close", _hang_up)
    return engine


def _refuse_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
    """A ping without a round trip: the driver already heard when the server closed the socket."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError("the server closed this pooled connection")


def _hang_up(dbapi_connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
    """Nothing is open in a connection that is given up, and a server that hangs would not answer a farewell."""
    dbapi_connection.driver_connection.terminate()


def _ms(seconds: float) -> str:
    return str(round(seconds * 1_000))
