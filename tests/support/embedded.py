"""Helpers of the tests of the embedded PostgreSQL."""

import asyncio
import os
import pwd
import signal
import sys
import textwrap
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import asyncpg

from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres

_ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def running(folder: Path, *, account: str | None = None) -> AsyncIterator[EmbeddedPostgres]:
    """A server in `folder`, without the wait for the disk."""
    server = EmbeddedPostgres(folder, ephemeral=True, account=account)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(server: EmbeddedPostgres, question: str) -> object:
    """One value, as the server's superuser."""
    connection = await asyncpg.connect(server.urls.owner.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def start_hub_like(folder: Path) -> Popen[str]:
    """A process that starts the server, says its pid, and waits to be killed."""
    program = """
        import asyncio, sys
        from pathlib import Path
        from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
        async def main():
            server = EmbeddedPostgres(Path(sys.argv[1]), ephemeral=True)
            await server.start()
            print(server.pid, file=sys.stderr, flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """
    environment = os.environ | {"PYTHONPATH": str(_ROOT / "hub")}
    arguments = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
    return Popen(arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=environment, text=True)


def sleeper(like: Path | None = None, cwd: Path = Path("/")) -> Popen[bytes]:
    """A process that has nothing to do with us; it runs as the owner of `like`."""
    if like is None or os.geteuid() != 0:
        return Popen(["/bin/sleep", "600"], cwd=cwd)
    owner = like.stat()
    return Popen(["/bin/sleep", "600"], cwd=cwd, user=owner.st_uid, group=owner.st_gid)


def end(process: Popen[bytes]) -> None:
    """Kill and reap."""
    process.kill()
    process.wait()


def owner_and_mode(path: Path) -> tuple[int, str]:
    """Its uid and permission bits."""
    found = path.stat()
    return found.st_uid, oct(found.st_mode & 0o777)


def process_status(pid: int | None) -> str:
    """What the kernel says about a process."""
    return Path(f"/proc/{pid}/status").read_text()


async def until(condition: Callable[[], bool], within_s: float = 30) -> None:
    """Wait for something the kernel does in its own time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def as_account(name: str, work: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """The answer of `work` run in a forked child that has become `name` for good.

    Forked, not started: the account may not be allowed to read this Python. So `work` can use only what is imported.
    """
    entry = pwd.getpwnam(name)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
            with asyncio.Runner() as runner:
                os.write(writing, runner.run(work()).encode())
            code = 0
        except BaseException:  # noqa: BLE001 - reported, then the fork must not go on as a second pytest
            os.write(writing, traceback.format_exc()[-4000:].encode())
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise AssertionError(answer)
    return answer


def kill(pid: int) -> None:
    """SIGKILL."""
    os.kill(pid, signal.SIGKILL)


def kill_all(pids: set[int]) -> None:
    """SIGKILL to each that did not end with the one before."""
    for pid in pids:
        with suppress(ProcessLookupError):
            kill(pid)


def children(pid: int) -> set[int]:
    """The processes it started, and those it adopted."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
        if parent == pid:
            found.add(int(stat.parent.name))
    return found
