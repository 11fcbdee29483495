"""Files in the data folder that nobody else may have put there, whose links and pipes could lead the hub elsewhere."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from periplus_hub.kit.errors import Refusal

_ROOT: Final = 0


def open_own(path: Path, flags: int, *owners: int) -> int:
    """A descriptor of a plain file that belongs to us, to root or to one of `owners`; made where flags say so.

    Raises OSError, with EPERM for what is somebody else's or no plain file.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid in {_ROOT, os.geteuid(), *owners}:
        return descriptor
    os.close(descriptor)
    what = f"belongs to uid {found.st_uid}" if stat.S_ISREG(found.st_mode) else "is no plain file"
    raise OSError(errno.EPERM, what, str(path))


def read_own(path: Path, *owners: int) -> str:
    """The text of such a file. Raises OSError."""
    with os.fdopen(open_own(path, os.O_RDONLY, *owners), encoding="utf-8", errors="replace") as file:
        return file.read()


def write_private(path: Path, text: str) -> None:
    """A whole file that only its owner can read, or none."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}", "Check the folder and its free space.") from error


def why_not_ours(found: os.stat_result) -> str:
    """Why others could change what is in a folder, to go on with its path; empty when they cannot."""
    if found.st_uid not in {_ROOT, os.geteuid()}:
        return f"belongs to uid {found.st_uid}"
    writable = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
    return "may be written into by everybody" if writable else ""
