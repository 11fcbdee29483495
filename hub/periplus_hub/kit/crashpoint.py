"""Named places to die at, for tests that prove what survives.

`PERIPLUS_CRASHPOINT=name` kills this process with SIGKILL the first time it reaches `name`; `name:3` the third time.
Without the variable a crash point is one comparison. Every name is listed here and killed at by a test.
"""

import os
import signal
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
)


class _Trigger:
    def __init__(self, setting: str) -> None:
        self.name, _, count = setting.partition(":")
        self._left = int(count or "1")

    def reached(self) -> None:
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


_trigger: Final = _Trigger(os.environ.get(VARIABLE, ""))


def crashpoint(name: str) -> None:
    """Die here when a test asked for it."""
    if _trigger.name == name:
        _trigger.reached()
