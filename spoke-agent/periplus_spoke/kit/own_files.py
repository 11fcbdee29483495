"""Files in a folder of ours that nobody else may have put there.

Who may write into the folder, or made it before us, could put a link there, or a file or pipe of their own: what we
write would land elsewhere, what we read would be theirs, or we would wait for them.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_ROOT: Final = 0


def open_own(path: Path, flags: int) -> int:
    """A descriptor of a plain file that belongs to us or to root; made, readable by us only, where flags say so.

    Raises OSError, with EPERM for what is somebody else's or no plain file.
    """
    # No O_TRUNC: what is somebody else's is found out only behind the open, and must not be emptied by it. O_NONBLOCK,
    # or opening a pipe that somebody put here would wait for its other end.
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    # Of the open file and not of the path: between looking and opening the path could be exchanged.
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid in {_ROOT, os.geteuid()}:
        return descriptor
    os.close(descriptor)
    what = f"belongs to uid {found.st_uid}" if stat.S_ISREG(found.st_mode) else "is no plain file"
    raise OSError(errno.EPERM, what, str(path))


def read_own(path: Path, limit: int = -1) -> bytes:
    """The first `limit` bytes, or all. Raises OSError."""
    with os.fdopen(open_own(path, os.O_RDONLY), "rb", buffering=0) as file:
        return file.read(limit) or b""


def write_own(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Create or replace; the content is durable on return, the name is not. Raises OSError."""
    descriptor = open_own(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.ftruncate(descriptor, 0)
        view = memoryview(content)
        while view:
            # A write may end early without an error, when the disk fills up.
            view = view[os.write(descriptor, view) :]
        if durable:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def make_own_folder(path: Path, inner: str) -> None:
    """Make it and its folder `inner` where they are missing. `path` itself may be a link: a person named it.

    Raises OSError, with EPERM where others could change what is in it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    (path / inner).mkdir(mode=0o700, exist_ok=True)
    for folder, found in ((path, path.stat()), (path / inner, (path / inner).lstat())):
        if why := why_not_ours(found):
            raise OSError(errno.EPERM, why, str(folder))


def why_not_ours(found: os.stat_result) -> str:
    """Why others could change what is in a folder, to go on with its path; empty when they cannot."""
    if found.st_uid not in {_ROOT, os.geteuid()}:
        return f"belongs to uid {found.st_uid}"
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    return "may be written into by everybody" if found.st_mode & stat.S_IWOTH else ""


def sync_folder(path: Path) -> None:
    """Make the names in it durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
