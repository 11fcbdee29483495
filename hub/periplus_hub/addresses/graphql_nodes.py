"""How `node` finds allocations and pools again."""

from periplus_hub.access.scope import Scope
from periplus_hub.addresses import repository_graphql as repository
from periplus_hub.addresses.graphql_types import Allocation, Pool
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.graphql import from_row


async def allocation_node(c: ReadConnection, scope: Scope, parts: tuple[str, ...]) -> Allocation | None:
    """`node` for Allocation ids."""
    row = await repository.allocation_row(c, scope, parts)
    return None if row is None else from_row(Allocation, row)


async def pool_node(c: ReadConnection, scope: Scope, parts: tuple[str, ...]) -> Pool | None:
    """`node` for Pool ids."""
    row = await repository.pool_row(c, scope, parts)
    return None if row is None else from_row(Pool, row)
