"""Named places to die at, for tests that prove what survives.

`PERIPLUS_CRASHPOINT=name` kills this process with SIGKILL the first time it reaches `name`; `name:3` the third time.
Without the variable a crash point is one comparison. Every name is listed here and killed at by a test.
"""

import os
import signal
from typing import Final

VARIABLE: Final = "PERIPLUS_CRASHPOINT"

NAMES: Final = (
    "identity_before_rename",
    "enrol_before_store",
    "outbox_before_rename",
    "outbox_before_folder_sync",
    "outbox_after_seal",
    "outbox_release_after_state",
    "outbox_release_after_remove",
    "outbox_replace_after_intent",
    "outbox_replace_before_commit",
    "outbox_replace_after_commit",
    "outbox_new_epoch_after_state",
    "outbox_persist_after_file",
    "transport_before_send",
    "transport_after_answer",
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
