"""What fields ask of the flow store. For a tenant that has no flows nobody loads the engine."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

import pyarrow as pa

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.dependencies import repository_graph
from periplus_hub.dependencies.model import Coverage, EdgeFilter
from periplus_hub.flows import repository_blocks
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.errors import Invalid

MOST_ROWS: Final = 100_000
"""Dependencies that are looked at together."""

P = ParamSpec("P")
S = TypeVar("S")


async def of_store(
    info: Info,
    nothing: S,
    ask: Callable[Concatenate[Scope, ColumnStore, P], Awaitable[S]],
    *args: P.args,
    **named: P.kwargs,
) -> S:
    """What the repository function `ask` finds there; `nothing` where the tenant has no flows."""
    if not await info.context.read(repository_blocks.has_hours):
        return nothing
    return await info.context.ask(ask, *args, **named)


async def every_edge(
    info: Info, asked: EdgeFilter, coverage: Coverage, *, refused: str, remedy: str
) -> pa.Table | None:
    """All asked edges, as `repository_graph.rows`; None where the tenant has no flows. Raises Invalid of too many."""
    rows = await of_store(info, None, repository_graph.rows, asked, coverage, most=MOST_ROWS + 1)
    if rows is not None and rows.num_rows > MOST_ROWS:
        raise Invalid(f"there are more than {MOST_ROWS:,} {refused}", remedy)
    return rows
