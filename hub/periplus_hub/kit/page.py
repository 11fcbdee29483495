"""Relay pages over keysets: a cursor holds the sort key of its row, never a position."""

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_

from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Invalid

T = TypeVar("T")
U = TypeVar("U")
Key = tuple[Any, ...]

MAX_FIRST: Final = 1_000
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
_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "b": bool,
    "i": int,
    "s": str,
    "u": UUID,
    "t": datetime.fromisoformat,
    "x": bytes.fromhex,
    "n": ip_network,
}


@dataclass(frozen=True, slots=True)
class PageAsk:
    """What a caller wants: `first` rows after the cursor `after`; the total only when asked for, it costs a count."""

    first: int = 50
    after: str | None = None
    with_total: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.first <= MAX_FIRST:
            raise Invalid(f"first is {self.first}", f"Ask for 1 to {MAX_FIRST} rows.")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, and how to go on."""

    nodes: Sequence[T]
    has_next: bool
    end_cursor: str | None
    total: int | None = None

    def map(self, convert: Callable[[T], U]) -> "Page[U]":
        """The same page of something else."""
        return Page([convert(node) for node in self.nodes], self.has_next, self.end_cursor, self.total)


def encode_cursor(values: Key, order: str = "") -> str:
    """Opaque text for a sort key; `order` names the list's order, so that cursors are not mixed up."""
    parts = [zlib.crc32(order.encode()), *map(_write, values)]
    packed = json.dumps(parts, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_cursor(cursor: str, order: str = "") -> Key:
    """The sort key; raises Invalid for text that no page of this order gave out."""
    try:
        packed = cursor[:_MAX_CURSOR] + "=" * (-len(cursor) % 4)
        mark, *parts = json.loads(base64.b64decode(packed, altchars=b"-_", validate=True))
        values = tuple(_READ[kind](value) for kind, value in parts)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Invalid(f"'{cursor[:40]}' is not a cursor", _REMEDY) from error
    if mark != zlib.crc32(order.encode()):
        raise Invalid(f"the cursor '{cursor[:40]}' belongs to another list or order", _REMEDY)
    return values


async def fetch_page(
    c: ReadConnection,
    statement: Select[Any],
    ask: PageAsk,
    order: Sequence[ColumnElement[Any]],
    *,
    descending: bool = False,
) -> Page[Row[Any]]:
    """One page of `statement` in the order of `order`: NOT NULL columns, unique together, all in one direction.

    The columns must be among those selected, under their own names.
    """
    total = None
    if ask.with_total:
        total = await c.scalar(select(func.count()).select_from(statement.order_by(None).subquery()))
    names = [column.key or "" for column in order]
    tag = ",".join([*names, "desc" if descending else "asc"])
    if ask.after is not None:
        key = decode_cursor(ask.after, tag)
        if len(key) != len(names):
            raise Invalid("the cursor belongs to another list or order", _REMEDY)
        left = tuple_(*order)
        right = tuple_(*key, types=[column.type for column in order])
        statement = statement.where(left < right if descending else left > right)
    sorted_by = [column.desc() if descending else column.asc() for column in order]
    rows = await c.rows(statement.order_by(*sorted_by).limit(ask.first + 1))
    nodes = rows[: ask.first]
    end = encode_cursor(tuple(getattr(nodes[-1], name) for name in names), tag) if nodes else None
    return Page(nodes, len(rows) > ask.first, end, total)


def _write(value: object) -> tuple[str, Any]:
    for kind, (of, convert) in _WRITE.items():
        if isinstance(value, of):
            return kind, convert(value)
    if hasattr(value, "network_address"):
        return "n", str(value)
    raise TypeError(f"a cursor cannot hold a {type(value).__name__}")
