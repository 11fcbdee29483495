"""One backup at a time: who holds the lock of a file or folder is alone there."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from periplus_hub.kit.errors import Refusal


@contextlib.contextmanager
def alone(descriptor: int, busy: Refusal) -> Iterator[None]:
    """Hold what is open there while the block runs, then close it; raises `busy` while another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise busy from error
    finally:
        os.close(descriptor)
