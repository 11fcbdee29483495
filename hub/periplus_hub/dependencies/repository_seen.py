"""The statement that finds out whether anything in the flow store has a name."""

from collections.abc import Sequence
from string import Template
from typing import Any, Final

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.model import EdgeFilter, EndFilter
from periplus_hub.dependencies.repository_asked import ask_edges
from periplus_hub.dependencies.tables_edges import at_either_end, looked_at, together
from periplus_hub.kit.column_store import ColumnStore

_SEEN: Final = Template("SELECT $columns FROM $edges")


async def seen(scope: Scope, store: ColumnStore, asked: EdgeFilter, ends: Sequence[EndFilter]) -> list[bool]:
    """Of each of these ends whether an edge of the asked time, or of the week before, has such a one."""
    names = [f"end_{number}" for number in range(len(ends))]

    def stated(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
        tables, given = looked_at(asked)
        parts = zip(names, ends, strict=True)
        columns = ", ".join(f"max({at_either_end(name, end, given)}) AS {name}" for name, end in parts)
        return _SEEN.substitute(columns=columns, edges=together(tables)), given

    whatever = EdgeFilter(since=asked.since, until=asked.until, days_until=asked.days_until, spans=asked.spans)
    [row] = (await ask_edges(scope, store, whatever, stated)).to_pylist()
    return [bool(row[name]) for name in names]
