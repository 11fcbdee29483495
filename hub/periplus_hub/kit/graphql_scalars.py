"""Scalars of the schema. Anything wider than 32 bits travels as a decimal text, times as ISO-8601 in UTC."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, NewType, TypeGuard, cast

import msgspec
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
Cidr = NewType("Cidr", str)
IpAddress = NewType("IpAddress", str)


def big(number: int | None) -> BigInt | None:
    """Null is not known."""
    return None if number is None else BigInt(number)


_DIGITS: Final = 80
"""More than the square of an IPv6 pool."""


def _time(value: object) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        msg = f"DateTime cannot represent {str(value)[:80]!r}: it is not an aware datetime"
        raise GraphQLError(msg)
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat()[:-6] + "Z"


def _times(column: Sequence[object]) -> list[object] | None:
    """The same for whole columns of UTC times, by msgspec, which writes them just so; None for any other column."""
    times = cast("Sequence[datetime]", column)
    if set(map(type, times)) != {datetime} or any(time.tzinfo is not UTC for time in times):
        return None
    written: list[object] = msgspec.to_builtins(times)
    return written


def _parse_time(value: object) -> datetime:
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = f"{str(value)[:80]!r} is not an ISO-8601 time with an offset, like 2026-01-31T12:00:00Z"
    raise GraphQLError(msg)


def _parse_big(value: object) -> int:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) <= _DIGITS):
        msg = f"{str(value)[:80]!r} is not a whole number in decimal text"
        raise GraphQLError(msg)
    return int(text)


def _parse_decimal(value: object) -> Decimal:
    try:
        parsed = Decimal(value) if isinstance(value, str) and len(value) <= _DIGITS else None
    except InvalidOperation:
        parsed = None
    if parsed is None or not parsed.is_finite():
        msg = f"{str(value)[:80]!r} is not a decimal number in text"
        raise GraphQLError(msg)
    return parsed


def _without_zone(value: object) -> TypeGuard[str]:
    """A text that is no link-local address with its interface (fe80::1%eth0): that means nothing to anybody else."""
    return isinstance(value, str) and "%" not in value


def _parse_cidr(value: object) -> str:
    """Canonical text. Host bits beyond the prefix, and a length left out, are usually typing mistakes: an error."""
    try:
        network: IPv4Network | IPv6Network | None = ip_network(value) if _without_zone(value) else None
    except ValueError:
        network = None
    if network is None or not _has_length(str(value)):
        msg = f"{str(value)[:80]!r} is not a CIDR like 10.0.0.0/16 (with its length, and no bits set beyond)"
        raise GraphQLError(msg)
    return str(network)


def _has_length(text: str) -> bool:
    """Whether a number stands behind the address, and no mask."""
    length = text.partition("/")[2]
    return length.isascii() and length.isdecimal()


def _parse_ip(value: object) -> str:
    try:
        return str(ip_address(value if _without_zone(value) else ""))
    except ValueError:
        msg = f"{str(value)[:80]!r} is not an IP address"
        raise GraphQLError(msg) from None


SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant: ISO-8601 in UTC, like 2026-01-31T12:00:00Z.",
        serialize=_time,
        parse_value=_parse_time,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of any size, as decimal text: JSON numbers lose digits past 2^53.",
        serialize=str,
        parse_value=_parse_big,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number, as text.",
        serialize=str,
        parse_value=_parse_decimal,
    ),
    Cidr: strawberry.scalar(
        name="Cidr",
        description="An IPv4 or IPv6 prefix in canonical form, like 10.0.0.0/16.",
        serialize=str,
        parse_value=_parse_cidr,
    ),
    IpAddress: strawberry.scalar(
        name="IpAddress",
        description="An IPv4 or IPv6 address in canonical form.",
        serialize=str,
        parse_value=_parse_ip,
    ),
}

COLUMN_WRITERS: Final[Mapping[Callable[[Any], object], Callable[[Sequence[object]], list[object] | None]]] = {
    _time: _times
}
"""What writes a whole column as `serialize` writes each value, several times faster; None when it would not."""
