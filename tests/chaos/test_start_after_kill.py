"""A hub with its own PostgreSQL starts again in the same folder, whichever of its processes a SIGKILL met.

This process adopts what the killed ones leave behind and buries it only at the end, as in a container whose first
process buries nobody: the dead keep their numbers, and PostgreSQL takes a number that is in use for a living server's.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from periplus_hub.embedded_postgres.folder import DataFolder, postmaster_pid
from periplus_hub.embedded_postgres.supervisor import running_urls

from tests.support.embedded import children, kill_all, lives, until

pytestmark = [pytest.mark.chaos, pytest.mark.promise("database-restarts-are-survived")]
PR_SET_CHILD_SUBREAPER = 36
LIVES = 2
START_S = 60


@pytest.fixture
def folder(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    return open_folder / request.node.name[:40]


@pytest.fixture(autouse=True)
def unburied() -> Iterator[None]:
    """Whoever loses its parent becomes this process's child, and stays a zombie until the test is over."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    before = children(os.getpid())
    yield
    kill_all(left := children(os.getpid()) - before)
    for pid in left:
        os.waitpid(pid, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 0)


@asynccontextmanager
async def hub(folder: Path) -> AsyncIterator[tuple[int, int]]:
    """The pids of a ready hub and of its server."""
    ready = folder.with_suffix(".ready")
    ready.unlink(missing_ok=True)
    ports = ["--spokes-port", "0", "--api-port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-m", "periplus_hub", "hub", "serve", *ports, "--ready-file", str(ready)]
    environment = os.environ | {"PERIPLUS_DATA_DIR": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    said = asyncio.create_task(process.communicate())
    try:
        async with asyncio.timeout(START_S):
            while not ready.exists():
                assert not said.done(), said.result()[1].decode()[-3000:]
                await asyncio.sleep(0.02)
        server = postmaster_pid(DataFolder(folder))
        assert server is not None
        yield process.pid, server
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await said


async def ask(folder: Path, question: str) -> Any:
    urls = running_urls(folder)
    assert urls is not None
    connection = await asyncpg.connect(urls.owner.replace("+asyncpg", ""), timeout=20)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


@asynccontextmanager
async def busy_backend(folder: Path) -> AsyncIterator[None]:
    """A query that computes on for hours, whether its client and its server live or not."""
    urls = running_urls(folder)
    assert urls is not None
    connection = await asyncpg.connect(urls.owner.replace("+asyncpg", ""))
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    query = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 1e12::bigint)"))
    await until(lambda: b"SELECT" in Path(f"/proc/{backend}/cmdline").read_bytes())
    try:
        yield
    finally:
        query.cancel()
        await asyncio.gather(query, return_exceptions=True)
        connection.terminate()
        await until(lambda: not lives(backend))


async def test_hub_and_database_killed_together(folder: Path) -> None:
    for life in range(LIVES):
        async with hub(folder) as (process, server):
            if life == 0:
                await ask(folder, "CREATE TABLE kept (life int)")
            await ask(folder, f"INSERT INTO kept VALUES ({life})")
            kill_all({process, server} | children(server))
    async with hub(folder):
        assert await ask(folder, "SELECT count(*) FROM kept") == LIVES


async def test_hub_and_postmaster_killed_while_a_backend_computes(folder: Path) -> None:
    async with hub(folder) as (process, server), busy_backend(folder):
        kill_all({process, server})
        async with hub(folder):
            assert await ask(folder, "SELECT 1") == 1


async def test_the_hub_killed_alone(folder: Path) -> None:
    async with hub(folder) as (process, _), busy_backend(folder):
        kill_all({process})
        async with hub(folder):
            assert await ask(folder, "SELECT 1") == 1


async def test_the_postmaster_killed_alone_while_a_backend_computes(folder: Path) -> None:
    async with hub(folder) as (process, server), busy_backend(folder):
        kill_all({server})
        await until(lambda: postmaster_pid(DataFolder(folder)) != server and running_urls(folder) is not None)
        assert await ask(folder, "SELECT 1") == 1
        assert lives(process)
