"""What others put into the data folder is neither followed nor taken for the hub's own."""

import asyncio
import os
from pathlib import Path

import pytest

from periplus_hub.embedded_postgres.account import server_account
from periplus_hub.embedded_postgres.folder import DataFolder, FolderLock, postmaster_pid
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres, running_urls
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.own_files import open_own, read_own


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_text("12345\nprecious\n")
    return path


def test_the_lock_is_no_way_to_another_file(tmp_path: Path, target: Path) -> None:
    (tmp_path / "hub.lock").symlink_to(target)
    with pytest.raises(OSError, match=r"hub\.lock"):
        FolderLock(DataFolder(tmp_path))
    assert target.read_text() == "12345\nprecious\n"


def test_a_pid_file_that_is_a_link_or_a_pipe_names_no_server(tmp_path: Path, target: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.cluster.mkdir()
    folder.pid_file.symlink_to(target)
    with pytest.raises(OSError, match=r"postmaster\.pid"):
        postmaster_pid(folder)
    assert running_urls(tmp_path) is None
    folder.pid_file.unlink()
    os.mkfifo(folder.pid_file)
    with pytest.raises(OSError, match="no plain file"):
        postmaster_pid(folder)
    assert running_urls(tmp_path) is None


async def test_a_folder_that_everybody_may_write_into_is_refused(open_folder: Path) -> None:
    shared = open_folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(Refusal, match="may be written into by everybody"):
        await EmbeddedPostgres(shared).start()


@pytest.mark.parametrize("held", [".git", "index.html", "data"])
async def test_a_folder_that_holds_something_else_is_refused(open_folder: Path, held: str) -> None:
    full = open_folder / f"full-{held}"
    full.mkdir()
    (full / held).touch()
    with pytest.raises(Refusal, match=f"no data folder of a hub, and not empty: it holds '{held}'") as refused:
        await EmbeddedPostgres(full).start()
    assert "--data-dir" in refused.value.remedy
    assert [path.name for path in full.iterdir()] == [held]


async def test_a_folder_into_which_a_restore_was_cut_off_is_no_hub(open_folder: Path) -> None:
    folder = open_folder / "restoring"
    await asyncio.to_thread(DataFolder(folder, restoring=True).prepare, server_account())
    with pytest.raises(Refusal, match=r"the restore into .+ was not finished"):
        await EmbeddedPostgres(folder).start()


async def test_a_new_disk_and_a_folder_of_a_hub_are_taken(open_folder: Path) -> None:
    new = open_folder / "new"
    (new / "lost+found").mkdir(parents=True)
    new.chmod(0o711)
    for _ in range(2):
        server = EmbeddedPostgres(new, ephemeral=True)
        await server.start()
        await server.stop()
        (new / "admin-token").touch()


@pytest.mark.needs("other accounts")
async def test_a_folder_of_somebody_else_is_refused(open_folder: Path) -> None:
    theirs = open_folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, 1, 1)
    with pytest.raises(Refusal, match="belongs to uid 1") as refused:
        await EmbeddedPostgres(theirs).start()
    assert "as its owner" in refused.value.remedy
    assert list(theirs.iterdir()) == []


@pytest.mark.needs("other accounts")
def test_a_file_of_the_server_is_read_and_a_strangers_is_not(target: Path) -> None:
    os.chown(target, 1, 1)
    assert read_own(target, 1) == "12345\nprecious\n"
    with pytest.raises(PermissionError, match="belongs to uid 1"):
        open_own(target, os.O_RDONLY)
