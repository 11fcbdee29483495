"""Statements whose work grows with what they are about, also on a database that nobody analysed yet.

Of a table without statistics PostgreSQL takes for granted that any condition leaves a two-hundredth of it, so of a
few thousand ids it expects everything, and reads the whole table for every statement.
"""

from typing import Any

from sqlalchemy import FromClause, Select, Subquery, text

from periplus_hub.kit.db import WriteConnection

_NO_SCANS = text("SET LOCAL enable_seqscan = off")


async def by_index(c: WriteConnection) -> None:
    """Let the statements of this transaction look rows up instead of reading tables whole, wherever an index allows."""
    await c.execute(_NO_SCANS)


def looked_up(rows: Select[Any], asked: Subquery) -> FromClause:
    """What a query that speaks of `asked` finds for each of its rows, looked up apart: OFFSET keeps it so."""
    return rows.correlate(asked).offset(0).lateral("rows")
