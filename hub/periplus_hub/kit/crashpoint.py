"""Named places to die at, for tests that prove what survives.

`PERIPLUS_CRASHPOINT=name` kills this process with SIGKILL the first time it reaches `name`; `name:3` the third time.
`name:stop` stops it there each time (SIGSTOP), until whoever watches kills it, or something else, or lets it go on.
Without the variable a crash point is one comparison. Every name is listed here and killed at by a test.
"""

import os
import signal
import threading
from typing import Final

VARIABLE: Final = "PERIPLUS_CRASHPOINT"

NAMES: Final = (
    "ingest.before_ledger",
    "ingest.after_ledger",
    "ingest.after_rows",
    "ingest.before_commit",
    "ingest.after_commit",
    "ingest.before_answer",
    "flows.after_named",
    "flows.after_insert",
    "flows.after_loaded",
    "flows.before_truncate",
    "flows.after_truncate",
    "flows.before_replace",
    "flows.after_replace",
    "flows.day_replaced",
)
_STOP: Final = "stop"


class _Trigger:
    def __init__(self, setting: str) -> None:
        self.name, _, how = setting.partition(":")
        self._stops = how == _STOP
        self._left = 1 if self._stops else int(how or "1")

    def reached(self) -> None:
        if self._stops:
            # To this thread, so that it does not run on until another one has taken the signal.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


_trigger: Final = _Trigger(os.environ.get(VARIABLE, ""))


def crashpoint(name: str) -> None:
    """Die here when a test asked for it."""
    if _trigger.name == name:
        _trigger.reached()
