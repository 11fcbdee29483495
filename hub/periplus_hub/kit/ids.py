"""Identifiers and secrets."""

import secrets
import threading
from typing import Final
from uuid import UUID

from periplus_hub.kit.clock import SystemClock

_CLOCK: Final = SystemClock()
_LOCK: Final = threading.Lock()
_SUB_MS_STEPS: Final = 1 << 12


class _Ticks:
    """Time in 1/4096 ms, strictly rising within this process."""

    last = 0


def new_id() -> UUID:
    """A version 7 UUID (RFC 9562 §5.7): ids made by one process sort by the order they were made in."""
    now_us = int(_CLOCK.now().timestamp() * 1_000_000)
    ticks = now_us * _SUB_MS_STEPS // 1_000
    with _LOCK:
        _Ticks.last = ticks = max(ticks, _Ticks.last + 1)
    milliseconds, step = divmod(ticks, _SUB_MS_STEPS)
    return UUID(int=milliseconds << 80 | 7 << 76 | step << 64 | 0b10 << 62 | secrets.randbits(62))


def random_token(size_bytes: int = 32) -> str:
    """Unguessable text, safe in URLs and headers; 32 bytes are 43 characters."""
    return secrets.token_urlsafe(size_bytes)
