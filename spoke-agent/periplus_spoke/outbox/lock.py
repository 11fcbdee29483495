"""One process per state folder."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from periplus_spoke.kit.errors import SpokeError
from periplus_spoke.kit.own_files import open_own


class FolderLock:
    """An advisory lock on a folder, held until `release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock and write our process id into it; raises SpokeError naming the holder when it is taken."""
        descriptor = open_own(self._path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise _taken(self._path.parent, holder) from None
        self._descriptor = descriptor
        with suppress(OSError):  # a full disk has no room for who we are, and the lock holds all the same
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another process in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _taken(folder: Path, holder: str) -> SpokeError:
    return SpokeError(
        "state_folder_in_use",
        f"the state folder {folder} is in use by process {holder}",
        "Stop that process, or give this spoke its own --state-dir.",
    )
