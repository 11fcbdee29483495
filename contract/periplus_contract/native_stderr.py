"""What libraries that are not Python write to standard error, as a panic does, made lines of the log."""

import atexit
import faulthandler
import logging
import os
import threading
from typing import Final

from periplus_contract.streams import move_stderr

_STDERR: Final = 2
_DRAIN_S: Final = 1.0

_log: Final = logging.getLogger("native")


def separate_native_stderr() -> None:
    """From here on Python alone writes to the standard error this process was given; call it once, at its start.

    Does nothing where the streams are not guarded. What dies at once, as by a segmentation fault, cannot be waited for:
    Python's fault handler says where it was.
    """
    given = move_stderr()
    if given is None:
        return
    os.environ.setdefault("RUST_BACKTRACE", "0")
    reading, writing = os.pipe()
    os.dup2(writing, _STDERR)
    os.close(writing)
    faulthandler.enable(given)
    listening = threading.Thread(target=_listen, args=(reading,), name="native-stderr", daemon=True)
    listening.start()

    def drain() -> None:
        os.dup2(given, _STDERR)  # closes the pipe's other end
        listening.join(_DRAIN_S)

    atexit.register(drain)


def _listen(reading: int) -> None:
    with os.fdopen(reading, "rb") as pipe:
        for raw in iter(lambda: pipe.readline(4096), b""):
            if line := raw.decode(errors="replace").strip():
                _log.warning("native code: %s", line)
