"""What a range has to be, said for the person who typed it. Pure."""

from datetime import UTC, date, datetime, time
from typing import Final, NamedTuple

from periplus_contract.text import visible
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, IPV4, REMEDIES, BadPrefix, Prefix, parse
from periplus_hub.addresses.ranges.model import MAX_LIFETIME, MAX_NAME, MAX_NOTE, MAX_OWNER, WIDEST, RangeUse

LONGEST: Final = {"name": MAX_NAME, "owner": MAX_OWNER, "note": MAX_NOTE}
USES: Final = ", ".join(RangeUse)
_SHOWN: Final = 64
_SEVERAL: Final = (" ", ",", ";")


class Broken(NamedTuple):
    """A rule that is broken, and what to do."""

    message: str
    remedy: str


def range_of(text: str) -> Prefix | Broken:
    """The prefix that a person typed."""
    shown = repr(visible(text[:_SHOWN]))
    # Before `parse`, which would call it bad: two ranges on one line deserve the better word.
    if any(divider in text.strip() for divider in _SEVERAL):
        return Broken(f"{shown} is not one range", "Write one range to a line, whichever its family.")
    address, slash, length = text.partition("/")
    # Four digits are enough to be too many, and `int` has an error of its own for thousands of them.
    if slash and ":" not in address and length.isdecimal() and int(length[:4]) > FAMILY_BITS[IPV4]:
        return Broken(f"{shown} has an IPv4 address and a length of IPv6", "Write a length of at most 32.")
    try:
        prefix = parse(text)
    except BadPrefix as error:
        return Broken(f"{shown} is refused ({error.reason})", REMEDIES[error.reason])
    if prefix.length < WIDEST[prefix.family]:
        widest = f"/{WIDEST[prefix.family]}"
        return Broken(
            f"{shown} is wider than {widest}", f"Enter the parts that are really used, each {widest} or longer."
        )
    return prefix


def text_trouble(column: str, text: str) -> Broken | None:
    """What is wrong with a name, an owner or a note."""
    if len(text) > LONGEST[column]:
        return Broken(f"the {column} has {len(text):,} characters", f"Use at most {LONGEST[column]:,}.")
    if visible(text) != text:
        return Broken(
            f"the {column} {visible(text[:_SHOWN])!r} holds what cannot be seen", "Use one line of plain text."
        )
    return None


def expiry_trouble(expires_at: datetime | None, now: datetime) -> Broken | None:
    """An end has to be ahead, and not out of all reason."""
    if expires_at is None or now < expires_at <= now + MAX_LIFETIME:
        return None
    told = f"the range would expire at {expires_at:%Y-%m-%d %H:%M} UTC"
    return Broken(told, f"Give a time ahead, at most {MAX_LIFETIME.days:,} days, or none for no end.")


def time_of(text: str) -> datetime | Broken:
    """A day, which means its beginning in UTC, or a time with its offset."""
    try:
        if len(text) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        found = datetime.fromisoformat(text)
        # Without an offset it would mean one time here and another where the hub runs.
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return Broken(f"{visible(text[:_SHOWN])!r} is no time", "Write one like 2026-01-31 or 2026-01-31T12:00:00Z.")
