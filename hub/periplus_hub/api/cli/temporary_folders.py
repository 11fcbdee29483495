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
OWNER_FILE: Final = "owner"


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
    """Remove what killed runs left in `parent`; the number of folders that are gone."""
    gone = 0
    for folder in parent.glob(f"{PREFIX}*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            gone += not folder.exists()
    return gone
