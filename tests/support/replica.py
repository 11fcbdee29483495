"""A PostgreSQL primary with a streaming standby: two real servers on unix sockets."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from periplus_hub.embedded_postgres import binaries
from periplus_hub.embedded_postgres.account import Account, server_account
from periplus_hub.embedded_postgres.binaries import Binaries, find_binaries
from periplus_hub.embedded_postgres.server import TUNING, Server, initialise
from periplus_hub.kit.migrate import upgrade

ROLE = "periplus"
"""The superuser, who owns the tables."""
HUB = "periplus_hub"
_READY_S = 60.0
_STOP_S = 20.0
_migrating = asyncio.Lock()
"""Migrations of one process share what they are about."""
_NO_DISK = {"fsync": "off", "full_page_writes": "off"}


@dataclass
class Node:
    """One server; `files` is its data directory, `socket` the folder of its socket."""

    name: str
    root: Path
    binaries: Binaries
    account: Account
    server: Server | None = None

    @property
    def files(self) -> Path:
        return self.root / self.name

    @property
    def socket(self) -> Path:
        return self.root / f"{self.name}-run"

    async def start(self) -> None:
        if not self.socket.exists():
            self.socket.mkdir(mode=0o700)
            self.account.owns(self.socket)
        settings = TUNING | _NO_DISK | {"unix_socket_directories": str(self.socket)}
        self.server = Server(self.binaries, self.account, self.files, settings)
        await self.server.until_ready(_READY_S)

    async def stop(self) -> None:
        if self.server is not None and self.server.running:
            await self.server.stop(_STOP_S)

    @asynccontextmanager
    async def hanging(self) -> AsyncIterator[None]:
        """Its connections stay open, and it answers nothing."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def url(self, role: str = HUB) -> str:
        """For SQLAlchemy."""
        return f"postgresql+asyncpg://{role}@/postgres?host={quote(str(self.socket))}"

    async def kill(self) -> None:
        """All of its processes at once, as the kernel does when memory runs out."""
        if self.server is None:
            raise AssertionError("it was never started")
        self.signal(signal.SIGKILL)
        await self.server.ended.wait()

    async def die(self) -> None:
        """As when the machine loses power."""
        if self.server is None:
            raise AssertionError("it was never started")
        self.server.process.send_signal(signal.SIGQUIT)
        await self.server.ended.wait()

    def signal(self, number: signal.Signals) -> None:
        """To every process of it."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink() == self.files:
                    os.kill(int(entry.name), number)

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """As the superuser."""
        return await asyncpg.connect(f"postgresql://{ROLE}@/postgres?host={quote(str(self.socket))}")

    async def ask(self, *statements: str) -> Any:
        """The value of the last one, as the superuser."""
        connection = await self.connect()
        try:
            found = None
            for statement in statements:
                found = await connection.fetchval(statement)
            return found
        finally:
            await connection.close()

    async def until(self, condition: str, within_s: float = 60) -> None:
        """Wait until the server says that it is so."""
        async with asyncio.timeout(within_s):
            while not await self.ask(f"SELECT {condition}"):  # noqa: ASYNC110 - nothing to wait on
                await asyncio.sleep(0.02)

    async def configure(self, **settings: str) -> None:
        """Until it is told otherwise, also after a restart."""
        await self.ask(*(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()))
        await self.ask("SELECT pg_reload_conf()")
        for name, value in settings.items():
            await self.until(f"current_setting('{name}') = '{value}'")


@dataclass
class Pair:
    """The primary, and the standby that follows it."""

    primary: Node
    standby: Node

    def url(self, role: str = HUB) -> str:
        """Of whichever of the two takes writes."""
        hosts = ",".join(quote(str(node.socket), safe="/") for node in (self.primary, self.standby))
        return f"postgresql+asyncpg://{role}@/postgres?host={hosts}&target_session_attrs=read-write"

    async def migrate(self) -> None:
        """The schema, and a hub's role that sees how far standbys are; on both servers when this returns."""
        await upgrade(self.url(ROLE), HUB)
        await self.primary.ask(f"GRANT pg_monitor TO {HUB}")
        await self.replayed()

    async def synchronous(self, names: str = "standby") -> None:
        """Commits wait for the standby from now on."""
        await self.primary.configure(synchronous_standby_names=names)
        if names:
            await self.primary.until("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))")

    @asynccontextmanager
    async def standby_frozen(self) -> AsyncIterator[None]:
        """The standby is there, and writes and flushes nothing."""
        receiver = await self.standby.ask("SELECT pid FROM pg_stat_wal_receiver")
        os.kill(receiver, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(receiver, signal.SIGCONT)

    async def all_flushed(self) -> None:
        """The standby has everything that the primary wrote so far."""
        await self.write_log()
        flushed = "SELECT FROM pg_stat_replication WHERE flush_lsn >= pg_current_wal_insert_lsn()"
        await self.primary.until(f"EXISTS ({flushed})")

    async def write_log(self) -> None:
        """Something that only the primary need have on its disk."""
        await self.primary.ask(
            "SET synchronous_commit = local", "SELECT pg_logical_emit_message(true, 'test', 'something')"
        )

    async def cut_off(self) -> None:
        """The standby hears no more of the primary, for good."""
        await self.standby.configure(primary_conninfo="")
        await self.primary.until("NOT EXISTS (SELECT FROM pg_stat_replication)")

    async def replayed(self) -> None:
        """The standby shows what the primary shows."""
        written = await self.primary.ask("SELECT pg_current_wal_insert_lsn()")
        await self.standby.until(f"pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') >= {written}")

    async def promote(self) -> None:
        """The standby becomes a primary of its own."""
        if not await self.standby.ask("SELECT pg_promote(true, 60)"):
            raise AssertionError("it was not promoted")

    async def cancel_waits(self) -> int:
        """Someone loses patience with commits that wait for a standby: they are committed here only."""
        return int(
            await self.primary.ask(
                "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )
        )


@asynccontextmanager
async def alone(root: Path) -> AsyncIterator[Node]:
    """One server with the schema, which no other follows."""
    node = (await asyncio.to_thread(_prepare, root)).primary
    try:
        await node.start()
        async with _migrating:
            await upgrade(node.url(ROLE), HUB)
        await node.ask(f"GRANT pg_monitor TO {HUB}")
        yield node
    finally:
        await node.stop()


@asynccontextmanager
async def replicated(root: Path) -> AsyncIterator[Pair]:
    """Both run and the standby has what the primary has; replication is asynchronous at first."""
    pair = await asyncio.to_thread(_prepare, root)
    try:
        await pair.primary.start()
        await asyncio.to_thread(_copy, pair)
        await pair.standby.start()
        await pair.primary.until("EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')")
        yield pair
    finally:
        await pair.standby.stop()
        await pair.primary.stop()


def _prepare(root: Path) -> Pair:
    root.mkdir(mode=0o711)
    account = server_account()
    programs = find_binaries(account)
    pair = Pair(Node("primary", root, programs, account), Node("standby", root, programs, account))
    for node in (pair.primary, pair.standby):
        node.files.mkdir(mode=0o700)
        account.owns(node.files)
    initialise(programs, account, pair.primary.files, (ROLE, HUB), ephemeral=True)
    return pair


def _copy(pair: Pair) -> None:
    """Run as ourselves: the copy of the programs that the server's account can reach is without the tools."""
    program = binaries._wheel_folder() / "bin" / "pg_basebackup"
    source = f"host={pair.primary.socket} user={ROLE} application_name=standby"
    command = [str(program), "-d", source, "-D", str(pair.standby.files), "-R", "-c", "fast", "-X", "stream", "-N"]
    subprocess.run(command, check=True, capture_output=True, cwd="/", env={"LC_ALL": "C"})
    for path in pair.standby.files.rglob("*"):
        pair.standby.account.owns(path)
