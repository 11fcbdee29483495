"""Cursors of Relay pages: a cursor holds the sort key of its row, never a position."""

import base64
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final
from uuid import UUID

from periplus_hub.kit.errors import Invalid

Key = tuple[Any, ...]

_MAX_CURSOR: Final = 2_000
_REMEDY: Final = "Pass the endCursor of an earlier page of the same list, unchanged."

_WRITE: Final[dict[str, tuple[type, Callable[[Any], Any]]]] = {
    "b": (bool, lambda value: value),
    "i": (int, lambda value: value),
    "s": (str, lambda value: value),
    "u": (UUID, str),
    "t": (datetime, lambda value: value.astimezone(UTC).isoformat()),
    "x": (bytes, lambda value: value.hex()),
}


def _network(text: str) -> IPv4Network | IPv6Network:
    if "%" in text:
        raise ValueError("PostgreSQL knows no zone of an address")
    return ip_network(text)


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "b": bool,
    "i": int,
    "s": str,
    "u": UUID,
    "t": datetime.fromisoformat,
    "x": bytes.fromhex,
    "n": _network,
}


def encode_cursor(values: Key, order: str = "") -> str:
    """Opaque text for a sort key; `order` names the list's order, so that cursors are not mixed up."""
    parts = [zlib.crc32(order.encode()), *map(_write, values)]
    packed = json.dumps(parts, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_cursor(cursor: str, order: str = "") -> Key:
    """The sort key; raises Invalid for text that no page of this order gave out."""
    try:
        # Cut before decoding: what is too long fails there as any other rubbish.
        packed = cursor[:_MAX_CURSOR] + "=" * (-len(cursor) % 4)
        checksum, *parts = json.loads(base64.b64decode(packed, altchars=b"-_", validate=True))
        values = tuple(_READ[kind](value) for kind, value in parts)
        # Written again it must be the same: `bool("no")` and an offset other than UTC would pass, and start the page
        # elsewhere.
        genuine = [[*_write(value)] for value in values] == parts and all(map(_storable, values))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise Invalid(f"'{cursor[:40]}' is not a cursor", _REMEDY) from error
    if not genuine:
        raise Invalid(f"'{cursor[:40]}' is not a cursor", _REMEDY)
    # No secret and no guard. It tells a mistaken cursor from a page that begins in the middle of nowhere; what a cursor
    # may show is decided by the scope alone.
    if checksum != zlib.crc32(order.encode()):
        raise Invalid(f"the cursor '{cursor[:40]}' belongs to another list or order", _REMEDY)
    return values


def _storable(value: object) -> bool:
    """Whether PostgreSQL takes it at all: strangers write cursors too."""
    return not isinstance(value, str) or ("\0" not in value and value.encode(errors="ignore").decode() == value)


def _write(value: object) -> tuple[str, Any]:
    # In this order: a bool is an int too, and would come back as one.
    for kind, (of, convert) in _WRITE.items():
        if isinstance(value, of):
            return kind, convert(value)
    if hasattr(value, "network_address"):
        return "n", str(value)
    raise TypeError(f"a cursor cannot hold a {type(value).__name__}")
