"""Until when something holds that somebody said for a time, in lists."""

from datetime import datetime

from periplus_hub.api.cli.tables import when
from periplus_hub.kit.clock import SystemClock


def until(expires_at: str | None, ended_at: str | None, how: str) -> str:
    """Its end, or since when it does not hold any more; `how` says what ended it before its time, like released."""
    if ended_at is not None:
        return f"{how} {when(ended_at)}"
    return when(expires_at, "–") if holds(expires_at, ended_at) else f"expired {when(expires_at)}"


def holds(expires_at: str | None, ended_at: str | None) -> bool:
    """Whether nobody has ended it, and its time is not over."""
    return ended_at is None and (expires_at is None or datetime.fromisoformat(expires_at) > SystemClock().now())
