"""SQL of the minutes that agents of nodes told, which are kept as the bits of a day."""

from typing import Final

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, cast, column, func, literal_column, true

from periplus_hub.flows.model import DAY_S, HOUR_S, MINUTE_S, MINUTES_OF_DAY
from periplus_hub.flows.tables import node_coverage

Moment = int | ColumnElement[int]
"""In seconds since 1970."""
_A_BIT: Final[ColumnElement[object]] = literal_column("B'1'")


def minutes_told(since: Moment, until: Moment) -> ColumnElement[int]:
    """How many whole minutes between these times a row of `node_coverage` tells."""
    day = node_coverage.c.day_start
    before = cast(func.greatest(since - day, 0) // MINUTE_S, Integer)
    after = MINUTES_OF_DAY - cast(func.least(until - day, DAY_S) // MINUTE_S, Integer)
    # What is shifted out on the left is gone, and so is what is shifted back too far on the right.
    return func.bit_count(node_coverage.c.minutes.op("<<")(before).op(">>")(before + after))


def first_told() -> ColumnElement[int]:
    """When the first minute begins that a row of `node_coverage` tells."""
    found = func.position(_A_BIT.op("IN")(node_coverage.c.minutes))
    return node_coverage.c.day_start + (found - 1) * MINUTE_S


def each_hour() -> tuple[FromClause, ColumnElement[int]]:
    """A row for each hour of each row of `node_coverage`, and when the hour begins."""
    day = node_coverage.c.day_start
    hours = (
        func.generate_series(day, day + DAY_S - HOUR_S, HOUR_S)
        .table_valued(column("hour", BigInteger))
        .render_derived()
    )
    return node_coverage.join(hours, true()), hours.c.hour
