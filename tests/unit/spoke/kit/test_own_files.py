"""What others put into the state folder is neither followed nor read nor waited for."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from periplus_spoke.kit.errors import SpokeError
from periplus_spoke.kit.own_files import make_own_folder, read_own, write_own
from periplus_spoke.outbox.filesystem import FolderFileSystem
from periplus_spoke.outbox.lock import FolderLock
from periplus_spoke.transport.identity import IdentityStore
from periplus_spoke.transport.report import Report

STRANGER = 12_345


def link(path: Path) -> Path:
    target = path.with_name("target")
    target.write_bytes(b"precious")
    path.symlink_to(target)
    return target


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("plant", [link, pipe, folder])
def test_nothing_but_a_plain_file_is_read_or_written(tmp_path: Path, plant: Callable[[Path], object]) -> None:
    path = tmp_path / "batch"
    plant(path)
    for act in (lambda: read_own(path), lambda: write_own(path, b"x")):
        with pytest.raises(OSError, match="batch"):
            act()


@pytest.mark.needs("other accounts")
@pytest.mark.parametrize("flags", ["read", "write"])
def test_a_file_of_somebody_else_is_not_ours(tmp_path: Path, flags: str) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(b"theirs")
    os.chown(path, STRANGER, STRANGER)
    with pytest.raises(PermissionError, match="belongs to uid 12345") as refused:
        read_own(path) if flags == "read" else write_own(path, b"ours")
    assert refused.value.errno == errno.EPERM
    assert path.read_bytes() == b"theirs"


def test_what_a_link_points_at_stays_as_it_is(tmp_path: Path) -> None:
    target = link(tmp_path / "lock")
    with pytest.raises(OSError, match="lock"):
        FolderLock(tmp_path).acquire()
    (tmp_path / "identity.key.tmp").symlink_to(target)
    (tmp_path / "status.tmp").symlink_to(target)
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "state.json.tmp").symlink_to(target)
    with pytest.raises(SpokeError, match=r"identity\.key cannot be used"):
        IdentityStore(tmp_path)._store("identity.key", b"secret")
    with pytest.raises(OSError, match=r"state\.json"):
        FolderFileSystem(tmp_path / "outbox").write("state.json.tmp", b"x")
    Report(tmp_path / "status").update(phase="listing")
    assert target.read_bytes() == b"precious"


def test_a_key_that_is_a_link_is_no_key(tmp_path: Path) -> None:
    link(tmp_path / "identity.key")
    with pytest.raises(SpokeError, match=r"identity\.key cannot be used"):
        IdentityStore(tmp_path).key()


def test_a_folder_that_everybody_may_write_into_holds_no_state(tmp_path: Path) -> None:
    open_to_all = tmp_path / "state"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(PermissionError, match="by everybody"):
        make_own_folder(open_to_all, "outbox")


def test_an_outbox_that_leads_elsewhere_holds_no_batches(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "outbox").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="is no folder"):
        make_own_folder(tmp_path / "state", "outbox")


@pytest.mark.needs("other accounts")
def test_a_folder_of_somebody_else_holds_no_state(tmp_path: Path) -> None:
    theirs = tmp_path / "state"
    theirs.mkdir()
    os.chown(theirs, STRANGER, STRANGER)
    with pytest.raises(PermissionError, match="belongs to uid 12345"):
        make_own_folder(theirs, "outbox")


def test_a_state_folder_named_by_a_link_is_followed(tmp_path: Path) -> None:
    """It is a person's word, and its parents often are links."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "named").symlink_to(tmp_path / "real")
    make_own_folder(tmp_path / "named", "outbox")
    assert (tmp_path / "real" / "outbox").is_dir()
