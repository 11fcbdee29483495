"""The PostgreSQL server a hub runs for itself when it is given none.

On a unix socket that only its account can open, ended by the kernel when the hub ends, started again when it dies.
"""

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from periplus_hub.embedded_postgres.account import Account, server_account
from periplus_hub.embedded_postgres.binaries import Binaries, find_binaries
from periplus_hub.embedded_postgres.folder import DataFolder, FolderLock, unusable
from periplus_hub.embedded_postgres.leftovers import clear_leftovers
from periplus_hub.embedded_postgres.server import EPHEMERAL, STILL_ATTACHED, TUNING, Server, initialise
from periplus_hub.kit.db_urls import Urls
from periplus_hub.kit.errors import Refusal

_OWNER: Final = "periplus"
"""Made by initdb: the server's superuser, who migrates, and for psql and backups."""
_HUB: Final = "periplus_hub"
_QUIET_S: Final = 60.0
_STOP_S: Final = 15.0
_BACKOFF_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_S: Final = 60.0
_ATTACHED_S: Final = 20.0
"""How long processes of an earlier server may hold its memory that cannot be seen: nothing starts beside them."""
_ATTACHED_POLL_S: Final = 0.5
_SOCKET_LINE: Final = 4
_READY_LINE: Final = 7
"""Lines of postmaster.pid, counted from 0."""

_log: Final = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """Start it from the thread that lives as long as the hub: the kernel ends the server with that thread."""

    def __init__(
        self,
        data_dir: Path,
        *,
        ephemeral: bool = False,
        account: str | None = None,
        connections: int = 40,
        restoring: bool = False,
    ) -> None:
        self.folder = DataFolder(data_dir.resolve(), restoring)
        self._ephemeral = ephemeral
        self._connections = connections
        self._wanted_account = account
        self._lock: FolderLock | None = None
        self._socket: Path | None = None
        self._server: Server | None = None
        self._stopping = False

    @property
    def urls(self) -> Urls:
        """For SQLAlchemy with asyncpg."""
        return self.urls_of("postgres")

    def urls_of(self, database: str) -> Urls:
        """Those of one of its databases."""
        return _urls(database, str(self._socket))

    @property
    def pid(self) -> int | None:
        """The postmaster's, while it runs."""
        return self._server.process.pid if self._server and self._server.running else None

    async def start(self) -> None:
        """Make the folder and the files where they are missing, and run the server; raises Refusal."""
        account = server_account(self._wanted_account)
        await asyncio.to_thread(self.folder.prepare, account)
        try:
            # Before anything of the server is looked at: only whoever holds it may end processes and remove files here.
            self._lock = FolderLock(self.folder)
            self._socket = self.folder.socket_folder(account)
            binaries = await asyncio.to_thread(self._make_files, account, self._socket)
            await self._run(binaries, account)
        except OSError as error:
            await self.stop()
            raise unusable(self.folder, error) from error
        except BaseException:
            await self.stop()
            raise
        self._account, self._binaries = account, binaries

    async def supervise(self) -> None:
        """Run as a task next to the hub: starts the server again, with backoff, whenever it ends unasked."""
        loop = asyncio.get_running_loop()
        failures = 0
        while self._server is not None and self._socket is not None and not self._stopping:
            since = loop.time()
            await self._server.died.wait()
            if self._stopping:
                return
            failures = failures_in_a_row(failures, loop.time() - since)
            _log.error("postgres_died", code=self._server.process.returncode, failures=failures)
            await asyncio.sleep(restart_wait_s(failures))
            with contextlib.suppress(Refusal, OSError):  # the server logged why; the next round tries again
                # What outlived the postmaster still writes, and a new one beside it would ruin the files.
                await asyncio.to_thread(clear_leftovers, self.folder, self._socket)
                await self._run(self._binaries, self._account)
                _log.warning("postgres_restarted", pid=self.pid)

    async def stop(self) -> None:
        """Fast shutdown, and leave the folder."""
        self._stopping = True
        if self._server is not None and self._server.running:
            await self._server.stop(_STOP_S)
        if self._socket is not None and self._socket.parent != self.folder.root:
            await asyncio.to_thread(shutil.rmtree, self._socket, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _make_files(self, account: Account, sockets: Path) -> Binaries:
        """Everything before the start that takes time; returns the programs to start."""
        folder = self.folder
        binaries = find_binaries(account)
        clear_leftovers(folder, sockets)
        if folder.initialised:
            folder.check_major(binaries.major)
            return binaries
        folder.begin_initialising(account)
        initialise(binaries, account, folder.cluster, (_OWNER, _HUB), ephemeral=self._ephemeral)
        folder.end_initialising(sync=not self._ephemeral)
        return binaries

    async def _run(self, binaries: Binaries, account: Account) -> None:
        settings = TUNING | {"unix_socket_directories": str(self._socket)} | (EPHEMERAL if self._ephemeral else {})
        settings["max_connections"] = str(self._connections)
        until_s = asyncio.get_running_loop().time() + _ATTACHED_S
        while True:
            self._server = Server(binaries, account, self.folder.cluster, settings)
            try:
                return await self._server.until_ready(_QUIET_S)
            except Refusal as refusal:
                # Processes that /proc does not show us (another namespace, another account) still hold the memory. They
                # are not ours to end, and end by themselves when they notice that their postmaster has gone.
                if STILL_ATTACHED not in refusal.message or asyncio.get_running_loop().time() > until_s:
                    raise
            await asyncio.sleep(_ATTACHED_POLL_S)


def failures_in_a_row(before: int, lived_s: float) -> int:
    """How often it died by now; a server that lived well in between starts the count again."""
    return 1 if lived_s > _STEADY_S else before + 1


def restart_wait_s(failures: int) -> float:
    """How long to wait after the given number of deaths in a row, from 1."""
    return _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]


def running_urls(data_dir: Path) -> Urls | None:
    """Those of the server that another process of this machine runs in the folder, when it says it is ready."""
    folder = DataFolder(data_dir.resolve())
    try:
        lines = folder.read(folder.pid_file).splitlines()
    except OSError:
        return None
    if len(lines) <= _READY_LINE or lines[_READY_LINE].strip() != "ready":
        return None
    return _urls("postgres", lines[_SOCKET_LINE])


def _urls(database: str, socket: str) -> Urls:
    hub, owner = (f"postgresql+asyncpg://{role}@/{database}?host={quote(socket)}" for role in (_HUB, _OWNER))
    return Urls(hub, owner)
