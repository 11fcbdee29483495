"""Edges as the store answers them, in columns."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa

from periplus_hub.dependencies.engine.ends import PARTS
from periplus_hub.flows.model import MEASURES

EAST, WEST = UUID(int=1), UUID(int=2)
KNOWN = 2 ** len(MEASURES) - 1
AT = 1_767_225_600


def row(src: tuple[UUID, str, str, str], dst: tuple[UUID, str, str, str], **other: Any) -> dict[str, Any]:
    """An edge that is active and forwarded; measures by their names, all known."""
    values = [other.pop(name, 0) for name in MEASURES]
    return {"src": src, "dst": dst, "outcome": 1, "state": 0, "known": KNOWN, "values": values, **other}


def edge_rows(rows: Sequence[dict[str, Any]], parts: Sequence[str] = PARTS) -> pa.Table:
    """As `repository_graph.rows`, of ends with these parts: what a row does not know is 0 there."""
    columns: dict[str, list[Any]] = {}
    for side in ("src", "dst"):
        for part, name in enumerate(parts):
            values = [each[side][part] for each in rows]
            columns[f"end_{side}_{name}"] = [each.bytes if isinstance(each, UUID) else each for each in values]
    for number, measure in enumerate(MEASURES):
        columns[f"sum_{measure}"] = [each["values"][number] if each["known"] >> number & 1 else 0 for each in rows]
    columns |= {name: [each[name] for each in rows] for name in ("outcome", "state", "known")}
    columns |= {"unknown_within": [0] * len(rows), "first_seen": [AT] * len(rows), "last_seen": [AT + 60] * len(rows)}
    return pa.table(columns)
