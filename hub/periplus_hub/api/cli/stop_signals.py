"""Whether a signal said stop, for commands that go on until one does."""

import signal
from queue import Empty, SimpleQueue

from periplus_hub.api.cli.exit_codes import STOPPING


class StopSignals:
    """Hears from now on.

    Not by a `threading.Event`: a handler runs between any two steps of the main thread, also while that holds the
    Event's lock, and then waits for itself for ever. What a SimpleQueue takes, it takes without a lock.
    """

    def __init__(self) -> None:
        self._heard: SimpleQueue[int] = SimpleQueue()
        self._is_asked = False
        for number in STOPPING:
            signal.signal(number, lambda number, _: self._heard.put(number))

    def wait(self, timeout_s: float) -> bool:
        """Whether stop was said by then. Returns as soon as it is."""
        if not self._is_asked:
            try:
                self._heard.get(timeout=max(0.0, timeout_s))
            except Empty:
                return False
            self._is_asked = True
        return True
