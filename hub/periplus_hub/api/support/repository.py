"""How large the tables are, and how many findings there are."""

from typing import Any, Final

from sqlalchemy import func, select, text

from periplus_hub.access.scope import Scope, owned
from periplus_hub.access.tables import api_tokens
from periplus_hub.findings.tables import findings
from periplus_hub.fleet.tables import agents, network_domains, registrations
from periplus_hub.kit.db import ReadConnection

_TABLES: Final = text(
    "SELECT relname AS name, greatest(reltuples, 0)::bigint AS rows, pg_total_relation_size(oid) AS bytes FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname"
)

_NAMED: Final = {
    "cluster": registrations.c.name,
    "domain": network_domains.c.name,
    "node": agents.c.node_name,
    "token": api_tokens.c.name,
}


async def system_tables(c: ReadConnection) -> list[dict[str, Any]]:
    """Each table with how many rows it has, as the server estimates it, and its bytes with indexes."""
    return [dict(row._mapping) for row in await c.rows(_TABLES)]


async def names_of(c: ReadConnection, scope: Scope) -> dict[str, list[str]]:
    """What a tenant calls its own, by what it is."""
    found = {}
    for what, column in _NAMED.items():
        statement = select(column).where(owned(scope, column.table)).distinct().order_by(column)
        found[what] = [str(row[0]) for row in await c.rows(statement)]
    return found


async def finding_counts(c: ReadConnection, scope: Scope) -> list[dict[str, Any]]:
    """How many findings of each sort a tenant has."""
    columns = (findings.c.detector, findings.c.severity, findings.c.state)
    statement = select(*columns, func.count().label("n")).where(owned(scope, findings)).group_by(*columns)
    return [dict(row._mapping) for row in await c.rows(statement.order_by(*columns))]
