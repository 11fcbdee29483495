"""Counts by a word, in a JSON column."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal_column, select, text, union_all


def counts_added(table: str, column: str) -> ColumnElement[Any]:
    """In ON CONFLICT DO UPDATE: for each word the count of the row that is there and of the one that comes."""
    sides = (
        func.json_each_text(literal_column(f"{side}.{column}")).table_valued("key", "value", name=f"of_{side}")
        for side in (table, "excluded")
    )
    both = union_all(*(select(each.c.key, each.c.value) for each in sides)).subquery("both_sides")
    total = func.sum(cast(both.c.value, BigInteger)).label("total")
    sums = select(both.c.key, total).group_by(both.c.key).subquery("sums")
    return select(func.coalesce(func.json_object_agg(sums.c.key, sums.c.total), text("'{}'"))).scalar_subquery()
