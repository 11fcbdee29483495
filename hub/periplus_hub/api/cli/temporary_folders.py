"""Temporary folders of `periplus try` and `periplus demo`: whose each is, and which a killed one left behind.

The owner holds a lock on a file in its folder, and its hub inherits it. The kernel ends the lock with the last of
them, however that ends; a process id says less, as others may get it, or live where it means another.
"""

import contextlib
import fcntl
import os
import shutil
import stat
from pathlib import Path
from typing import Final

PREFIX: Final = "periplus-"
MARK: Final = "owner"


def own(folder: Path) -> int:
    """Mark a folder as ours for as long as the returned descriptor is open anywhere. Raises OSError."""
    mark = os.open(folder / MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(mark, fcntl.LOCK_EX)
    os.write(mark, b"%d\n" % os.getpid())
    return mark


def is_abandoned(folder: Path) -> bool:
    """Whether a folder is this user's, marked, and its owner is gone. One that is empty yet is about to be locked."""
    with contextlib.suppress(OSError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        mark = os.open(folder / MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.fstat(mark).st_size > 0
        finally:
            os.close(mark)
    return False


def remove_abandoned(parent: Path) -> int:
    """Remove what killed runs left in `parent`; the number of folders that are gone."""
    gone = 0
    for folder in parent.glob(f"{PREFIX}*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            gone += not folder.exists()
    return gone
