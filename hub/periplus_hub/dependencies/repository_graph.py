"""All asked edges at once, in columns, for what is computed of the whole graph."""

from string import Template
from typing import Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.model import Coverage, EdgeFilter, LinkLevel
from periplus_hub.dependencies.repository_grouped import found
from periplus_hub.dependencies.tables_edges import END_COLUMNS, LOCAL_COLUMNS
from periplus_hub.flows.model import MEASURES
from periplus_hub.kit.column_store import ColumnStore

_ROWS: Final = Template("""
    SELECT $ends, $sums, outcome, known, unknown_within, state, first_seen, last_seen
    FROM ($$grouped) AS e LIMIT {most:UInt32}
""")
_SUMS: Final = ", ".join(f"sum_{name}" for name in MEASURES)


async def rows(scope: Scope, store: ColumnStore, asked: EdgeFilter, coverage: Coverage, *, most: int) -> pa.Table:
    """Without an order; `most` of them, where there are more."""
    ends = END_COLUMNS if asked.by is LinkLevel.CLUSTER else LOCAL_COLUMNS
    around = Template(_ROWS.substitute(ends=", ".join(ends), sums=_SUMS))
    return await found(scope, store, asked, coverage, around, most=most)
