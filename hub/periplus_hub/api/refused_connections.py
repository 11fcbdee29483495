"""Connections that were refused or ended early: each is counted, and they are told of once a minute."""

from collections import Counter
from typing import Final

import structlog

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.metrics import counter

LOG_EVERY_S: Final = 60.0

_ended: Final = counter(
    "periplus_http_connections_refused_total",
    "Connections refused or ended by the hub, by listener and reason: malformed, large-head, slow-head, slow-body, "
    "handshake, slow-handshake; stranger and idle (made room for another), address and full (had no room), no-room "
    "(the system had none).",
    ("listener", "reason"),
)
_log: Final = structlog.get_logger(__name__)


class RefusedConnections:
    """Those of one listener."""

    def __init__(self, listener: str, clock: Clock) -> None:
        self._listener = listener
        self._clock = clock
        self._untold: Counter[str] = Counter()
        self._told_s = float("-inf")

    def count(self, reason: str) -> None:
        """One more. Strangers decide how often that is, so the log does not follow them."""
        _ended.labels(self._listener, reason).inc()
        self._untold[reason] += 1
        now_s = self._clock.monotonic_s()
        if now_s - self._told_s >= LOG_EVERY_S:
            told = {name.replace("-", "_"): number for name, number in self._untold.items()}
            _log.warning("connections_refused", door=self._listener, **told)
            self._told_s = now_s
            self._untold.clear()
