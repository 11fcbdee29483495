"""The data folder of the embedded PostgreSQL: its layout, and its one owner."""

import errno
import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from periplus_hub.embedded_postgres.account import Account
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.own_files import open_own, read_own, why_not_ours

FOLDER_IN_USE: Final = "data-folder-in-use"
_SOCKET_PATH_BYTES: Final = 107
SOCKET_FILES: Final = (".s.PGSQL.5432", ".s.PGSQL.5432.lock")
"""The socket, and the file in which the server that made it says its pid."""
RESTORING: Final = "restoring"
"""A file that is there while a backup is put into the folder: what it holds is no hub yet."""
_OURS: Final = frozenset({"hub.lock", "postgres", RESTORING})
_OF_A_NEW_DISK: Final = frozenset({"lost+found"})
_TRAVERSABLE: Final = 0o711
_PRIVATE: Final = 0o700
_PRIVATE_FILE: Final = 0o600


@dataclass(frozen=True, slots=True)
class DataFolder:
    """`<data>/postgres` is the server's, `<data>/hub.lock` says who uses it."""

    root: Path
    restoring: bool = False
    """Whether a backup is being put into it: nobody else may use it until that is done."""

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.root / "postgres"

    @property
    def pid_file(self) -> Path:
        """Written by the running server."""
        return self.cluster / "postmaster.pid"

    @property
    def initialised(self) -> bool:
        """Whether initdb finished here."""
        return (self.cluster / "PG_VERSION").exists() and not self._marker.exists()

    @property
    def _marker(self) -> Path:
        return self.root / "initialising"

    def begin_initialising(self, account: Account) -> None:
        """Mark the cluster as unfinished and empty it of a try that was cut off; refuses to empty anything else."""
        if not self._marker.exists():
            if any(self.cluster.iterdir()):
                raise Refusal(
                    f"{self.cluster} holds files that are no PostgreSQL data directory",
                    "Move them away, or choose another --data-dir.",
                    slug="data-folder",
                )
            # Before the first file: a try that is cut off leaves a folder that says that it may be emptied.
            self._marker.touch()
        shutil.rmtree(self.cluster)
        self.cluster.mkdir(mode=_PRIVATE)
        account.owns(self.cluster)

    def end_initialising(self, *, sync: bool) -> None:
        """The cluster is whole."""
        self._marker.unlink()
        if sync:
            descriptor = os.open(self.root, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def prepare(self, account: Account) -> None:
        """Make the folders that are missing; raises Refusal when the server's account could not reach them.

        A folder that holds something else is none of a hub's: a checkout, a home, another program's data.
        """
        try:
            self._refuse_foreign()
            for folder in reversed([self.root, *self.root.parents]):
                if not folder.exists():
                    folder.mkdir(mode=_TRAVERSABLE)
                    folder.chmod(_TRAVERSABLE)  # the umask must not close what was just made
            if self.restoring:
                (self.root / RESTORING).touch(mode=_PRIVATE_FILE)
            if not self.cluster.exists():
                self.cluster.mkdir(mode=_PRIVATE)
                account.owns(self.cluster)
        except OSError as error:
            raise unusable(self, error) from error
        self._check_reach(account)

    def read(self, path: Path) -> str:
        """A file of the server's, never a link's target. Raises OSError."""
        return read_own(path, self.cluster.stat().st_uid)

    def _refuse_foreign(self) -> None:
        if not self.root.exists():
            return
        why = why_not_ours(self.root.stat())
        if why:
            raise Refusal(
                f"the data folder {self.root} {why}",
                "Start the hub as its owner, or choose a folder of the hub's own with --data-dir.",
                slug="data-folder",
            )
        found = {path.name for path in self.root.iterdir()} - _OF_A_NEW_DISK
        if RESTORING in found and not self.restoring:
            raise Refusal(
                f"the restore into {self.root} was not finished: what it holds is a part of a backup",
                "Remove what is in the folder, and run 'periplus restore' again.",
                slug="data-folder",
            )
        if found and found.isdisjoint(_OURS):
            raise Refusal(
                f"{self.root} is no data folder of a hub, and not empty: it holds {min(found)!r}",
                "Choose a new or an empty folder with --data-dir (PERIPLUS_DATA_DIR).",
                slug="data-folder",
            )

    def _check_reach(self, account: Account) -> None:
        blocked = account.blocked_by(self.root)
        if blocked is not None:
            raise Refusal(
                f"PostgreSQL runs as '{account.name}' because the hub runs as root, and '{account.name}' may not pass "
                f"through {blocked} to the data folder {self.root}",
                f"Choose a folder outside {blocked} with --data-dir (PERIPLUS_DATA_DIR), for example "
                "/var/lib/periplus, or start the hub as an ordinary user.",
                slug="data-folder",
            )
        owner = self.cluster.stat().st_uid
        if owner != account.uid:
            raise Refusal(
                f"{self.cluster} belongs to uid {owner}, but PostgreSQL would run as '{account.name}' "
                f"(uid {account.uid})",
                "Start the hub as the user it was first started as, or choose another --data-dir.",
                slug="data-folder",
            )

    def socket_folder(self, account: Account) -> Path:
        """A folder only the server's account can enter, with a path short enough for a socket."""
        folder = self.root / "run"
        if len(os.fsencode(folder / SOCKET_FILES[-1])) > _SOCKET_PATH_BYTES:
            # The kernel takes no longer path for a socket, however short the working directory is.
            folder = Path(tempfile.mkdtemp(prefix="periplus-", dir="/tmp"))
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
        account.owns(folder)
        return folder

    def check_major(self, major: int) -> None:
        """Refuse a folder that another major version of PostgreSQL wrote."""
        found = self.read(self.cluster / "PG_VERSION").strip()
        if found != str(major):
            raise Refusal(
                f"{self.cluster} was written by PostgreSQL {found}, this hub brings PostgreSQL {major}",
                f"Dump it with the hub that wrote it and load the dump into a new --data-dir, or run PostgreSQL "
                f"{found} yourself and set PERIPLUS_DATABASE_URL.",
                slug="wrong-major",
            )


def unusable(folder: DataFolder, error: OSError) -> Refusal:
    """What the operating system refuses there."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    remedy = (
        "Free some space on its volume, or choose another" if full else "Start the hub as its owner, or choose another"
    )
    return Refusal(
        f"the data folder {folder.root} cannot be used: {error.filename or folder.root}: {error.strerror}",
        f"{remedy} folder with --data-dir (PERIPLUS_DATA_DIR).",
        slug="data-folder",
    )


class FolderLock:
    """Held by the one hub that uses a data folder; the kernel lets go of it when that process ends, however."""

    def __init__(self, folder: DataFolder) -> None:
        self._path = folder.root / "hub.lock"
        self._descriptor = open_own(self._path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise Refusal(
                f"the data folder {folder.root} is in use by the hub with pid {holder}",
                "Stop that hub first, or choose another --data-dir.",
                slug=FOLDER_IN_USE,
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another hub have the folder."""
        os.close(self._descriptor)


def postmaster_pid(folder: DataFolder) -> int | None:
    """The pid in the server's pid file, or None."""
    try:
        return int(folder.read(folder.pid_file).split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
