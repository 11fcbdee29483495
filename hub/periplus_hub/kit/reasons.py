"""Reasons that people give, and ends of what they say for a time, as far as they are taken."""

from datetime import datetime, timedelta
from typing import Final

from periplus_hub.kit.errors import Invalid

MAX_REASON: Final = 1_000
MIN_REASON: Final = 3


def wanted_reason(text: str, *, needed: bool = True) -> str:
    """Without blanks around it; raises Invalid for one of the wrong length, and for none where one is needed."""
    reason = text.strip()
    least = MIN_REASON if needed else 0
    if len(reason) > MAX_REASON:
        raise Invalid(f"the reason has {len(reason):,} characters", f"Say why in at most {MAX_REASON:,} characters.")
    if len(reason) < least:
        told = f"Say why in {least} to {MAX_REASON:,} characters."
        raise Invalid("the reason is too short" if reason else "there is no reason", told)
    return reason


def check_end(what: str, ends_at: datetime, now: datetime, longest: timedelta) -> None:
    """Raises Invalid for an end that is not ahead, or out of all reason."""
    if not now < ends_at <= now + longest:
        raise Invalid(
            f"the {what} would end at {ends_at:%Y-%m-%d %H:%M} UTC",
            f"Choose an end in the future, at most {longest.days} days ahead.",
        )
