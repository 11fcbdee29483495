import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from periplus_hub.embedded_postgres.account import server_account
from periplus_hub.embedded_postgres.folder import DataFolder
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres, running_urls
from periplus_hub.kit.commit_probe import commit_something
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal, Unavailable
from periplus_hub.kit.tasks import beside

from tests.support.clock import FakeClock
from tests.support.embedded import ask, kill, lives, owner_and_mode, running, start_hub_like, until


@pytest.fixture
def folder(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    return open_folder / request.node.name[:40]


async def test_a_new_server_is_private_checked_and_in_utf8(folder: Path) -> None:
    async with running(folder) as server:
        assert await ask(server, "SHOW listen_addresses") == ""
        assert await ask(server, "SHOW data_checksums") == "on"
        assert await ask(server, "SHOW server_encoding") == "UTF8"
        assert await ask(server, "SHOW data_directory_mode") == "0700"
        assert owner_and_mode(folder / "run") == owner_and_mode(folder / "postgres")
        assert owner_and_mode(folder / "run")[1] == "0o700"


async def test_data_survive_stop_and_start(folder: Path) -> None:
    async with running(folder) as server:
        await ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    async with running(folder) as server:
        assert await ask(server, "SELECT number FROM kept") == 7


async def test_a_durable_server_flushes(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    await server.start()
    try:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await ask(server, f"SHOW {setting}") == "on"
    finally:
        await server.stop()


async def test_a_second_start_names_who_has_the_folder(folder: Path) -> None:
    async with running(folder):
        with pytest.raises(Refusal, match=f"in use by the hub with pid {os.getpid()}"):
            await EmbeddedPostgres(folder).start()


async def test_the_running_server_of_another_process_can_be_joined(folder: Path) -> None:
    assert running_urls(folder) is None
    async with running(folder) as server:
        assert running_urls(folder) == server.urls
    assert running_urls(folder) is None


@pytest.mark.promise("database-restarts-are-survived")
async def test_a_killed_hub_takes_its_server_along_and_the_next_start_has_the_data(folder: Path) -> None:
    hub = start_hub_like(folder)
    assert hub.stderr is not None
    postmaster = int(await asyncio.to_thread(hub.stderr.readline))
    assert lives(postmaster)
    kill(hub.pid)
    await asyncio.to_thread(hub.communicate)
    async with running(folder) as server:
        assert not lives(postmaster)
        assert await ask(server, "SELECT 1") == 1


@pytest.mark.promise("database-restarts-are-survived")
async def test_a_server_that_dies_is_started_again_and_cannot_commit_meanwhile(folder: Path) -> None:
    async with running(folder) as server:
        db = Database(server.urls.hub, FakeClock())
        await commit_something(db)
        first = server.pid
        assert first is not None
        kill(first)
        await until(lambda: not lives(first))
        with pytest.raises((OSError, DBAPIError, Unavailable)):
            await commit_something(db)
        async with beside(server.supervise()):
            await until(lambda: server.pid not in {None, first} and running_urls(folder) is not None)
            await commit_something(db)
        await db.dispose()


async def test_another_major_version_is_refused_with_what_to_do(folder: Path) -> None:
    async with running(folder):
        pass
    (folder / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(Refusal, match="written by PostgreSQL 15, this hub brings PostgreSQL 18") as refused:
        await EmbeddedPostgres(folder).start()
    assert "Dump it" in refused.value.remedy


async def test_an_initialisation_that_was_cut_off_starts_over(folder: Path) -> None:
    async with running(folder):
        pass
    (folder / "initialising").touch()
    (folder / "postgres" / "global" / "pg_control").unlink()
    async with running(folder) as server:
        assert await ask(server, "SELECT 1") == 1
    assert not (folder / "initialising").exists()


@pytest.mark.promise("the-machine-is-left-alone")
async def test_files_of_somebody_else_are_never_removed(folder: Path) -> None:
    data = DataFolder(folder)
    data.prepare(server_account())
    thesis = data.cluster / "thesis.tex"
    thesis.write_text("x")
    with pytest.raises(Refusal, match="no PostgreSQL data directory"):
        await EmbeddedPostgres(folder).start()
    assert thesis.read_text() == "x"


async def test_a_long_path_gets_its_socket_elsewhere(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    async with running(deep) as server:
        assert await ask(server, "SELECT 1") == 1
        socket = server._socket
        assert socket is not None
        assert len(str(socket)) < 60
    assert not socket.exists()


async def test_damaged_files_end_the_start_with_the_servers_own_words(folder: Path) -> None:
    async with running(folder):
        pass
    control = folder / "postgres" / "global" / "pg_control"
    control.write_bytes(b"\0" * control.stat().st_size)
    with pytest.raises(Refusal, match="ended while starting") as refused:
        await EmbeddedPostgres(folder).start()
    assert "database files are incompatible" in refused.value.message


async def test_a_folder_that_cannot_be_written_is_refused(folder: Path) -> None:
    (folder / "hub.lock").mkdir(parents=True)
    with pytest.raises(Refusal, match=r"data folder .* cannot be used: .*hub.lock") as refused:
        await EmbeddedPostgres(folder).start()
    assert "--data-dir" in refused.value.remedy


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match=r"cannot be used: .*Not a directory") as refused:
        await EmbeddedPostgres(tmp_path / "file" / "data").start()
    assert "--data-dir" in refused.value.remedy
