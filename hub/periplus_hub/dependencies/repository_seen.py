"""The statement that finds out whether anything in the flow store has a name."""

from collections.abc import Sequence
from string import Template
from typing import Final

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.model import EdgeFilter, EndFilter
from periplus_hub.dependencies.tables_edges import all_looked_at, at_either_end
from periplus_hub.kit.column_store import ColumnStore

_SEEN: Final = Template("SELECT $columns FROM $edges")


async def seen(scope: Scope, store: ColumnStore, asked: EdgeFilter, ends: Sequence[EndFilter]) -> list[bool]:
    """Of each of these ends whether an edge of the asked time, or of the week before, has such a one."""
    edges, given = all_looked_at(asked)
    names = [f"end_{number}" for number in range(len(ends))]
    parts = zip(names, ends, strict=True)
    columns = ", ".join(f"max({at_either_end(name, end, given)}) AS {name}" for name, end in parts)
    [row] = (await store.query(scope, _SEEN.substitute(columns=columns, edges=edges), given)).to_pylist()
    return [bool(row[name]) for name in names]
