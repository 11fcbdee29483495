"""Rows by the million, in columns: ClickHouse, as the engine in this process (`chdb:///folder`) or a server.

Each tenant has a database of its own in the store, and only this module says which: a statement names no database, and
a call names the tenant (`OfTenant`). So no statement can read or write rows of another tenant, whatever it says.

The engine is loaded with the first call. It costs memory for good, and a hub whose spokes send nothing for it goes
without.
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import pyarrow as pa
import structlog

from periplus_hub.kit.column_store_cluster import SETTINGS, Cluster
from periplus_hub.kit.column_store_schema import bring_up_to_date
from periplus_hub.kit.errors import Refusal, Unavailable
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.tenancy import OfTenant

T = TypeVar("T")


class Outdated(Exception):
    """A statement found by itself (`throwIf`) that what it was to read is not there any more."""


EMBEDDED: Final = "chdb"
_LOCK_FILE: Final = "periplus.lock"
_OF_NO_DATABASE: Final = ""
_ENGINE_FILE: Final = "engine.xml"
_ENGINE: Final = """<clickhouse>
  <backups><allowed_path>/</allowed_path></backups>
  <backup_threads>2</backup_threads>
  <restore_threads>2</restore_threads>
</clickhouse>
"""
"""Settings of the embedded engine. Nobody but the hub gives it statements, so it may put a backup anywhere; with few
threads, because people ask it meanwhile."""
_CLIENTS_OF_A_LANE: Final = 32
"""Of the tenants that a lane asked about last. A client costs little memory, and some milliseconds to make."""
_NOT_NOW: Final = frozenset(
    {159, 201, 202, 209, 210, 225, 241, 242, 243, 252, 279, 285, 286, 289, 319, 341, 425, 439, 473, 745, 999}
)
"""Codes of the engine: timeouts, quotas, memory, disk, too many parts or queries, replicas that are away or behind,
Keeper."""
_THROWN: Final = 395
_SETTINGS: Final[Mapping[str, Any]] = {"join_use_nulls": 0}
"""Of every server: what a statement means must not be up to the profile of its user."""
_NOT_ALLOWED: Final = frozenset({164, 192, 193, 194, 497, 516})
"""Codes of a server that lets its user do less than it has to: read-only, unknown or refused users, missing grants."""

_DAMAGED: Final = frozenset({32, 33, 40, 74, 107, 228, 246, 271})
"""Codes of data that cannot be read as it was written: truncated, of another checksum, without its files."""

_log: Final = structlog.get_logger(__name__)


class ColumnStore:
    """The store. It opens itself when it is first asked, and is closed once.

    A client of the store does one thing at a time, so each sort of work has a lane (`lane`) with clients of its own.
    """

    def __init__(self, url: str, *, memory_bytes: int, cluster: str | None = None, timeout_s: float = 60.0) -> None:
        """`memory_bytes` is what the embedded engine may use; a server has settings of its own.

        With `cluster` the URL leads to one server of a cluster that has this name there.
        """
        self._url = url
        if self.is_embedded and importlib.util.find_spec(EMBEDDED) is None:
            raise Refusal(
                "the ClickHouse engine is not installed here",
                "Name a server of yours with PERIPLUS_FLOW_STORE_URL, or use the image periplus-hub-embedded.",
                slug="no-flow-engine",
            )
        self._cluster = Cluster(cluster) if cluster else None
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._opening = threading.Lock()
        self._ready: set[UUID] = set()
        self._lock_file: int | None = None
        self._temporary = Path()
        self._others_temporary: str | None = None
        self._lanes: dict[str, _Lane] = {}
        self.trouble: str | None = None
        """Why the last call found no store; None while all is well."""

    @property
    def is_embedded(self) -> bool:
        """Whether the engine is in this process, which then is the only one with the folder."""
        return urlsplit(self._url).scheme == EMBEDDED

    @property
    def is_cluster(self) -> bool:
        """Whether it is a cluster of servers: what one of them lacks, others may have."""
        return self._cluster is not None

    def own_rows(self, table: str) -> str:
        """How a statement that deletes rows or partitions calls a table whose rows are spread over a cluster."""
        return table if self._cluster is None else self._cluster.own_rows(table)

    def everywhere(self, table: str) -> str:
        """What stands behind FROM to read a system table of all servers."""
        return table if self._cluster is None else self._cluster.everywhere(table)

    @property
    def is_open(self) -> bool:
        """Whether anything was asked of it yet."""
        return bool(self._ready)

    @property
    def folder(self) -> Path:
        """Of the embedded store."""
        return Path(urlsplit(self._url).path)

    def beside(self, name: str) -> Path:
        """A file of this name beside the folder of the embedded store."""
        return self.folder.with_name(f"{self.folder.name}.{name}")

    def claim(self) -> str:
        """Which store it is: for the embedded one its folder's own name, ours alone from now on; a server has none.

        Raises Unavailable while another process has the folder.
        """
        if not self.is_embedded:
            return ""
        with self._opening:
            self._prepare_folder()
            return os.pread(self._lock_file or 0, 64, 0).decode("ascii")

    async def query(
        self, whose: OfTenant, statement: str, parameters: Mapping[str, Any] | None = None, *, lane: str = "questions"
    ) -> pa.Table:
        """What a SELECT finds, in columns. `{name:Type}` in the statement is a parameter."""
        return await self._do(whose, lane, lambda client: client.query_arrow(statement, parameters=parameters))

    async def command(
        self, whose: OfTenant, statement: str, parameters: Mapping[str, Any] | None = None, *, lane: str
    ) -> None:
        """Run a statement that answers nothing."""
        await self._do(whose, lane, lambda client: client.command(statement, parameters=parameters))

    async def insert(self, whose: OfTenant, table: str, rows: pa.Table, *, lane: str, token: str = "") -> None:
        """Insert all rows as one block. The store skips a block whose token it knows, so its answer proves nothing."""
        settings = {
            **({"insert_deduplication_token": token} if token else {}),
            "max_insert_block_size": rows.num_rows + 1,
            "min_insert_block_size_rows": rows.num_rows + 1,
            "min_insert_block_size_bytes": 0,
        }
        await self._do(whose, lane, lambda client: client.insert_arrow(table, rows, settings=settings))

    async def apart(self, whose: OfTenant, work: Callable[[Any, str], T], *, lane: str) -> T:
        """Do something with the tenant's database as a whole, by its name: it is not made, nor brought up to date.

        Whatever the store refuses there is Unavailable.
        """
        found = self._lanes.setdefault(lane, _Lane(lane))
        with self._as_refusals(every=True):
            return await found.run(lambda: work(self._plain(found), database_of(whose.tenant_id)))

    def _plain(self, lane: "_Lane") -> Any:  # noqa: ANN401 - the library's client is not typed
        """A client of no database. It is kept: what the engine does by itself ends with the last client."""
        if _OF_NO_DATABASE not in lane.clients:
            import clickhouse_connect  # noqa: PLC0415 - as in `_connect`

            with self._opening:
                lane.clients[_OF_NO_DATABASE] = clickhouse_connect.get_client(**self._given())
        return lane.clients[_OF_NO_DATABASE]

    async def close(self) -> None:
        """Close all clients, and the engine with the last."""
        for lane in self._lanes.values():
            await lane.close()
        self._lanes.clear()
        if self._lock_file is not None and self._temporary.exists():
            tempfile.tempdir = self._others_temporary
            shutil.rmtree(self._temporary, ignore_errors=True)
        self._ready.clear()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    async def _do(self, whose: OfTenant, lane: str, work: Callable[[Any], T]) -> T:
        found = self._lanes.setdefault(lane, _Lane(lane))
        try:
            with self._as_refusals():
                done = await found.run(lambda: work(self._client(found, whose.tenant_id)))
        except Unavailable as error:
            self.trouble = error.message
            raise
        self.trouble = None
        return done

    @contextlib.contextmanager
    def _as_refusals(self, *, every: bool = False) -> Iterator[None]:
        """What the library raises while the store is away, full or slow, as Unavailable; a wrong statement is a bug."""
        try:
            yield
        except Refusal:
            raise
        except Exception as error:  # its engine and its client have no class in common
            if getattr(error, "code", None) == _THROWN:
                raise Outdated from error
            if not every and not _is_trouble(error):
                raise
            reason = self._reason(error)
            _log.warning("flow_store_trouble", error=reason, cause=_first_line(error))
            raise Unavailable(
                f"the flow store cannot be used: {reason}",
                "Look at PERIPLUS_FLOW_STORE_URL, its disk and its log; what spokes sent waits in PostgreSQL.",
            ) from error

    def _reason(self, error: Exception) -> str:
        """In a line, and without the URL, which may hold a password."""
        place = urlsplit(self._url)
        where = f"{place.hostname}:{place.port}" if place.port else f"{place.hostname}"
        if getattr(error, "code", None) in _DAMAGED:
            return "a part of its data is damaged"  # which one, the log says: paths are nobody's but the operator's
        causes = {type(each).__name__ for each in _causes(error)}
        if causes & {"ReadTimeoutError", "ConnectTimeoutError"}:
            return f"no answer in {self._timeout_s:g} s from {where}"
        if "NewConnectionError" in causes:
            return f"nothing listens at {where}"
        if causes & {"NameResolutionError", "SSLError", "ProtocolError", "MaxRetryError"}:
            return f"no connection to {where}: {_deepest(error)}"
        return _first_line(error)

    def _client(self, lane: "_Lane", tenant_id: UUID) -> Any:  # noqa: ANN401 - the library's client is not typed
        database = database_of(tenant_id)
        client = lane.clients.pop(database, None)
        if client is None:
            with self._opening:
                client = self._connect(database, tenant_id)
        lane.clients[database] = client  # the newest last
        while len(lane.clients) > _CLIENTS_OF_A_LANE:
            lane.clients.pop(next(iter(lane.clients))).close()
        return client

    def _connect(self, database: str, tenant_id: UUID) -> Any:  # noqa: ANN401 - as above
        import clickhouse_connect  # noqa: PLC0415 - 300 MB with the engine, for hubs that need it

        given = self._given()
        if tenant_id not in self._ready:
            with contextlib.closing(clickhouse_connect.get_client(**given)) as client:
                make = f"CREATE DATABASE IF NOT EXISTS {database}"
                client.command(make if self._cluster is None else self._cluster.database(database))
        client = clickhouse_connect.get_client(**given, database=database)
        if tenant_id not in self._ready:
            bring_up_to_date(client, database, self._cluster)
            self._ready.add(tenant_id)
        return client

    def _given(self) -> dict[str, Any]:
        """What a client is made of."""
        if not self.is_embedded:
            settings = {**_SETTINGS, **(SETTINGS if self._cluster else {})}
            return {"dsn": self._url, "send_receive_timeout": self._timeout_s, "settings": settings}
        folder = self._prepare_folder()
        self._use_own_temporary()
        file = self._temporary / _ENGINE_FILE
        options = {"max_server_memory_usage": str(self._memory_bytes), "config-file": str(file)}
        return {"interface": EMBEDDED, "path": folder, "chdb_options": options}

    def _use_own_temporary(self) -> None:
        """The library hands rows to the engine in files; what a kill leaves of them goes with the next start."""
        if self._temporary.exists():
            return
        self._temporary.mkdir()
        (self._temporary / _ENGINE_FILE).write_text(_ENGINE)
        self._others_temporary, tempfile.tempdir = tempfile.tempdir, str(self._temporary)

    def _prepare_folder(self) -> str:
        """The engine's folder, ours alone; what an insert of a killed process left in it is removed."""
        folder = self.folder
        if self._lock_file is None:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = _locked(folder)
            self._temporary = folder.with_name(f"{folder.name}-tmp")
            shutil.rmtree(self._temporary, ignore_errors=True)
        return str(folder)


