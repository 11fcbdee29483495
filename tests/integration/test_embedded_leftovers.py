"""Lock files that name a process are judged by who works in the folder, not by whether the number is in use."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from periplus_hub.embedded_postgres import leftovers
from periplus_hub.embedded_postgres.folder import SOCKET_FILES, DataFolder
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres

from tests.support.embedded import ask, end, kill_all, lives, running, sleeper, start_hub_like, until

NAMED = ("nobody", "a stranger", "the server of another folder", "this process")


@pytest.fixture
def folder(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    return open_folder / request.node.name.replace(" ", "-")[:50]


def name_in_locks(folder: DataFolder, pid: int) -> None:
    """As after a kill; a clean stop has removed both files."""
    run, owner = folder.root / "run", folder.cluster.stat()
    text = f"{pid}\n{folder.cluster}\n1700000000\n5432\n{run}\n\n        1         1\nready   \n"
    for path in (folder.pid_file, run / SOCKET_FILES[-1]):
        path.write_text(text)
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o600)


@pytest.mark.promise("database-restarts-are-survived")
@pytest.mark.parametrize("named", NAMED)
async def test_lock_files_that_name_somebody_else_are_no_obstacle(named: str, folder: Path) -> None:
    async with running(folder):
        pass
    stranger = sleeper(like=folder / "postgres")
    if named == "nobody":
        end(stranger)
    try:
        async with running(folder.with_name(f"{folder.name}-other")) as other:
            pids = {"the server of another folder": other.pid, "this process": os.getpid()}
            name_in_locks(DataFolder(folder), pids.get(named) or stranger.pid)
            async with running(folder) as server:
                assert await ask(server, "SELECT 1") == 1
            assert await ask(other, "SELECT 1") == 1
        assert named == "nobody" or stranger.poll() is None
    finally:
        end(stranger)


@pytest.mark.promise("the-machine-is-left-alone")
async def test_a_shell_that_somebody_left_in_the_folder_goes_on(folder: Path) -> None:
    async with running(folder) as server:
        cluster = server.folder.cluster
    shell = sleeper(like=cluster, cwd=cluster)
    try:
        name_in_locks(DataFolder(folder), shell.pid)
        async with running(folder) as server:
            assert await ask(server, "SELECT 1") == 1
        assert shell.poll() is None
    finally:
        end(shell)


async def test_processes_that_cannot_be_seen_are_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL itself finds them, by its shared memory."""
    hub = start_hub_like(folder)
    assert hub.stderr is not None
    postmaster = int(await asyncio.to_thread(hub.stderr.readline))
    seen = leftovers._processes_in(DataFolder(folder).cluster) - {postmaster}
    for pid in seen:
        os.kill(pid, signal.SIGSTOP)
    kill_all({hub.pid, postmaster})
    await asyncio.to_thread(hub.wait)
    hub.stderr.close()
    monkeypatch.setattr(leftovers, "_processes_in", lambda _cluster: set())
    postgres = EmbeddedPostgres(folder, ephemeral=True)
    with capture_logs() as said:
        starting = asyncio.create_task(postgres.start())
        await until(lambda: any("pre-existing shared memory" in str(line) for line in said))
        kill_all(seen)
        await starting
    try:
        assert await ask(postgres, "SELECT 1") == 1
        assert not any(map(lives, seen))
    finally:
        await postgres.stop()
