"""What statements share that add up the edges of several hours, so that one row says what those of the hours say."""

from collections.abc import Mapping
from string import Template
from typing import Any, Final, NamedTuple

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import MEASURES
from periplus_hub.kit.column_store import ColumnStore

LANE: Final = "days"
MOST_ROWS: Final = 2_000_000
"""That are added up together: some hundred bytes each."""
_AGGREGATES: Final = {
    **dict.fromkeys((*MEASURES, "client_bytes", "server_bytes", "windows"), "sum"),
    **dict.fromkeys(("measured", "unmeasured", "reporters"), "groupBitOr"),
    "sampling": "max",
    "first_window": "min",
    "last_window": "max",
}
"""Of all columns but those that tell edges apart. A question that aggregates rows so finds the same in what was added
up as in its hours."""
_ADD_UP: Final = Template("""
    INSERT INTO $into
    SELECT * REPLACE (toDateTime({at:UInt32}, 'UTC') AS hour, $values) FROM $edges GROUP BY ALL
""")
OF_PART: Final = "reinterpretAsUInt64(e.ends) % {parts:UInt32} = {part:UInt32}"
"""The condition that an edge is in the part that is added up: memory is bounded by that. A pair of ends is in one."""
_VALUES: Final = ", ".join(f"{function}(e.{name}) AS {name}" for name, function in _AGGREGATES.items())
_TOTALS: Final = Template("SELECT count() AS edge_rows, $sums FROM $table AS e WHERE $where")
_SUMS: Final = ", ".join(f"sum({name}) AS {name}" for name in ("windows", "bytes_tx", "bytes_rx"))


class Totals(NamedTuple):
    """Of edges, as hours have them or what they were added up to."""

    rows: int
    sums: tuple[int, ...]
    """Of what is the same in both."""


async def add_up(
    scope: Scope, store: ColumnStore, into: str, edges: str, given: Mapping[str, Any], *, rows: int
) -> None:
    """Put `into` a table what these `edges` (`e`) say together, with `{at}` as their hour.

    `edges` is what stands behind FROM, with `OF_PART` among its conditions. It has so many `rows`.
    """
    parts = rows // MOST_ROWS + 1
    statement = _ADD_UP.substitute(into=into, values=_VALUES, edges=edges)
    for part in range(parts):
        await store.command(scope, statement, {**given, "part": part, "parts": parts}, lane=LANE)


async def totals(scope: Scope, store: ColumnStore, table: str, where: str, given: Mapping[str, Any]) -> Totals:
    """Of the rows (`e`) of a table."""
    statement = _TOTALS.substitute(sums=_SUMS, table=table, where=where)
    found = (await store.query(scope, statement, given, lane=LANE)).to_pylist()[0]
    rows = found.pop("edge_rows")
    return Totals(rows=int(rows), sums=tuple(int(each) for each in found.values()))
