"""How the columns of the flow store are read as ends of edges. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from periplus_hub.dependencies.model import EdgeEnd, EdgeSide
from periplus_hub.flows.model import HOUR_S, MEASURES, NOBODY

_CLIENT_BIT, _SERVER_BIT, _BOTH_BIT = 1, 2, 4


def read_end(row: Mapping[str, Any], prefix: str, rules: tuple[str, ...] = ()) -> EdgeEnd:
    """The end whose columns begin with `prefix`."""
    registration = row[f"{prefix}registration"]
    return EdgeEnd(
        registration_id=None if registration == NOBODY else registration,
        namespace=row[f"{prefix}namespace"],
        kind=row[f"{prefix}kind"],
        name=row[f"{prefix}name"],
        rules=rules,
    )


def measure(row: Mapping[str, Any], *names: str) -> int | None:
    """The sum of these of its `sum_…` columns, of those that any source counted; None where none did."""
    known = [row[f"sum_{name}"] for name in names if row["known"] >> MEASURES.index(name) & 1]
    return sum(known) if known else None


def sides(bits: int) -> frozenset[EdgeSide]:
    """Who reported, of the bits of `reporters`."""
    both = bool(bits & _BOTH_BIT)
    told = {EdgeSide.CLIENT: both or bits & _CLIENT_BIT, EdgeSide.SERVER: both or bits & _SERVER_BIT}
    return frozenset(side for side, is_told in told.items() if is_told)


def numbers(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - a tuple of the store, which Arrow makes a mapping
    """A tuple of the store."""
    return tuple(int(each) for each in (value.values() if isinstance(value, Mapping) else value))


def port_of(value: Any) -> tuple[int, int]:  # noqa: ANN401 - as above
    """(IANA's number of the protocol, port)."""
    protocol, port = numbers(value)
    return protocol, port


def ends_at(moment: datetime) -> int:
    """When its hour ends, in seconds."""
    return hour_of(moment) + HOUR_S


def hour_of(moment: datetime) -> int:
    """When its hour began, in seconds."""
    return int(moment.timestamp()) // HOUR_S * HOUR_S
