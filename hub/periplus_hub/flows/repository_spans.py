"""SQL of spans: which hours the flow store has added up, and of which state of them that was made."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import JSON, ScalarSelect, Select, delete, func, select

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.flows.model import DAY_S, Hours, Span
from periplus_hub.flows.tables import days, hours, spans
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection


async def usable_spans(c: ReadConnection, scope: Scope) -> tuple[Span, ...]:
    """Those whose hours are still what they were made of."""
    return tuple(_span(row) for row in await c.rows(_spans(scope).where(spans.c.version == _version_now(scope))))


def usable_spans_in(scope: Scope) -> ScalarSelect[Any]:
    """The same as a column of another statement, for `flows.model.spans_of`."""
    usable = _spans(scope).where(spans.c.version == _version_now(scope)).subquery()
    each = func.json_build_array(usable.c.place, usable.c.first, usable.c.until, usable.c.rows)
    return select(func.json_agg(each, type_=JSON)).select_from(usable).scalar_subquery()


async def places(c: ReadConnection, scope: Scope) -> set[int]:
    """Of all spans."""
    return {row.place for row in await c.rows(_spans(scope))}


async def version_of(c: ReadConnection, scope: Scope, asked: Hours) -> int:
    """Of what the hours have now; 0 where they have nothing."""
    within = (hours.c.hour >= asked.first, hours.c.hour < asked.until)
    return int(await c.scalar(select(func.coalesce(func.sum(hours.c.made), 0)).where(owned(scope, hours), *within)))


async def days_within(c: ReadConnection, scope: Scope, asked: Hours) -> list[int]:
    """The whole UTC days among these hours that are made of their hours as they are."""
    whole = (days.c.day_start >= asked.first, days.c.day_start + DAY_S <= asked.until)
    made = (days.c.hours_kept, days.c.made_version == days.c.version)
    rows = await c.rows(select(days.c.day_start).where(owned(scope, days), *whole, *made))
    return sorted(row.day_start for row in rows)


async def note_span(c: WriteConnection, scope: Scope, span: Span, version: int) -> None:
    """The store has it, made of hours of this version; others of the same hours are not asked any more."""
    same = (spans.c.first == span.first, spans.c.until == span.until)
    await c.execute(delete(spans).where(owned(scope, spans), *same))
    values = {
        "place": span.place,
        "first": span.first,
        "until": span.until,
        "rows": span.rows,
        "version": version,
    }
    await c.execute(insert_owned(scope, spans, values))


async def forget_spans_but(c: WriteConnection, scope: Scope, kept: Collection[int]) -> None:
    """Only spans with these places are asked from now on."""
    await c.execute(delete(spans).where(owned(scope, spans), ~one_of(spans.c.place, kept)))


def _spans(scope: Scope) -> Select[Any]:
    return select(spans.c.place, spans.c.first, spans.c.until, spans.c.rows).where(owned(scope, spans))


def _version_now(scope: Scope) -> ScalarSelect[Any]:
    within = (hours.c.hour >= spans.c.first, hours.c.hour < spans.c.until)
    of_hours = select(func.coalesce(func.sum(hours.c.made), 0)).where(owned(scope, hours), *within)
    return of_hours.correlate(spans).scalar_subquery()


def _span(row: Any) -> Span:  # noqa: ANN401 - a row of `_spans`
    return Span(first=row.first, until=row.until, place=row.place, rows=row.rows)
