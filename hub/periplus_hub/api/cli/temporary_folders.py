"""Temporary folders of `periplus try` and `periplus demo`: whose each is, and which a killed one left behind.

The owner holds a lock on a file in its folder, and its hub inherits it. The kernel ends the lock with the last of
them, however that ends; a process id says less, as others may get it, or live where it means another.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import time
from pathlib import Path
from typing import Final

PREFIX: Final = "periplus-"
OWNER_FILE: Final = "owner"
_PATIENCE_S: Final = 5.0
_POLL_S: Final = 0.05


def own(folder: Path) -> int:
    """Own a folder for as long as the returned descriptor is open anywhere. Raises OSError."""
    owner = os.open(folder / OWNER_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(owner, fcntl.LOCK_EX)
    os.write(owner, b"%d\n" % os.getpid())
    return owner


def is_abandoned(folder: Path) -> bool:
    """Whether a folder is this user's, owned, and its owner is gone. One that is empty yet is about to be locked."""
    with contextlib.suppress(OSError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        owner = os.open(folder / OWNER_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.fstat(owner).st_size > 0
        finally:
            os.close(owner)
    return False


def remove_abandoned(parent: Path) -> int:
    """Remove what killed runs left in `parent`; the number of folders that are gone.

    An initdb that outlives its hub may write for a moment yet, until it finds its files gone. What it makes for longer
    goes with the next run.
    """
    left = [folder for folder in parent.glob(f"{PREFIX}*") if is_abandoned(folder)]
    found = len(left)
    deadline = time.monotonic() + _PATIENCE_S
    while (left := [folder for folder in left if not is_removed(folder)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return found - len(left)


def is_removed(folder: Path) -> bool:
    """Remove it: that it was owned goes last, so that what is left of it is found again."""
    for path in _files(folder):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != OWNER_FILE:
            with contextlib.suppress(OSError):
                path.unlink()
    if all(path.name == OWNER_FILE for path in _files(folder)):
        shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _files(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(folder.iterdir())
    return []