class _Lane:
    """A thread, and the clients that only it uses."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"store-{name}")
        self.clients: dict[str, Any] = {}

    async def run(self, work: Callable[[], T]) -> T:
        """Do it when all before it is done."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """After what is being done."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_clients)
        self._thread.shutdown()

    def _close_clients(self) -> None:
        for client in self.clients.values():
            client.close()
        self.clients.clear()


def database_of(tenant_id: UUID) -> str:
    """The tenant's database. Its name is no word that a statement could have."""
    return f"periplus_{tenant_id.hex}"


def _is_trouble(error: Exception) -> bool:
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code in _NOT_NOW | _NOT_ALLOWED | _DAMAGED
    return isinstance(error, OSError) or type(error).__name__ in {"OperationalError", "ProgrammingError"}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """It, and what it is made of: the library hides why behind what it did."""
    left = [error]
    while left:
        yield (each := left.pop())
        left += [more for more in (each.__cause__, getattr(each, "reason", None)) if isinstance(more, BaseException)]


def _deepest(error: BaseException) -> str:
    *_, last = _causes(error)
    return _first_line(last)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _locked(folder: Path) -> int:
    """The folder's lock, held until the file is closed; the engine's own would only say 'bad arguments'.

    The file holds the name of the store, which no other folder has.
    """
    lock = os.open(folder.with_name(f"{folder.name}.{_LOCK_FILE}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise Unavailable(
            f"another process uses the flow store in {folder}",
            "One hub at a time can have the folder: stop the other, or give this one another data_dir.",
        ) from error
    if not os.pread(lock, 1, 0):
        os.write(lock, new_id().hex.encode())
    return lock
